"""Stacks through CloudFormation's API: create, update, wait, and say why one failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from rehearsal.errors import StackError
from rehearsal.machine import waiting

_WAIT_SECONDS: Final = 180.0
_COMPLETE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


@dataclass(frozen=True)
class Failure:
    """The first resource that failed in a stack's last operation."""

    resource: str  # logical ID
    kind: str  # resource type
    status: str
    reason: str

    def __str__(self) -> str:
        return f"{self.resource} ({self.kind}) {self.status}: {self.reason}"


@dataclass(frozen=True)
class Deployment:
    """A stack to create or update."""

    name: str
    template: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ()
    role_arn: str | None = None


def first_failure(events: Iterable[Mapping[str, Any]]) -> Failure | None:
    """The earliest failure of the last operation. `events` are newest first, as AWS returns them.

    A resource that was cancelled because another one failed is not the cause.
    """
    failures: list[Failure] = []
    for event in events:
        status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
        own = event.get("PhysicalResourceId") == event.get("StackId")
        if status.endswith("_FAILED") and not own and "cancelled" not in reason.lower():
            failures.append(Failure(event["LogicalResourceId"], event["ResourceType"], status, reason))
        # The stack's own start event is the operation's first; a rollback belongs to the operation before it.
        if own and status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            break
    return failures[-1] if failures else None


def status(cloudformation: Any, name: str) -> str | None:
    """The stack's status; None if no stack has that name."""
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    found = str(stacks[0]["StackStatus"])
    return None if found == "DELETE_COMPLETE" else found


def wait(cloudformation: Any, name: str, where: str) -> str:
    """Wait until the stack's operation ends. `where` names the account and Region for messages.

    Returns the last status ("DELETE_COMPLETE" for a stack that no longer exists). Raises StackError with the
    reason of the first failed resource if the operation failed.
    """

    def last_status() -> str | None:
        found = status(cloudformation, name) or "DELETE_COMPLETE"
        return None if found.endswith("_IN_PROGRESS") else found

    found = waiting.until(last_status, _WAIT_SECONDS)
    if found is None:
        raise StackError(f"stack {name} in {where} is still in progress after {_WAIT_SECONDS:.0f} seconds.")
    if found not in (*_COMPLETE, "DELETE_COMPLETE"):
        raise StackError(f"stack {name} in {where} ended in {found}.", *reasons(cloudformation, name))
    return found


def reasons(cloudformation: Any, name: str) -> list[str]:
    """Why a stack failed: its first failed resource, or otherwise the stack's own reason."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    failure = first_failure(event for page in pages for event in page["StackEvents"])
    if failure:
        return [f"first failed resource: {failure}"]
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return [f"reason: {stack.get('StackStatusReason', 'none given')}"]


def deploy(cloudformation: Any, deployment: Deployment, where: str) -> str:
    """Create or update a stack, as CodePipeline's action mode CREATE_UPDATE does.

    Returns "created", "updated" or "unchanged". Raises StackError.
    """
    name = deployment.name
    if status(cloudformation, name) is None:
        cloudformation.create_stack(**_request(deployment))
        wait(cloudformation, name, where)
        return "created"
    try:
        cloudformation.update_stack(**_request(deployment))
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return "unchanged"
        raise
    wait(cloudformation, name, where)
    return "updated"


def parameters(cloudformation: Any, name: str) -> dict[str, str]:
    """The parameters of a stack as they were passed: for an SSM-typed one the path, not the value."""
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack.get("Parameters", [])}


def change(cloudformation: Any, name: str, changed: Mapping[str, str], where: str) -> None:
    """Update some parameters of a stack and nothing else. Raises StackError."""
    known = parameters(cloudformation, name)
    if missing := changed.keys() - known.keys():
        has = f"its parameters: {', '.join(known) or 'none'}"
        raise StackError(f"stack {name} in {where} has no parameter {', '.join(sorted(missing))}; {has}.")
    cloudformation.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": changed[key]}
            if key in changed
            else {"ParameterKey": key, "UsePreviousValue": True}
            for key in known
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    wait(cloudformation, name, where)


def _request(deployment: Deployment) -> dict[str, Any]:
    return {
        "StackName": deployment.name,
        "TemplateBody": deployment.template,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in deployment.parameters.items()
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in deployment.tags.items()],
        "Capabilities": list(deployment.capabilities),
        **({"RoleARN": deployment.role_arn} if deployment.role_arn else {}),
    }
