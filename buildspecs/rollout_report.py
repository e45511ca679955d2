"""Report of the accounts in which a StackSet is not what the pipeline has just rolled out.

A failure in one account does not stop the others, so the StackSets' own stacks are green. `python -m
buildspecs.rollout_report` is the pipeline's last action: it names every account and Region that is not up to
date, with CloudFormation's reason, and exits with 1. The execution then fails, which notifies the topic's
subscribers; everything else is deployed.

CloudFormation skips suspended accounts (a closed account is one). They are named but are not a failure:
nothing can be done in them. Only the detailed status shows the suspension: AWS does not document the status
itself. A StackSet without an operation since the suspension does not show it yet. An account in which a
service control policy denies everything is not suspended for CloudFormation: it fails.

Accounts with an operation under way (those that have just joined) are named and are not a failure either.
Statuses: StackInstanceSummary and StackInstanceComprehensiveStatus, CloudFormation API Reference.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import boto3

from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import RolloutError, exit_code

# This solution's StackSets: the beginning of their names, by the CallAs that lists them.
PREFIXES: Mapping[str, str] = {
    "SELF": "account-aws-backup-",
    "DELEGATED_ADMIN": "organizations-aws-backup-",
}
SUSPENDED = "SKIPPED_SUSPENDED_ACCOUNT"
UNDER_WAY = frozenset({"PENDING", "RUNNING"})


class CloudFormation(Protocol):
    """The calls that this module makes with a CloudFormation client."""

    def list_stack_sets(self, **request: str) -> Mapping[str, Any]: ...
    def list_stack_instances(self, **request: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, order=True)
class Instance:
    """A stack instance that is not up to date, or may not be because its account is suspended."""

    stack_set: str
    account: str
    region: str
    detail: str  # the detailed status, such as FAILED
    reason: str

    @property
    def is_suspended(self) -> bool:
        return self.detail == SUSPENDED

    @property
    def is_failure(self) -> bool:
        return not self.is_suspended and self.detail not in UNDER_WAY

    @property
    def verdict(self) -> str:
        """The detailed status in a word or two."""
        return "suspended" if self.is_suspended else "FAILED" if self.is_failure else "not yet"

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"account {self.account}, {self.region}: {self.stack_set}: {self.detail}{reason}"


def instances(cloudformation: CloudFormation) -> list[Instance]:
    """Every stack instance of this solution that is not current or whose account is suspended.

    Raises RolloutError if there is no StackSet.
    """
    found: list[Instance] = []
    stack_sets = 0
    for call_as, prefix in PREFIXES.items():
        for stack_set in _pages(cloudformation.list_stack_sets, Status="ACTIVE", CallAs=call_as):
            name = str(stack_set["StackSetName"])
            if name.startswith(prefix):
                stack_sets += 1
                summaries = _pages(cloudformation.list_stack_instances, StackSetName=name, CallAs=call_as)
                found += (
                    instance
                    for each in summaries
                    if (instance := _instance(name, each)).is_suspended or each.get("Status") != "CURRENT"
                )
    if not stack_sets:
        raise RolloutError(f"no StackSet exists whose name begins with {' or '.join(PREFIXES.values())}")
    print(f"{stack_sets} StackSets checked")
    return sorted(found)


def _instance(stack_set: str, summary: Mapping[str, Any]) -> Instance:
    return Instance(
        stack_set=stack_set,
        account=str(summary["Account"]),
        region=str(summary["Region"]),
        detail=str(summary.get("StackInstanceStatus", {}).get("DetailedStatus") or summary.get("Status")),
        reason=str(summary.get("StatusReason", "")),
    )


def _pages(call: Any, **request: str) -> Iterator[Mapping[str, Any]]:
    """The summaries of every page."""
    token: dict[str, str] = {}
    while True:
        response = call(**request, **token)
        yield from response["Summaries"]
        if not response.get("NextToken"):
            return
        token = {"NextToken": response["NextToken"]}


def report(cloudformation: CloudFormation) -> int:
    """Print every instance that is not up to date; 1 if one has failed."""
    found = instances(cloudformation)
    failures = [each for each in found if each.is_failure]
    suspended = [each for each in found if each.is_suspended]
    for each in found:
        print(f"{each.verdict}  {each}")
    if suspended:
        print(
            f"account {_accounts(suspended)} is suspended: CloudFormation leaves it out, so it is not a"
            " failure. docs/operations.md says what to do (An account is suspended)"
        )
    if failures:
        print(
            f"error: {len(failures)} stack instances in account {_accounts(failures)} are not up to date; all"
            " else is deployed. docs/operations.md says what to do (An account failed in a StackSet)",
            file=sys.stderr,
        )
    return 1 if failures else 0


def _accounts(found: Sequence[Instance]) -> str:
    return ", ".join(sorted({each.account for each in found}))


def main(arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None) -> int:
    """Report; see the module's text."""
    argparse.ArgumentParser(
        prog="buildspecs.rollout_report", description=(__doc__ or "").partition("\n")[0]
    ).parse_args(arguments)
    aws = session or boto3.session.Session()
    return exit_code(
        lambda: report(aws.client("cloudformation", region_name=home_region(aws), config=RETRIES))
    )


if __name__ == "__main__":
    sys.exit(main())
