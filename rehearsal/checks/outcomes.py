"""What each account should contain after a deployment, read through public AWS APIs: a status proves nothing.

Each check returns what it found, for the tree of accounts, and raises OutcomeError with all that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from buildspecs.names import (
    CENTRAL_KEY_ALIAS,
    CENTRAL_ROLE,
    CENTRAL_VAULT,
    MANAGEMENT_ROLE,
    MEMBER_KEY_ALIAS,
    MEMBER_ROLE,
    MEMBER_VAULT,
    POLICY_FUNCTION,
    TAG_FUNCTION,
    TAG_ROLE,
)
from rehearsal.checks import backup_policies
from rehearsal.checks.findings import Found, existing, found_unless
from rehearsal.checks.packages import Packages
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Holding

SERVICE_LINKED_ROLE: Final = "AWSServiceRoleForBackup"
SERVICE_LINKED_ROLE_COMMAND: Final = (
    "aws iam create-service-linked-role --aws-service-name backup.amazonaws.com"
)


class Outcomes:
    """The checks of an organization."""

    def __init__(self, emulator: Emulator, organization: Organization) -> None:
        self._emulator = emulator
        self._organization = organization
        self._accounts = organization.plan.accounts
        self._home_region = organization.plan.home_region
        self._regions = organization.plan.regions
        self.packages = Packages(emulator, organization)

    def all(self) -> dict[str, Callable[[], Found]]:
        """Title → check."""
        members = self._accounts.ids_by_name()
        return {
            "management account: role and backup policies": self.management,
            "home account: function and packages": self.home,
            "central account: vault, key and roles": self.central,
            **{
                f"{name} account: vault, key, roles and function in every Region": (
                    lambda name=name: self.member(name)  # type: ignore[misc] # default
                )
                for name, account in members.items()
                if account in self._accounts.members
            },
        }

    def management(self) -> Found:
        """The role for the policy manager, and both backup policies."""
        role = self._role("management", MANAGEMENT_ROLE)
        return [role, *backup_policies.check(self._emulator, self._organization)]

    def home(self) -> Found:
        """The policy manager runs the recorded package with its own role."""
        return [
            self._role("home", POLICY_FUNCTION),
            self._function("home", self._home_region, POLICY_FUNCTION, POLICY_FUNCTION),
            *self.packages.check(),
        ]

    def central(self) -> Found:
        """AWS Backup copies to the vault with its service-linked role, which no stack creates."""
        return [
            self._role("central", CENTRAL_ROLE),
            self._role("central", SERVICE_LINKED_ROLE, created_by=SERVICE_LINKED_ROLE_COMMAND),
            *self._vault("central", self._home_region, CENTRAL_VAULT, CENTRAL_KEY_ALIAS),
        ]

    def member(self, name: str) -> Found:
        """Roles, and in every target Region vault, key, function and the rule that starts it."""
        found = [self._role(name, MEMBER_ROLE), self._role(name, TAG_ROLE)]
        for region in self._regions:
            found += self._vault(name, region, MEMBER_VAULT, MEMBER_KEY_ALIAS)
            found.append(self._function(name, region, TAG_FUNCTION, TAG_ROLE))
            found.append(self._rule(name, region, TAG_FUNCTION))
        return found

    def _role(self, name: str, role: str, created_by: str = "") -> Holding:
        iam = self._client(name, self._home_region, "iam")
        with existing(f"role {role}{f', which `{created_by}` creates,' if created_by else ''}", name):
            iam.get_role(RoleName=role)
        return self._holding(name, "", "role", role)

    def _vault(self, name: str, region: str, vault: str, alias: str) -> Found:
        """The vault is encrypted with the rotating key that the alias names, and has an access policy."""
        backup, kms = (self._client(name, region, service) for service in ("backup", "kms"))
        with existing(f"vault {vault} or its access policy", name, region):
            key = backup.describe_backup_vault(BackupVaultName=vault).get("EncryptionKeyArn", "none")
            backup.get_backup_vault_access_policy(BackupVaultName=vault)
        with existing(f"key {alias}", name, region):
            metadata = kms.describe_key(KeyId=alias)["KeyMetadata"]
            rotates = kms.get_key_rotation_status(KeyId=metadata["KeyId"])["KeyRotationEnabled"]
        faults = []
        if key != metadata["Arn"]:
            faults.append(f"vault {vault} in {name}, {region} is encrypted with {key}, not with {alias}.")
        if not rotates:
            faults.append(f"key {alias} in {name}, {region} does not rotate.")
        return found_unless(
            faults,
            [self._holding(name, region, "vault", vault), self._holding(name, region, "key", alias)],
        )

    def _function(self, name: str, region: str, function: str, role: str) -> Holding:
        """The function runs the package that SSM names, with its own role."""
        with existing(f"function {function}", name, region):
            client = self._client(name, region, "lambda")
            deployed = client.get_function_configuration(FunctionName=function)
        faults = []
        if not deployed["Role"].endswith(f"/{role}"):
            faults.append(f"function {function} in {name}, {region} runs as {deployed['Role']}, not {role}.")
        if deployed["CodeSha256"] != self.packages.code_hash(function, region):
            faults.append(f"function {function} in {name}, {region} does not run the package that SSM names.")
        found = self._holding(name, region, "function", f"{function} ({deployed['Runtime']})")
        return found_unless(faults, [found])[0]

    def _rule(self, name: str, region: str, function: str) -> Holding:
        """A rule for restore events, enabled, whose target is the function."""
        events = self._client(name, region, "events")
        with existing(f"rule for function {function}", name, region):
            rules = [
                rule
                for page in events.get_paginator("list_rules").paginate()
                for rule in page["Rules"]
                if "Restore Job State Change" in rule.get("EventPattern", "") and rule["State"] == "ENABLED"
            ]
        for rule in rules:
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            if any(target["Arn"].endswith(f":function:{function}") for target in targets):
                return self._holding(name, region, "rule", rule["Name"])
        raise OutcomeError(f"{name}, {region}: no enabled rule starts {function} when a restore has ended.")

    def _client(self, name: str, region: str, service: str) -> Any:
        return self._emulator.session(self._accounts.ids_by_name()[name], region).client(service)

    def _holding(self, name: str, region: str, kind: str, physical: str) -> Holding:
        return Holding(name, self._accounts.ids_by_name()[name], region, kind, physical)
