"""Stacks that a StackSet keeps in its target accounts: create, update or delete one and wait for the end.

Only to be used on a worker thread. A failure says which resource failed first and why, in the words that AWS
puts into a stack instance's status reason.
"""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.cloudformation.stackset_model import (
    Content,
    Place,
    StackFailedError,
    first_failure,
)

_POLL_SECONDS = 0.02
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
    """Create a stack and wait; returns its id, raises StackFailedError."""
    return _operate(
        place, name, "CREATE_COMPLETE", lambda stacks: stacks.create_stack(**_arguments(name, content))
    )


def update(place: Place, name: str, content: Content) -> None:
    """Update a stack and wait; nothing to do is success. Raises StackFailedError."""
    try:
        _operate(
            place, name, "UPDATE_COMPLETE", lambda stacks: stacks.update_stack(**_arguments(name, content))
        )
    except StackFailedError as failure:
        if _NO_UPDATES not in str(failure):
            raise


def delete(place: Place, name: str) -> None:
    """Delete a stack and wait; one that is gone is success. Raises StackFailedError."""
    if _record(place, name) is not None:
        _operate(place, name, "DELETE_COMPLETE", lambda client: client.delete_stack(StackName=name))


def exists(place: Place, name: str) -> bool:
    """Whether there is a stack that can be updated (one whose creation failed cannot)."""
    record = _record(place, name)
    return record is not None and record["StackStatus"] != "ROLLBACK_COMPLETE"


def _record(place: Place, name: str) -> dict[str, Any] | None:
    """The server's own record of a stack: waiting on it costs no request."""
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
    """Start an operation and wait until a stack event says how it ended; returns the stack's id."""
    before = _record(place, name)
    seen = len(_events(place, before["StackId"])) if before else 0
    try:
        answer = start(base.client("cloudformation", place.account, place.region))
    except ClientError as refused:
        raise StackFailedError(str(refused.response["Error"]["Message"])) from None
    stack_id = before["StackId"] if before else str(answer["StackId"])
    while True:
        events = _events(place, stack_id)[seen:]
        ends = [event for event in events if _ends(event, stack_id)]
        if ends:
            break
        time.sleep(_POLL_SECONDS)
    status = ends[-1]["ResourceStatus"]
    if status != wanted:
        reason = first_failure(events) or ends[-1]["ResourceStatusReason"] or "no reason recorded"
        raise StackFailedError(f"{reason} (stack {name} is {status})")
    return str(stack_id)


def _ends(event: dict[str, Any], stack_id: str) -> bool:
    """Whether an event is the last one of an operation on the stack itself."""
    is_stack = event["PhysicalResourceId"] == stack_id or event["LogicalResourceId"] == event["StackName"]
    of_stack = is_stack and event["ResourceType"] == "AWS::CloudFormation::Stack"
    return of_stack and event["ResourceStatus"] in _LAST_STATES
