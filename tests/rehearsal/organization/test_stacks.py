"""Stacks: create, update, wait, and why one failed."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.errors import StackError
from rehearsal.organization import stacks
from rehearsal.organization.stacks import Deployment

STACK = "arn:aws:cloudformation:us-east-1:222222222222:stack/s/1"


def event(resource: str, status: str, reason: str = "", physical: str = "p") -> dict[str, Any]:
    return {
        "StackId": STACK,
        "LogicalResourceId": resource,
        "PhysicalResourceId": physical,
        "ResourceType": "AWS::X::Y",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def own(status: str) -> dict[str, Any]:
    return event("s", status, physical=STACK)


def refusal(message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "X")


class CloudFormation:
    """One stack whose operations end at once in the status that the test wants."""

    def __init__(self, status: str | None, ends_in: str = "CREATE_COMPLETE", events: Any = ()) -> None:
        self.status = status
        self.ends_in = ends_in
        self.events = list(events)
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - CloudFormation's name
        if self.status is None:
            raise refusal(f"Stack with id {StackName} does not exist")
        parameters = [{"ParameterKey": key, "ParameterValue": "old"} for key in ("Schedule", "Targets")]
        stack = {
            "StackStatus": self.status,
            "StackStatusReason": "the stack's own reason",
            "Parameters": parameters,
        }
        return {"Stacks": [stack]}

    def create_stack(self, **request: Any) -> None:
        self._change("create", request, self.ends_in)

    def update_stack(self, **request: Any) -> None:
        if self.ends_in == "UNCHANGED":
            raise refusal("No updates are to be performed.")
        self._change("update", request, self.ends_in)

    def _change(self, call: str, request: dict[str, Any], status: str) -> None:
        self.calls.append(call)
        self.requests.append(request)
        self.status = status

    def get_paginator(self, _name: str) -> "CloudFormation":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"StackEvents": self.events}]


@pytest.mark.parametrize(
    ("existing", "ends_in", "done", "calls"),
    [
        (None, "CREATE_COMPLETE", "created", ["create"]),
        ("CREATE_COMPLETE", "UPDATE_COMPLETE", "updated", ["update"]),
        ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", "updated", ["update"]),
        ("CREATE_COMPLETE", "UNCHANGED", "unchanged", []),
        ("DELETE_COMPLETE", "CREATE_COMPLETE", "created", ["create"]),
    ],
)
def test_a_stack_is_created_or_updated_as_codepipeline_does(
    existing: str | None, ends_in: str, done: str, calls: list[str]
) -> None:
    cloudformation = CloudFormation(existing, ends_in)
    assert stacks.deploy(cloudformation, Deployment("s", "{}"), "here") == done
    assert cloudformation.calls == calls


def test_parameters_tags_capabilities_and_role_are_passed() -> None:
    cloudformation = CloudFormation(None)
    deployment = Deployment("s", "{}", {"A": "1"}, {"T": "2"}, ["CAPABILITY_NAMED_IAM"], "role-arn")
    stacks.deploy(cloudformation, deployment, "here")
    assert cloudformation.requests == [
        {
            "StackName": "s",
            "TemplateBody": "{}",
            "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}],
            "Tags": [{"Key": "T", "Value": "2"}],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "RoleARN": "role-arn",
        }
    ]


def test_a_stack_that_rolled_back_fails_with_its_first_failed_resource() -> None:
    events = [own("ROLLBACK_COMPLETE"), event("A", "CREATE_FAILED", "no bucket"), own("CREATE_IN_PROGRESS")]
    cloudformation = CloudFormation(None, "ROLLBACK_COMPLETE", events)
    with pytest.raises(StackError, match="stack s in here ended in ROLLBACK_COMPLETE") as caught:
        stacks.deploy(cloudformation, Deployment("s", "{}"), "here")
    assert caught.value.details == ("first failed resource: A (AWS::X::Y) CREATE_FAILED: no bucket",)


def test_a_stack_that_failed_without_a_resource_gives_its_own_reason() -> None:
    with pytest.raises(StackError) as caught:
        stacks.wait(CloudFormation("ROLLBACK_COMPLETE"), "s", "here")
    assert caught.value.details == ("reason: the stack's own reason",)


def test_a_stack_that_no_longer_exists_is_deleted() -> None:
    assert stacks.wait(CloudFormation(None), "s", "here") == "DELETE_COMPLETE"


# Newest first, as CloudFormation returns them.
@pytest.mark.parametrize(
    ("events", "resource"),
    [
        ([], None),
        ([own("CREATE_COMPLETE"), event("A", "CREATE_COMPLETE"), own("CREATE_IN_PROGRESS")], None),
        (
            [
                own("ROLLBACK_COMPLETE"),
                event("C", "DELETE_FAILED", "later"),
                own("ROLLBACK_IN_PROGRESS"),
                event("B", "CREATE_FAILED", "Resource creation cancelled"),
                event("A", "CREATE_FAILED", "the cause"),
                own("CREATE_IN_PROGRESS"),
            ],
            "A",
        ),
        (
            [
                own("UPDATE_ROLLBACK_COMPLETE"),
                event("New", "UPDATE_FAILED", "the cause"),
                own("UPDATE_IN_PROGRESS"),
                event("Old", "CREATE_FAILED", "of an earlier operation"),
                own("CREATE_IN_PROGRESS"),
            ],
            "New",
        ),
        (
            [event("A", "DELETE_FAILED", "not empty"), own("DELETE_IN_PROGRESS"), own("CREATE_COMPLETE")],
            "A",
        ),
    ],
)
def test_the_first_failure_of_the_last_operation_is_the_reason(
    events: list[dict[str, Any]], resource: str | None
) -> None:
    failure = stacks.first_failure(events)
    assert (failure.resource if failure else None) == resource


def test_one_parameter_is_changed_and_everything_else_stays() -> None:
    client = CloudFormation("CREATE_COMPLETE", ends_in="UPDATE_COMPLETE")
    stacks.change(client, "s", {"Schedule": "new"}, "here")
    (request,) = client.requests
    assert request["UsePreviousTemplate"]
    assert request["Parameters"] == [
        {"ParameterKey": "Schedule", "ParameterValue": "new"},
        {"ParameterKey": "Targets", "UsePreviousValue": True},
    ]


def test_a_parameter_that_the_stack_does_not_have_is_named() -> None:
    client = CloudFormation("CREATE_COMPLETE", ends_in="UPDATE_COMPLETE")
    with pytest.raises(
        StackError, match=r"stack s in here has no parameter Shedule; its parameters: Schedule, Targets"
    ):
        stacks.change(client, "s", {"Shedule": "new"}, "here")
    assert client.requests == []


def test_a_change_that_is_rolled_back_is_an_error_with_its_reason() -> None:
    refused = event("Policy", "UPDATE_FAILED", "content refused")
    client = CloudFormation(
        "CREATE_COMPLETE", ends_in="UPDATE_ROLLBACK_COMPLETE", events=[refused, own("UPDATE_IN_PROGRESS")]
    )
    with pytest.raises(StackError, match="ended in UPDATE_ROLLBACK_COMPLETE") as caught:
        stacks.change(client, "s", {"Schedule": "new"}, "here")
    assert "content refused" in caught.value.details[0]
