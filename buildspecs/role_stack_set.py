"""The ARN of a role's StackSet, for the StackSet that has to wait for it in accounts that join.

`python -m buildspecs.role_stack_set NAME` writes `.build/pipeline-variables.sh`, which exports the ARN as
ROLE_STACK_SET_ARN. AutoDeployment.DependsOn takes ARNs of StackSets, and AWS does not document which account
the ARN names if a delegated administrator owns the StackSet. So the ARN is the one that AWS returns to the
delegated administrator (DescribeStackSet, CallAs DELEGATED_ADMIN) in the same execution, unchanged.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import ClientError

from buildspecs import names, pipeline_variables
from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import BuildError, OutdatedError, StackSetError, exit_code
from buildspecs.hand_made import BUILDS, DENIED, advice
from buildspecs.paths import ROOT

VARIABLE = "ROLE_STACK_SET_ARN"
# Each role's StackSet with the template of the build that looks it up.
ROLE_STACK_SETS: Mapping[str, str] = {
    names.MEMBER_ROLE_SET: names.VALIDATE,
    names.TAG_ROLE_SET: names.PACKAGE_TAGONRESTORE,
}


class CloudFormation(Protocol):
    """The calls that this module makes with a CloudFormation client."""

    def describe_stack_set(self, **request: str) -> Mapping[str, Any]: ...


def arn(cloudformation: CloudFormation, name: str, region: str) -> str:
    """The ARN as AWS returns it. Raises StackSetError, or OutdatedError if the call is denied."""
    try:
        response = cloudformation.describe_stack_set(StackSetName=name, CallAs="DELEGATED_ADMIN")
    except ClientError as error:
        raise _explained(error, name, region) from error
    return str(response["StackSet"]["StackSetARN"])


def _explained(error: ClientError, name: str, region: str) -> BuildError:
    code = error.response["Error"]["Code"]
    if code in DENIED:
        stack = next(stack for stack in BUILDS if stack.template == ROLE_STACK_SETS[name])
        return OutdatedError(
            f"this build is not allowed to describe StackSet {name} ({error}): {advice(stack, region)}"
        )
    if code == "StackSetNotFoundException":
        return StackSetError(f"StackSet {name} does not exist: deploy stack {names.wrapper(name)} first")
    if "delegated admin" in str(error):  # also if the role is not allowed to list delegated administrators
        return StackSetError(
            f"StackSet {name}: {error}. The home account must be a delegated administrator of StackSets"
            " (README, Organization settings), and the build's role needs"
            " organizations:ListDelegatedAdministrators"
        )
    return StackSetError(f"StackSet {name}: {error}")


def main(
    arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None, root: Path = ROOT
) -> int:
    """Look up one ARN and export it; see the module's text for the command line."""
    parser = argparse.ArgumentParser(
        prog="buildspecs.role_stack_set", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("name", choices=sorted(ROLE_STACK_SETS))
    options = parser.parse_args(arguments)

    def command() -> int:
        pipeline_variables.discard(root)
        aws = session or boto3.session.Session()
        region = home_region(aws)
        cloudformation = aws.client("cloudformation", region_name=region, config=RETRIES)
        pipeline_variables.export({VARIABLE: arn(cloudformation, options.name, region)}, root)
        return 0

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
