"""The stacks of a StackSet: create, update or delete one in its account and wait until that has ended.

Only for worker threads. A failure names the resource that failed first and the reason, worded as a stack
instance's status reason.
"""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.stacksets.model import Content, StackFailedError, first_failure
from rehearsal.machine import waiting
from rehearsal.place import Place

_POLL_SECONDS = 0.004  # a look at this server's own records, not a request
_NO_UPDATES = "No updates are to be performed"
_LAST_STATES = (
    "CREATE_COMPLETE",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_COMPLETE",
    "DELETE_FAILED",
)


def create(place: Place, name: str, content: Content) -> str:
    """Create a stack and return its ID; raises StackFailedError."""
    return _operate(
        place, name, "CREATE_COMPLETE", lambda stacks: stacks.create_stack(**_arguments(name, content))
    )


def update(place: Place, name: str, content: Content) -> None:
    """Update a stack; nothing to update is success. Raises StackFailedError."""
    try:
        _operate(
            place, name, "UPDATE_COMPLETE", lambda stacks: stacks.update_stack(**_arguments(name, content))
        )
    except StackFailedError as failure:
        if _NO_UPDATES not in str(failure):
            raise


def delete(place: Place, name: str) -> None:
    """Delete a stack; one that does not exist is success. Raises StackFailedError."""
    if _record(place, name) is not None:
        _operate(place, name, "DELETE_COMPLETE", lambda client: client.delete_stack(StackName=name))


def exists(place: Place, name: str) -> bool:
    """Whether a stack exists that can be updated, which one whose creation failed cannot."""
    record = _record(place, name)
    return record is not None and record["StackStatus"] != "ROLLBACK_COMPLETE"


def _record(place: Place, name: str) -> dict[str, Any] | None:
    record: dict[str, Any] | None = hooks.cloudformation._stacks.get_scoped(place.account, place.region, name)
    return None if record is None or record["StackStatus"] == "DELETE_COMPLETE" else record


def _events(place: Place, stack_id: str) -> list[dict[str, Any]]:
    return list(hooks.cloudformation._stack_events.get_scoped(place.account, place.region, stack_id) or [])


def _arguments(name: str, content: Content) -> dict[str, Any]:
    return {
        "StackName": name,
        "TemplateBody": content.body,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in content.parameters.items()
        ],
        "Capabilities": list(content.capabilities),
        "Tags": [{"Key": key, "Value": value} for key, value in content.tags.items()],
    }


def _operate(place: Place, name: str, wanted: str, start: Callable[[Any], dict[str, Any]]) -> str:
    """Start an operation and wait until a stack event shows how it ended; returns the stack's ID."""
    before = _record(place, name)
    seen = len(_events(place, before["StackId"])) if before else 0
    try:
        response = start(base.client("cloudformation", place))
    except ClientError as refused:
        raise StackFailedError(str(refused.response["Error"]["Message"])) from None
    stack_id = before["StackId"] if before else str(response["StackId"])

    def events() -> list[dict[str, Any]]:
        return _events(place, stack_id)[seen:]

    ends = waiting.until(lambda: [each for each in events() if _ends(each, stack_id)], pause=_POLL_SECONDS)
    status = ends[-1]["ResourceStatus"]
    if status != wanted:
        reason = first_failure(events()) or ends[-1]["ResourceStatusReason"] or "no reason recorded"
        raise StackFailedError(f"{reason} (stack {name} is {status})")
    return str(stack_id)


def _ends(event: dict[str, Any], stack_id: str) -> bool:
    """Whether an event ends an operation on the stack itself."""
    is_stack = event["PhysicalResourceId"] == stack_id or event["LogicalResourceId"] == event["StackName"]
    of_stack = is_stack and event["ResourceType"] == "AWS::CloudFormation::Stack"
    return of_stack and event["ResourceStatus"] in _LAST_STATES
