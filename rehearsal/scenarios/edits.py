"""Edits that several scenarios commit, exactly what each of them changes, and how to prove it."""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import Final

from buildspecs import names
from rehearsal.errors import OutcomeError, UnsupportedError
from rehearsal.place import Place
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.snapshot import Change, Facts, changes, stack_of

MEMBER_TEMPLATE: Final = f"{names.MEMBER}/aws-backup-member-account.yaml"
PACKAGE_PARAMETERS: Final = tuple(
    path(names.PACKAGES[names.TAG_FUNCTION]) for path in (names.package_path, names.hash_path)
)
_KEY_DESCRIPTION: Final = "Encrypts the recovery points"
_FUNCTION_SOURCE: Final = "lambdas/tag_on_restore/__init__.py"
_numbers = itertools.count(1)


def marker() -> str:
    """A text that no edit has used yet."""
    return f"Edit {next(_numbers)}."


# -- the member vaults' template -----------------------------------------------------------------------------


def edit_member_template(deployed: DeployedOrganization) -> str:
    """Change a property of the member vaults' keys; returns what their descriptions begin with then."""
    text = deployed.files.read(MEMBER_TEMPLATE)
    lines = [line for line in text.splitlines() if _KEY_DESCRIPTION in line]
    if len(lines) != 1:
        raise UnsupportedError(
            f"{MEMBER_TEMPLATE} has {len(lines)} lines with {_KEY_DESCRIPTION!r}, not one."
        )
    mark = marker()
    deployed.files.edit(
        MEMBER_TEMPLATE, lines[0], f"      Description: {mark} {_KEY_DESCRIPTION} in the vault."
    )
    return mark


def key_fault(deployed: DeployedOrganization, mark: str) -> str | None:
    """What is wrong unless the description of every member vault's key begins with the mark."""
    for place in deployed.member_places:
        kms = deployed.client("kms", place)
        description = kms.describe_key(KeyId=names.MEMBER_KEY_ALIAS)["KeyMetadata"]["Description"]
        if not description.startswith(mark):
            return f"the key in {place} still has the description {description!r}."
    return None


def member_update(deployed: DeployedOrganization) -> set[Change]:
    """The member vaults' stacks, and what the home account does to update them."""
    return (
        changes("changed", "stack", deployed.member_places, stack_of(names.MEMBER_SET))
        | changes("changed", "stack", deployed.home_places, names.wrapper(names.MEMBER_SET))
        | changes("changed", "StackSet operation", deployed.home_places, names.MEMBER_SET)
    )


def new_template(deployed: DeployedOrganization, before: Facts) -> set[Change]:
    """The one StackSet template that has been put into the deployment bucket since then."""
    kind = "StackSet template"
    found = {thing for thing in deployed.snapshot().keys() - before.keys() if thing.kind == kind}
    if len(found) != 1:
        raise OutcomeError(f"{len(found)} new StackSet templates instead of one", *map(str, sorted(found)))
    return {Change("created", thing) for thing in found}


# -- the function TagOnRestore -------------------------------------------------------------------------------


def edit_function(deployed: DeployedOrganization) -> None:
    """Change the code of TagOnRestore, not what it does."""
    source = deployed.files.read(_FUNCTION_SOURCE)
    deployed.files.write(_FUNCTION_SOURCE, f"{source}# {marker()}\n")


def recorded_package(deployed: DeployedOrganization) -> str:
    """The package of TagOnRestore that SSM names."""
    parameter = deployed.client("ssm").get_parameter(Name=PACKAGE_PARAMETERS[0])
    return str(parameter["Parameter"]["Value"])


def function_fault(deployed: DeployedOrganization, package: str) -> str | None:
    """What is wrong unless every function TagOnRestore runs this package."""
    for place in deployed.member_places:
        s3 = deployed.client("s3", Place(deployed.home.account, place.region))
        stored = s3.get_object(Bucket=deployed.package_bucket(place.region), Key=package)["Body"]
        wanted = base64.b64encode(hashlib.sha256(stored.read()).digest()).decode()
        function = deployed.client("lambda", place).get_function_configuration(
            FunctionName=names.TAG_FUNCTION
        )
        if function["CodeSha256"] != wanted:
            return f"the function in {place} does not run {package}."
    return None


def function_update(deployed: DeployedOrganization, package: str) -> set[Change]:
    """A new package of TagOnRestore in every Region, and everything that follows from it."""
    return (
        changes("created", "package", deployed.package_places, package)
        | changes("changed", "parameter", deployed.home_places, *PACKAGE_PARAMETERS)
        | changes("changed", "function", deployed.member_places, names.TAG_FUNCTION)
        | changes("changed", "stack", deployed.member_places, stack_of(names.TAG_SET))
        | changes("changed", "stack", deployed.home_places, names.wrapper(names.TAG_SET))
        | changes("changed", "StackSet operation", deployed.home_places, names.TAG_SET)
    )
