"""The Organizations calls (AWS edge).

Each is safe to repeat: a change that is already made succeeds, and a policy that is gone reads as None.

https://docs.aws.amazon.com/organizations/latest/APIReference/
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from botocore.client import BaseClient

from .errors import CallFailedError
from .request import POLICY_TYPE, DesiredPolicy
from .retrier import Retrier

log = logging.getLogger(__name__)

WRITES = ("Create", "Update", "Attach", "Detach", "Delete", "Tag")


class Policy(NamedTuple):
    """A policy as Organizations returns it."""

    id: str
    type: str
    name: str
    description: str
    content: str


@dataclass(frozen=True)
class Organization:
    """One organization, called with the credentials of the role in its management account."""

    client: BaseClient
    retrier: Retrier

    def with_reserve(self, reserve: float) -> "Organization":
        """This organization, with calls that leave this many seconds of the function's time unused."""
        return replace(self, retrier=self.retrier.with_reserve(reserve))

    def policy(self, policy_id: str) -> Policy | None:
        response = self._unless({"PolicyNotFoundException"}, "DescribePolicy", policy_id, PolicyId=policy_id)
        if response is None:
            return None
        summary = response["Policy"]["PolicySummary"]
        return Policy(
            id=summary["Id"],
            type=summary["Type"],
            name=summary["Name"],
            description=summary.get("Description", ""),
            content=response["Policy"].get("Content", ""),
        )

    def create(self, desired: DesiredPolicy, tags: Mapping[str, str]) -> str | None:
        """The new policy's ID; None if the organization already has a policy with this name."""
        response = self._unless(
            {"DuplicatePolicyException"},
            "CreatePolicy",
            desired.name,
            Name=desired.name,
            Description=desired.description,
            Content=desired.content,
            Type=POLICY_TYPE,
            Tags=_tag_list(tags),
        )
        return None if response is None else str(response["Policy"]["PolicySummary"]["Id"])

    def update(self, policy_id: str, name: str, description: str, content: str) -> bool:
        """False if another policy has this name."""
        response = self._unless(
            {"DuplicatePolicyException"},
            "UpdatePolicy",
            policy_id,
            PolicyId=policy_id,
            Name=name,
            Description=description,
            Content=content,
        )
        return response is not None

    def attach(self, policy_id: str, target: str) -> None:
        self._unless(
            {"DuplicatePolicyAttachmentException"},
            "AttachPolicy",
            f"{policy_id} {target}",
            PolicyId=policy_id,
            TargetId=target,
        )

    def detach(self, policy_id: str, target: str) -> None:
        self._unless(
            {"PolicyNotAttachedException", "PolicyNotFoundException", "TargetNotFoundException"},
            "DetachPolicy",
            f"{policy_id} {target}",
            PolicyId=policy_id,
            TargetId=target,
        )

    def delete(self, policy_id: str) -> bool:
        """False if the policy is still attached somewhere."""
        gone = {"PolicyNotFoundException"}
        try:
            self._unless(gone, "DeletePolicy", policy_id, PolicyId=policy_id)
        except CallFailedError as error:
            if error.code != "PolicyInUseException":
                raise
            return False
        return True

    def targets(self, policy_id: str) -> tuple[str, ...]:
        """The targets that the policy is attached to; none if the policy is gone."""
        pages = self._pages(
            "ListTargetsForPolicy", policy_id, {"PolicyNotFoundException"}, PolicyId=policy_id
        )
        return tuple(target["TargetId"] for page in pages for target in page["Targets"])

    def tags(self, policy_id: str) -> dict[str, str] | None:
        """None if the policy is gone."""
        gone = {"TargetNotFoundException", "PolicyNotFoundException"}
        pages = list(self._pages("ListTagsForResource", policy_id, gone, ResourceId=policy_id))
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]} if pages else None

    def tag(self, policy_id: str, tags: Mapping[str, str]) -> None:
        self.call("TagResource", policy_id, ResourceId=policy_id, Tags=_tag_list(tags))

    def find(self, name: str) -> str | None:
        """The ID of the backup policy with exactly this name."""
        for page in self._pages("ListPolicies", name, set(), Filter=POLICY_TYPE):
            for summary in page["Policies"]:
                if summary["Name"] == name:
                    return str(summary["Id"])
        return None

    def call(self, operation: str, subject: str, **parameters: Any) -> Any:
        """One call, retried. Raises CallFailedError or OutOfTimeError."""
        method: Callable[..., Any] = getattr(self.client, _method(operation))
        response = self.retrier.call(f"{operation} {subject}", lambda: method(**parameters))
        if operation.startswith(WRITES):
            log.info("action=%s subject=%s", operation, subject)
        return response

    def offers(self, operation: str) -> bool:
        """False if the runtime's SDK is older than the operation."""
        return hasattr(self.client, _method(operation))

    def pages(self, operation: str, subject: str, **parameters: Any) -> Iterator[Any]:
        """Every page of a list, following NextToken through empty pages too."""
        return self._pages(operation, subject, set(), **parameters)

    def _unless(self, expected: set[str], operation: str, subject: str, **parameters: Any) -> Any | None:
        """The response, or None for one of the expected error codes."""
        try:
            return self.call(operation, subject, **parameters)
        except CallFailedError as error:
            if error.code in expected:
                return None
            raise

    def _pages(
        self, operation: str, subject: str, expected: set[str], **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        while True:
            page = self._unless(expected, operation, subject, **parameters)
            if page is None:
                return
            yield page
            if not page.get("NextToken"):
                return
            parameters["NextToken"] = page["NextToken"]


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _method(operation: str) -> str:
    """DescribePolicy → describe_policy."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
