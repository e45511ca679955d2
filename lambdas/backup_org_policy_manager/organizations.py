"""The Organizations calls (AWS edge). Each may be repeated: what is so already is success, what is gone None.

https://docs.aws.amazon.com/organizations/latest/APIReference/
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from botocore.client import BaseClient

from .errors import CallFailedError
from .patience import Patience
from .request import POLICY_TYPE, Wanted

log = logging.getLogger(__name__)

WRITES = ("Create", "Update", "Attach", "Detach", "Delete", "Tag")


class Policy(NamedTuple):
    """A policy as Organizations has it."""

    id: str
    type: str
    name: str
    description: str
    content: str


@dataclass(frozen=True)
class Organization:
    """One organization, seen with the credentials of the role in its management account."""

    client: BaseClient
    patience: Patience

    def keeping(self, reserve: float) -> "Organization":
        """The same, leaving so many seconds of the Lambda's time unused."""
        return replace(self, patience=self.patience.keeping(reserve))

    def policy(self, policy_id: str) -> Policy | None:
        answer = self._unless({"PolicyNotFoundException"}, "DescribePolicy", policy_id, PolicyId=policy_id)
        if answer is None:
            return None
        summary = answer["Policy"]["PolicySummary"]
        return Policy(
            id=summary["Id"],
            type=summary["Type"],
            name=summary["Name"],
            description=summary.get("Description", ""),
            content=answer["Policy"].get("Content", ""),
        )

    def create(self, wanted: Wanted, tags: Mapping[str, str]) -> str | None:
        """The new policy's id; None if the organization already has a policy of this name."""
        answer = self._unless(
            {"DuplicatePolicyException"},
            "CreatePolicy",
            wanted.name,
            Name=wanted.name,
            Description=wanted.description,
            Content=wanted.content,
            Type=POLICY_TYPE,
            Tags=_tag_list(tags),
        )
        return None if answer is None else str(answer["Policy"]["PolicySummary"]["Id"])

    def update(self, policy_id: str, name: str, description: str, content: str) -> bool:
        """False if another policy has this name."""
        answer = self._unless(
            {"DuplicatePolicyException"},
            "UpdatePolicy",
            policy_id,
            PolicyId=policy_id,
            Name=name,
            Description=description,
            Content=content,
        )
        return answer is not None

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
        """Everything that the policy is attached to; nothing if the policy is gone."""
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
        """The id of the backup policy with exactly this name."""
        for page in self._pages("ListPolicies", name, set(), Filter=POLICY_TYPE):
            for summary in page["Policies"]:
                if summary["Name"] == name:
                    return str(summary["Id"])
        return None

    def call(self, operation: str, subject: str, **parameters: Any) -> Any:
        """One call, repeated while it can succeed later. Raises CallFailedError or OutOfTimeError."""
        method: Callable[..., Any] = getattr(self.client, _method(operation))
        answer = self.patience.persist(f"{operation} {subject}", lambda: method(**parameters))
        if operation.startswith(WRITES):
            log.info("action=%s subject=%s", operation, subject)
        return answer

    def offers(self, operation: str) -> bool:
        """False if the SDK in the runtime is older than the operation."""
        return hasattr(self.client, _method(operation))

    def pages(self, operation: str, subject: str, **parameters: Any) -> Iterator[Any]:
        """Every page of a list, following NextToken even over empty pages."""
        return self._pages(operation, subject, set(), **parameters)

    def _unless(self, expected: set[str], operation: str, subject: str, **parameters: Any) -> Any | None:
        """The answer, or None for one of the expected error codes."""
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
