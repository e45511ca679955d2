"""Stacks that a StackSet keeps in its target accounts: create, update or delete one and wait for the end.

Only to be used on a worker thread. A failure says which resource failed first and why, in the words that AWS
puts into a stack instance's status reason.
"""

import time
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.stackset_model import Content, Place, StackFailedError, first_failure

_POLL_SECONDS = 0.02
_NO_UPDATES = "No updates are to be performed"


def create(place: Place, name: str, content: Content) -> str:
    """Create a stack and wait; returns its id, raises StackFailedError."""
    try:
        identifier = str(_client(place).create_stack(StackName=name, **_arguments(content))["StackId"])
    except ClientError as refused:
        raise StackFailedError(str(refused.response["Error"]["Message"])) from None
    _wait(place, name, "CREATE_COMPLETE")
    return identifier


def update(place: Place, name: str, content: Content) -> None:
    """Update a stack and wait; nothing to do is success. Raises StackFailedError."""
    try:
        _client(place).update_stack(StackName=name, **_arguments(content))
    except ClientError as refused:
        message = str(refused.response["Error"]["Message"])
        if _NO_UPDATES in message:
            return
        raise StackFailedError(message) from None
    _wait(place, name, "UPDATE_COMPLETE")


def delete(place: Place, name: str) -> None:
    """Delete a stack and wait; one that is gone is success. Raises StackFailedError."""
    try:
        _client(place).delete_stack(StackName=name)
    except ClientError as refused:
        raise StackFailedError(str(refused.response["Error"]["Message"])) from None
    _wait(place, name, "DELETE_COMPLETE")


def exists(place: Place, name: str) -> bool:
    """Whether there is a stack that can be updated (one whose creation failed cannot)."""
    record = hooks.cloudformation._stacks.get_scoped(place.account, place.region, name)
    return record is not None and record["StackStatus"] not in ("DELETE_COMPLETE", "ROLLBACK_COMPLETE")


def _client(place: Place) -> Any:
    return base.client("cloudformation", place.account, place.region)


def _arguments(content: Content) -> dict[str, Any]:
    return {
        "TemplateBody": content.body,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in content.parameters.items()
        ],
        "Capabilities": list(content.capabilities),
        "Tags": [{"Key": key, "Value": value} for key, value in content.tags.items()],
    }


def _wait(place: Place, name: str, wanted: str) -> None:
    """Wait on the server's own record: no request, no load on a machine with two cores."""
    stores = hooks.cloudformation
    while True:
        record = stores._stacks.get_scoped(place.account, place.region, name)
        status = record["StackStatus"] if record else "DELETE_COMPLETE"
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(_POLL_SECONDS)
    if status == wanted:
        return
    events = stores._stack_events.get_scoped(place.account, place.region, record["StackId"]) or []
    since = _start_of_last_operation(events)
    reason = first_failure(events[since:]) or record.get("StackStatusReason") or "no reason recorded"
    raise StackFailedError(f"{reason} (stack {name} is {status})")


def _start_of_last_operation(events: list[dict[str, Any]]) -> int:
    starts = [
        position
        for position, event in enumerate(events)
        if event["ResourceType"] == "AWS::CloudFormation::Stack"
        and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    ]
    return starts[-1] if starts else 0
