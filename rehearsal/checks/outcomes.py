"""What the accounts must hold in the end, asked through public AWS APIs; statuses alone prove nothing.

Each check returns what it found, for the tree of accounts, and raises OutcomeError with all that is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.names import (
    BACKUP_POLICIES,
    CENTRAL_KEY_ALIAS,
    CENTRAL_ROLE,
    CENTRAL_VAULT,
    COMPLETE_WINDOW_MINUTES,
    MANAGEMENT_ROLE,
    MEMBER_KEY_ALIAS,
    MEMBER_ROLE,
    MEMBER_VAULT,
    POLICY_FUNCTION,
    POLICY_STACK,
    START_WINDOW_MINUTES,
    TAG_FUNCTION,
    TAG_ROLE,
    BackupPolicy,
)
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization import logs
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Holding

COPYING_ROLE: Final = "AWSServiceRoleForBackup"
COPYING_ROLE_COMMAND: Final = "aws iam create-service-linked-role --aws-service-name backup.amazonaws.com"
# Function → the part of its SSM parameters' path that names it.
PACKAGES: Final = {
    TAG_FUNCTION: "aws-backup-tagonrestore",
    POLICY_FUNCTION: "aws-backup-backuporgpolicymanager",
}

Found = list[Holding]


class Outcomes:
    """The checks of one organization, in the order in which they make sense."""

    def __init__(self, emulator: Emulator, organization: Organization) -> None:
        self._emulator = emulator
        self._organization = organization
        self._accounts = organization.plan.accounts
        self._home_region = organization.plan.home_region
        self._regions = organization.plan.regions

    def all(self) -> dict[str, Callable[[], Found]]:
        """Title → check."""
        members = self._accounts.ids_by_name()
        return {
            "management account: role and backup policies": self.policies,
            "home account: function and packages": self.home,
            "central account: vault, key and roles": self.central,
            **{
                f"{name} account: vault, key, roles and function in every region": (
                    lambda name=name: self.member(name)  # type: ignore[misc] # default
                )
                for name, account in members.items()
                if account in self._accounts.members
            },
        }

    # -- packages --------------------------------------------------------------------------------------------

    def packages(self) -> Found:
        """Every package that SSM names is in every region's bucket."""
        ssm = self._client(self._accounts.home, self._home_region, "ssm")
        prefix = _parameter(ssm, "/backup/lambda/bucket-prefix")
        faults: list[str] = []
        found: Found = []
        for function, name in PACKAGES.items():
            package = _parameter(ssm, f"/backup/lambda/{name}/deployed-package")
            if package == "none":
                faults.append(f"no package of {function} is recorded in SSM.")
                continue
            for region in self._package_regions:
                bucket = f"{prefix}-{self._accounts.home}-{region}"
                if self._exists(region, bucket, package):
                    found.append(self._holding("home", region, f"package of {function}", package))
                else:
                    faults.append(f"bucket {bucket} in {region} does not hold the package {package}.")
        return _unless(faults, found)

    def packages_are_recorded(self) -> bool:
        """Whether SSM names every package already; before the last packaging build it does not."""
        ssm = self._client(self._accounts.home, self._home_region, "ssm")
        names = [f"/backup/lambda/{name}/deployed-package" for name in PACKAGES.values()]
        held = [entry["Value"] for entry in ssm.get_parameters(Names=names)["Parameters"]]
        return len(held) == len(names) and "none" not in held

    def _exists(self, region: str, bucket: str, key: str) -> bool:
        try:
            self._client(self._accounts.home, region, "s3").head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True

    @property
    def _package_regions(self) -> list[str]:
        return list(dict.fromkeys([self._home_region, *self._regions]))

    # -- accounts --------------------------------------------------------------------------------------------

    def home(self) -> Found:
        """The policy manager runs the recorded package with its own role."""
        found = [self._role("home", POLICY_FUNCTION)]
        found.append(self._function("home", self._home_region, POLICY_FUNCTION, POLICY_FUNCTION))
        return found + self.packages()

    def central(self) -> Found:
        """AWS Backup copies into the vault with its service-linked role, which no stack makes."""
        return [
            self._role("central", CENTRAL_ROLE),
            self._role("central", COPYING_ROLE, made_by=COPYING_ROLE_COMMAND),
            *self._vault("central", self._home_region, CENTRAL_VAULT, CENTRAL_KEY_ALIAS),
        ]

    def member(self, name: str) -> Found:
        """Roles, and in every target region vault, key, function and the rule that starts it."""
        found = [self._role(name, MEMBER_ROLE), self._role(name, TAG_ROLE)]
        for region in self._regions:
            found += self._vault(name, region, MEMBER_VAULT, MEMBER_KEY_ALIAS)
            found.append(self._function(name, region, TAG_FUNCTION, TAG_ROLE))
            found.append(self._rule(name, region, TAG_FUNCTION))
        return found

    def _role(self, name: str, role: str, made_by: str = "") -> Holding:
        iam = self._client(self._id(name), self._home_region, "iam")
        with _missing(f"role {role}{f', which `{made_by}` makes,' if made_by else ''}", name):
            iam.get_role(RoleName=role)
        return self._holding(name, "", "role", role)

    def _vault(self, name: str, region: str, vault: str, alias: str) -> Found:
        """The vault is encrypted with the rotating key that the alias names and has an access policy."""
        backup, kms = (self._client(self._id(name), region, service) for service in ("backup", "kms"))
        with _missing(f"vault {vault} or its access policy", name, region):
            key = backup.describe_backup_vault(BackupVaultName=vault).get("EncryptionKeyArn", "none")
            backup.get_backup_vault_access_policy(BackupVaultName=vault)
        with _missing(f"key {alias}", name, region):
            metadata = kms.describe_key(KeyId=alias)["KeyMetadata"]
            rotates = kms.get_key_rotation_status(KeyId=metadata["KeyId"])["KeyRotationEnabled"]
        faults = []
        if key != metadata["Arn"]:
            faults.append(f"vault {vault} in {name}, {region} is encrypted with {key}, not with {alias}.")
        if not rotates:
            faults.append(f"key {alias} in {name}, {region} does not rotate.")
        return _unless(
            faults,
            [self._holding(name, region, "vault", vault), self._holding(name, region, "key", alias)],
        )

    def _function(self, name: str, region: str, function: str, role: str) -> Holding:
        """The function runs the very package that SSM names, with the role that is meant for it."""
        with _missing(f"function {function}", name, region):
            client = self._client(self._id(name), region, "lambda")
            deployed = client.get_function(FunctionName=function)["Configuration"]
        expected = self._package_hash(function, region)
        faults = []
        if not deployed["Role"].endswith(f"/{role}"):
            faults.append(f"function {function} in {name}, {region} runs as {deployed['Role']}, not {role}.")
        if deployed["CodeSha256"] != expected:
            faults.append(f"function {function} in {name}, {region} does not run the package that SSM names.")
        return _unless(
            faults, [self._holding(name, region, "function", f"{function} ({deployed['Runtime']})")]
        )[0]

    def _package_hash(self, function: str, region: str) -> str:
        """CodeSha256 of the recorded package in a region's bucket."""
        ssm = self._client(self._accounts.home, self._home_region, "ssm")
        prefix = _parameter(ssm, "/backup/lambda/bucket-prefix")
        package = _parameter(ssm, f"/backup/lambda/{PACKAGES[function]}/deployed-package")
        bucket = f"{prefix}-{self._accounts.home}-{region}"
        s3 = self._client(self._accounts.home, region, "s3")
        with _missing(f"package {package} in bucket {bucket}", "home", region):
            content = s3.get_object(Bucket=bucket, Key=package)["Body"].read()
        return base64.b64encode(hashlib.sha256(content).digest()).decode()

    def _rule(self, name: str, region: str, function: str) -> Holding:
        """A rule for restore events, enabled, whose target is the function."""
        events = self._client(self._id(name), region, "events")
        with _missing(f"rule for function {function}", name, region):
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
        raise OutcomeError(f"{name}, {region}: no enabled rule starts {function} at the end of a restore.")

    # -- policies --------------------------------------------------------------------------------------------

    def policies(self) -> Found:
        """Both policies: content, regions and targets, made by the function for its stack, and in effect."""
        organizations = self._client(self._accounts.management, self._home_region, "organizations")
        pages = organizations.get_paginator("list_policies").paginate(Filter="BACKUP_POLICY")
        identifiers = {policy["Name"]: policy["Id"] for page in pages for policy in page["Policies"]}
        found = [self._role("management", MANAGEMENT_ROLE)]
        log = logs.of_function(self._emulator, self._accounts.home, self._home_region, POLICY_FUNCTION)
        faults: list[str] = []
        for published in BACKUP_POLICIES:
            name = published.name
            if name not in identifiers:
                faults.append(f"the backup policy {name} does not exist.")
                continue
            faults += (
                f"policy {name}: {fault}"
                for fault in self._policy_faults(organizations, identifiers[name], published)
            )
            if not any("CreatePolicy" in line and name in line for line in log):
                faults.append(
                    f"policy {name}: the function {POLICY_FUNCTION} has not written that it made it."
                )
            found.append(self._holding("management", "", "backup policy", f"{name} ({identifiers[name]})"))
        faults += self._effective_faults(organizations)
        return _unless(faults, found)

    def _policy_faults(self, organizations: Any, identifier: str, published: BackupPolicy) -> Iterator[str]:
        policy = organizations.describe_policy(PolicyId=identifier)["Policy"]
        yield from content_faults(json.loads(policy["Content"]), published, self._organization)
        pages = organizations.get_paginator("list_targets_for_policy").paginate(PolicyId=identifier)
        targets = {target["TargetId"] for page in pages for target in page["Targets"]}
        if targets != set(self._organization.units):
            yield f"is attached to {_listed(targets)} instead of {', '.join(self._organization.units)}."
        tags = organizations.list_tags_for_resource(ResourceId=identifier)["Tags"]
        if not any(f":stack/{POLICY_STACK}/" in tag["Value"] for tag in tags):
            yield f"no tag says that it belongs to the stack {POLICY_STACK}."

    def _effective_faults(self, organizations: Any) -> Iterator[str]:
        for account in self._accounts.members:
            with _missing("effective backup policy", account):
                effective = organizations.describe_effective_policy(
                    PolicyType="BACKUP_POLICY", TargetId=account
                )["EffectivePolicy"]
            plans = set(json.loads(effective["PolicyContent"])["plans"])
            if missing := {published.plan for published in BACKUP_POLICIES} - plans:
                yield f"the effective policy of account {account} lacks the plan {_listed(missing)}."

    # -- helpers ---------------------------------------------------------------------------------------------

    def _client(self, account: str, region: str, service: str) -> Any:
        return self._emulator.session(account, region).client(service)

    def _id(self, name: str) -> str:
        return self._accounts.ids_by_name()[name]

    def _holding(self, name: str, region: str, kind: str, physical: str) -> Holding:
        return Holding(name, self._id(name), region, kind, physical)


