"""What an organization holds at one moment, as plain facts, and what has changed between two moments.

Everything is read through public AWS APIs. The value of a fact changes exactly when something was done to the
thing: the time of a stack's last update, a StackSet's operations, the version of an object or a parameter,
the hash of a function's code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.names import PACKAGE_BUCKET_PARAMETER
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.place import Place

# StackSets gives a stack a name that ends in a UUID.
_STACK_SET_STACK: Final = "StackSet-"
_SUFFIX_LENGTH: Final = 37
_KEY_ALIASES: Final = "alias/AWSBackup"
_MISSING: Final = ("NoSuchBucket", "404")


@dataclass(frozen=True, order=True)
class Thing:
    """Something in an account: kind, account ID, Region ("" if it is global) and name."""

    kind: str
    account: str
    region: str
    name: str

    def __str__(self) -> str:
        where = f"{self.account}, {self.region}" if self.region else self.account
        return f"{self.kind} {self.name} ({where})"


@dataclass(frozen=True, order=True)
class Change:
    """What has happened to a thing: "created", "changed" or "deleted"."""

    how: str
    thing: Thing

    def __str__(self) -> str:
        return f"{self.how}: {self.thing}"


Facts = Mapping[Thing, str]


@dataclass(frozen=True)
class Scope:
    """Where to look: every account and Region that was ever in use."""

    management: str
    home: str
    home_region: str
    central: str
    members: tuple[str, ...]
    regions: tuple[str, ...]


def difference(before: Facts, after: Facts) -> set[Change]:
    """What was created, changed or deleted between two snapshots. Pure."""
    created = {Change("created", thing) for thing in after.keys() - before.keys()}
    deleted = {Change("deleted", thing) for thing in before.keys() - after.keys()}
    both = before.keys() & after.keys()
    changed = {Change("changed", thing) for thing in both if before[thing] != after[thing]}
    return created | deleted | changed


def expect(actual: set[Change], wanted: set[Change]) -> None:
    """Raises OutcomeError with every change that is not wanted, and every wanted one that is missing."""
    faults = [f"not expected: {change}" for change in sorted(actual - wanted)]
    faults += [f"missing: {change}" for change in sorted(wanted - actual)]
    if faults:
        raise OutcomeError(f"{len(faults)} changes are not as expected.", *faults)


def changes(how: str, kind: str, places: Iterable[Place], *names: str) -> set[Change]:
    """The same change of each name in each place."""
    return {Change(how, Thing(kind, place.account, place.region, name)) for place in places for name in names}


def take(emulator: Emulator, scope: Scope) -> Facts:
    """Everything in the scope."""
    return dict(_facts(emulator, scope))


def _facts(emulator: Emulator, scope: Scope) -> Iterator[tuple[Thing, str]]:
    for account in (scope.home, scope.central, *scope.members):
        for region in scope.regions:
            clients = emulator.session(account, region)
            for kind, found in (
                ("stack", _stacks(clients.client("cloudformation"))),
                ("vault", _vaults(clients.client("backup"))),
                ("key", _keys(clients.client("kms"))),
                ("function", _functions(clients.client("lambda"))),
            ):
                for name, value in found:
                    yield Thing(kind, account, region, name), value
    home = emulator.session(scope.home, scope.home_region)
    parameters = dict(_parameters(home.client("ssm")))
    at_home = (
        ("parameter", iter(parameters.items())),
        ("StackSet operation", _operations(home.client("cloudformation"))),
        ("pipeline", _pipelines(home.client("codepipeline"))),
    )
    for kind, found in at_home:
        for name, value in found:
            yield Thing(kind, scope.home, scope.home_region, name), value
    prefix = parameters[PACKAGE_BUCKET_PARAMETER].rpartition(" ")[2]
    for region in scope.regions:
        s3 = emulator.session(scope.home, region).client("s3")
        for name, value in _packages(s3, f"{prefix}-{scope.home}-{region}"):
            yield Thing("package", scope.home, region, name), value
    bucket = parameters["/backup/bucket"].rpartition(" ")[2]
    for name, value in _templates(home.client("s3"), bucket):
        yield Thing("StackSet template", scope.home, scope.home_region, name), value
    organizations = emulator.session(scope.management, scope.home_region).client("organizations")
    for name, value in _policies(organizations):
        yield Thing("backup policy", scope.management, "", name), value


Found = Iterator[tuple[str, str]]


def _stacks(cloudformation: Any) -> Found:
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            moment = stack.get("LastUpdatedTime", stack["CreationTime"])
            yield short_name(stack["StackName"]), f"{stack['StackId']} {moment} {stack['StackStatus']}"


def stack_of(stack_set: str) -> str:
    """A StackSet's stack in its target accounts, without the suffix of its name. Pure."""
    return f"{_STACK_SET_STACK}{stack_set}"


def short_name(stack: str) -> str:
    """A stack's name without the suffix that StackSets gives it. Pure."""
    return stack[:-_SUFFIX_LENGTH] if stack.startswith(_STACK_SET_STACK) else stack


def _vaults(backup: Any) -> Found:
    for page in backup.get_paginator("list_backup_vaults").paginate():
        for vault in page["BackupVaultList"]:
            yield vault["BackupVaultName"], str(vault.get("EncryptionKeyArn"))


def _keys(kms: Any) -> Found:
    for page in kms.get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias["AliasName"].startswith(_KEY_ALIASES):
                yield alias["AliasName"], str(alias.get("TargetKeyId"))


def _functions(functions: Any) -> Found:
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            yield function["FunctionName"], function["CodeSha256"]


def _parameters(ssm: Any) -> Found:
    """The value is `version value`."""
    for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/backup", Recursive=True):
        for parameter in page["Parameters"]:
            yield parameter["Name"], f"{parameter['Version']} {parameter['Value']}"


def _operations(cloudformation: Any) -> Found:
    """Every operation of every StackSet."""
    for call_as in ("SELF", "DELEGATED_ADMIN"):
        for page in cloudformation.get_paginator("list_stack_sets").paginate(Status="ACTIVE", CallAs=call_as):
            for stack_set in page["Summaries"]:
                name = stack_set["StackSetName"]
                pages = cloudformation.get_paginator("list_stack_set_operations").paginate(
                    StackSetName=name, CallAs=call_as
                )
                yield name, " ".join(each["OperationId"] for found in pages for each in found["Summaries"])


def _pipelines(codepipeline: Any) -> Found:
    for pipeline in codepipeline.list_pipelines()["pipelines"]:
        yield pipeline["name"], str(pipeline["version"])


def _packages(s3: Any, bucket: str) -> Found:
    """Every object with all of its versions; nothing if there is no bucket."""
    versions: dict[str, str] = {}
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in page.get("Versions", []):
                versions[each["Key"]] = f"{versions.get(each['Key'], '')} {each['VersionId']}"
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
    yield from versions.items()


def _templates(s3: Any, bucket: str) -> Found:
    """By content: CodePipeline's S3 action writes every file again in each execution."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="deployment/"):
        for each in page.get("Contents", []):
            yield each["Key"], each["ETag"]


def _policies(organizations: Any) -> Found:
    for page in organizations.get_paginator("list_policies").paginate(Filter="BACKUP_POLICY"):
        for policy in page["Policies"]:
            content = organizations.describe_policy(PolicyId=policy["Id"])["Policy"]["Content"]
            targets = [
                target["TargetId"]
                for found in organizations.get_paginator("list_targets_for_policy").paginate(
                    PolicyId=policy["Id"]
                )
                for target in found["Targets"]
            ]
            yield policy["Name"], json.dumps([policy["Id"], json.loads(content), sorted(targets)])
