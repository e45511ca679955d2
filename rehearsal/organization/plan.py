"""The organization of a rehearsal: its accounts, its Regions, and the operator's values for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from buildspecs.names import CENTRAL_VAULT
from rehearsal.emulator import Accounts, Emulator

# The README's placeholders whose values an operator knows beforehand.
PLACEHOLDERS: Final = (
    "management-account-id", "home-account-id", "central-account-id", "organization-id", "root-id",
    "home-region", "target-regions",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to create. The members are in one organizational unit (OU), the other accounts in the root."""

    accounts: Accounts
    home_region: str
    regions: tuple[str, ...]  # the target Regions


DEFAULT: Final = Plan(
    accounts=Accounts(
        management="111111111111",
        home="222222222222",
        central="333333333333",
        members=("444444444444", "555555555555"),
    ),
    home_region="us-east-1",
    regions=("us-east-1", "us-east-2"),
)


@dataclass(frozen=True)
class Organization:
    """The organization as it was created."""

    plan: Plan
    identifier: str
    root: str
    unit: str  # the protected OU
    further_units: tuple[str, ...] = ()  # OUs that became targets later

    @property
    def units(self) -> tuple[str, ...]:
        """Every protected OU."""
        return (self.unit, *self.further_units)

    def account(self, name: str) -> str:
        """The ID of the account that a README heading names; "member" is the first member account."""
        accounts = self.plan.accounts
        return {
            "management": accounts.management,
            "home": accounts.home,
            "central": accounts.central,
            "member": accounts.members[0],
        }[name]

    @property
    def placeholders(self) -> dict[str, str]:
        """The values of PLACEHOLDERS."""
        accounts, plan = self.plan.accounts, self.plan
        values = (
            accounts.management, accounts.home, accounts.central, self.identifier, self.root,
            plan.home_region, " ".join(plan.regions),
        )  # fmt: skip
        return dict(zip(PLACEHOLDERS, values, strict=True))

    @property
    def targets(self) -> dict[str, str]:
        """The values for aws-backup-ssm-targets.json."""
        accounts, region = self.plan.accounts, self.plan.home_region
        return {
            "TargetHomeAccount": accounts.home,
            "TargetRegions": ", ".join(self.plan.regions),
            "TargetGlobalRegion": region,
            "TargetOUs": ", ".join(self.units),
            "CentralBackupVaultArn": (
                f"arn:aws:backup:{region}:{accounts.central}:backup-vault:{CENTRAL_VAULT}"
            ),
            "OrgManagementAccount": accounts.management,
            "OrganizationId": self.identifier,
        }


def create(emulator: Emulator, plan: Plan) -> Organization:
    """Create the organization and all its accounts through the API of AWS Organizations."""
    client = emulator.session(plan.accounts.management, plan.home_region).client("organizations")
    identifier = client.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"]["Id"]
    for name, account in plan.accounts.ids_by_name().items():
        if account == plan.accounts.management:
            continue
        client.create_account(Email=f"{name}@example.com", AccountName=name)
        if account in plan.accounts.members:
            client.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    return Organization(plan, identifier, root, unit)
