"""What a StackSet is, as plain data, and the arithmetic of its operation preferences.

Names and values are those of the CloudFormation API Reference.
"""

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions.organizations import organization
from rehearsal.place import Place


class StackFailedError(Exception):
    """A stack did not reach the wanted state; the message names the first failed resource and its reason."""


class AccountSuspendedError(Exception):
    """The account of an instance is suspended, so StackSets skips the instance."""


@dataclass(frozen=True)
class Content:
    """What a stack is made of; tags and parameters are name → value."""

    body: str
    parameters: dict[str, str]
    capabilities: tuple[str, ...]
    tags: dict[str, str]


@dataclass(frozen=True)
class Target:
    """Where an instance belongs; unit is the OU that the account comes from."""

    place: Place
    unit: str | None
    overrides: dict[str, str]


@dataclass(frozen=True)
class Preferences:
    """OperationPreferences: how many accounts of a Region at a time, and how many of them may fail."""

    concurrent: Callable[[int], int]
    tolerated: Callable[[int], int]
    parallel_regions: bool
    region_order: tuple[str, ...]

    @classmethod
    def of(cls, properties: dict[str, Any]) -> "Preferences":
        def number(name: str, default: int) -> Callable[[int], int]:
            count, percentage = properties.get(f"{name}Count"), properties.get(f"{name}Percentage")
            if percentage is not None:
                return lambda accounts: math.floor(accounts * int(percentage) / 100)
            return lambda _: int(count) if count is not None else default

        tolerated, wanted = number("FailureTolerance", 0), number("MaxConcurrent", 1)
        strict = properties.get("ConcurrencyMode", "STRICT_FAILURE_TOLERANCE") == "STRICT_FAILURE_TOLERANCE"

        def concurrent(accounts: int) -> int:
            most = max(1, wanted(accounts))
            return min(most, tolerated(accounts) + 1) if strict else most

        return cls(
            concurrent,
            tolerated,
            properties.get("RegionConcurrencyType") == "PARALLEL",
            tuple(properties.get("RegionOrder") or ()),
        )


@dataclass
class Instance:
    """A stack instance: the set's stack in one account and Region."""

    place: Place
    stack: str
    overrides: dict[str, str]
    unit: str | None
    stack_id: str = ""
    status: str = "OUTDATED"
    detail: str = "PENDING"
    reason: str = ""
    operation: str = ""


@dataclass(frozen=True)
class Result:
    """How an operation ended for one instance: SUCCEEDED, FAILED or CANCELLED."""

    place: Place
    unit: str | None
    status: str
    reason: str = ""


@dataclass
class Operation:
    """One operation on instances; results are in the order in which they ended."""

    action: str
    automatic: bool = False
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.time)
    ended: float | None = None
    stopped: bool = False
    results: list[Result] = field(default_factory=list)

    @property
    def status(self) -> str:
        if self.ended is None:
            return "RUNNING"
        return "FAILED" if self.stopped else "SUCCEEDED"


@dataclass(eq=False)
class StackSet:
    """A StackSet in its administrator account and Region; properties are those of the template."""

    name: str
    identifier: str
    administrator: Place
    properties: dict[str, Any]
    content: Content
    instances: dict[Place, Instance] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def service_managed(self) -> bool:
        return bool(self.properties.get("PermissionModel") == "SERVICE_MANAGED")

    @property
    def automatic(self) -> bool:
        return _true((self.properties.get("AutoDeployment") or {}).get("Enabled"))

    @property
    def retains(self) -> bool:
        return _true((self.properties.get("AutoDeployment") or {}).get("RetainStacksOnAccountRemoval"))

    @property
    def arn(self) -> str:
        """Service-managed sets belong to the management account, those of a delegated administrator too."""
        place = self.administrator
        account = organization.management_account() if self.service_managed else place.account
        return f"arn:{PARTITION}:cloudformation:{place.region}:{account}:stackset/{self.identifier}"


def first_failure(events: Iterable[dict[str, Any]]) -> str | None:
    """The first failed resource among stack events (oldest first), as a stack instance's status reason."""
    for event in events:
        if event["ResourceStatus"].endswith("_FAILED"):
            return (
                f"ResourceLogicalId:{event['LogicalResourceId']}, ResourceType:{event['ResourceType']}, "
                f"ResourceStatusReason:{event['ResourceStatusReason']}"
            )
    return None


def parameters(given: Iterable[dict[str, Any]] | None) -> dict[str, str]:
    """ParameterKey and ParameterValue pairs as name → value."""
    return {each["ParameterKey"]: str(each["ParameterValue"]) for each in given or []}


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
