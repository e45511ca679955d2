"""The ARN of a role's StackSet, for the StackSet that has to wait for it in accounts that join.

`python -m buildspecs.stack_sets NAME` writes `.build/pipeline-variables.sh`, which exports it as
ROLE_STACK_SET_ARN. AutoDeployment.DependsOn takes ARNs of StackSets, and AWS documents for no StackSet of a
delegated administrator which account its ARN names. So the ARN is the one that AWS gives the delegated
administrator (DescribeStackSet, CallAs DELEGATED_ADMIN), in the execution itself and handed on as it is.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import ClientError

from buildspecs import names
from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import BuildError, OutdatedError, StackSetError, exit_code
from buildspecs.paths import ROOT
from buildspecs.projects import DENIED, PACKAGE_TAG_ON_RESTORE, VALIDATE_TEMPLATES, HandMade
from buildspecs.variables import forget, hand_over

VARIABLE = "ROLE_STACK_SET_ARN"
# Each StackSet with the stack that holds the build which asks for it.
ROLE_STACK_SETS: Mapping[str, HandMade] = {
    names.MEMBER_ROLE_SET: VALIDATE_TEMPLATES,
    names.TAG_ROLE_SET: PACKAGE_TAG_ON_RESTORE,
}


class CloudFormation(Protocol):
    """The calls of a CloudFormation client that are made here."""

    def describe_stack_set(self, **request: str) -> Mapping[str, Any]: ...


def arn(cloudformation: CloudFormation, name: str, region: str) -> str:
    """The ARN as AWS returns it. Raises StackSetError, or OutdatedError where the build may not ask."""
    try:
        answer = cloudformation.describe_stack_set(StackSetName=name, CallAs="DELEGATED_ADMIN")
    except ClientError as error:
        raise _explained(error, name, region) from error
    return str(answer["StackSet"]["StackSetARN"])


def _explained(error: ClientError, name: str, region: str) -> BuildError:
    code = error.response["Error"]["Code"]
    if code in DENIED:
        return OutdatedError(
            f"this build may not describe StackSet {name} ({error}): {ROLE_STACK_SETS[name].advice(region)}"
        )
    if code == "StackSetNotFoundException":
        wrapper = name.replace("organizations-", "stackset-", 1)
        return StackSetError(f"StackSet {name} does not exist: deploy stack {wrapper} first")
    if "delegated admin" in str(error):  # AWS's answer, too, where the role may not list them
        return StackSetError(
            f"StackSet {name}: {error}. The home account must be a delegated administrator of StackSets"
            " (README, Organization settings), and the build's role needs"
            " organizations:ListDelegatedAdministrators"
        )
    return StackSetError(f"StackSet {name}: {error}")


def main(
    arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None, root: Path = ROOT
) -> int:
    """Ask for one ARN and hand it on; see the module's text for the command line."""
    parser = argparse.ArgumentParser(
        prog="buildspecs.stack_sets", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("name", choices=sorted(ROLE_STACK_SETS))
    options = parser.parse_args(arguments)

    def command() -> int:
        forget(root)
        aws = session or boto3.session.Session()
        region = home_region(aws)
        cloudformation = aws.client("cloudformation", region_name=region, config=RETRIES)
        hand_over({VARIABLE: arn(cloudformation, options.name, region)}, root)
        return 0

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