def content_faults(
    content: Mapping[str, Any], published: BackupPolicy, organization: Organization
) -> Iterator[str]:
    """What a policy's content has other than the published values (contract: "Backup policies"). Pure."""
    vault = organization.targets["CentralBackupVaultArn"]
    rule = ("plans", published.plan, "rules", published.rule)
    copy = (*rule, "copy_actions", vault)
    expected: dict[tuple[str, ...], object] = {
        ("plans", published.plan, "regions"): list(organization.plan.regions),
        (*rule, "schedule_expression"): published.schedule,
        (*rule, "start_backup_window_minutes"): START_WINDOW_MINUTES,
        (*rule, "complete_backup_window_minutes"): COMPLETE_WINDOW_MINUTES,
        (*rule, "target_backup_vault_name"): MEMBER_VAULT,
        (*rule, "lifecycle", "delete_after_days"): published.days,
        (*copy, "target_backup_vault_arn"): vault,
        (*copy, "lifecycle", "delete_after_days"): published.days,
    }
    for path, value in expected.items():
        if (actual := assigned(content, path)) != value:
            yield f"{'.'.join(path)} is {actual!r} instead of {value!r}."
    selections = _at(content, ("plans", published.plan, "selections", "tags")) or {}
    key, tag = published.tag
    selected = [
        (assigned(selection, ("tag_key",)), assigned(selection, ("tag_value",)))
        for selection in selections.values()
    ]
    if selected != [(key, [tag])]:
        yield f"selects by {selected} instead of the tag {key}={tag}."


def assigned(content: Mapping[str, Any], path: Sequence[str]) -> object:
    """The value that a policy assigns at a path (below its operator); None when there is none."""
    return _at(content, (*path, "@@assign"))


def _at(content: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return None
        content = content[key]
    return content


def _parameter(ssm: Any, name: str) -> str:
    with _missing(f"SSM parameter {name}", "home"):
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])


class _missing:  # noqa: N801 - reads as a statement
    """`with _missing("role x", "home"):` turns AWS's refusal into an OutcomeError."""

    def __init__(self, what: str, *where: str) -> None:
        self._message = f"{', '.join(where)}: {what} does not exist"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            raise OutcomeError(f"{self._message} ({error}).") from None


def _unless(faults: Sequence[str], found: Found) -> Found:
    if faults:
        raise OutcomeError(faults[0], *faults[1:])
    return found


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
