"""The AWS calls of each operation, counted on the fake organization, and the limit of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lambdas.backup_org_policy_manager.conftest import (
    OU_2,
    OU_3,
    Function,
    deployed,
    event,
    plan,
    properties,
)

VERIFICATION = {
    "DescribeEffectivePolicy",
    "ListAccountsForParent",
    "ListAccountsWithInvalidEffectivePolicy",
    "ListEffectivePolicyValidationErrors",
}


@dataclass(frozen=True)
class Measured:
    """The calls of one operation, without those of the verification."""

    name: str
    calls: int
    writes: int
    verification: int
    limit: int
    sleeps: int

    @property
    def within_limit(self) -> bool:
        return (
            self.calls <= self.limit and self.sleeps == 0 and (self.writes == 0 or "nothing" not in self.name)
        )


def _update(**changed: Any) -> Callable[[str], dict[str, Any]]:
    return lambda policy_id: event(
        "Update", properties(**changed), OldResourceProperties=properties(), PhysicalResourceId=policy_id
    )


OPERATIONS: list[tuple[str, Callable[[str], dict[str, Any]], int]] = [
    ("create, 2 targets", lambda _: event("Create", properties()), 4),
    ("change the content", _update(PolicyContent=plan(days="30")), 5),
    ("targets +1 -1", _update(PolicyTargets=[OU_2, OU_3]), 6),
    ("nothing changed", _update(), 3),
    ("delete, 2 targets", lambda policy_id: event("Delete", properties(), PhysicalResourceId=policy_id), 6),
]


def measure(name: str, request: Callable[[str], dict[str, Any]], limit: int) -> Measured:
    """One operation in a new organization, with AssumeRole and without verification."""
    with deployed() as function:
        policy_id = "" if name.startswith("create") else function.create()
        return _counted(function, name, request(policy_id), limit)


def _counted(function: Function, name: str, request: dict[str, Any], limit: int) -> Measured:
    function.succeed(request)
    verification = sum(call in VERIFICATION for call in function.aws.calls)
    return Measured(
        name=name,
        calls=len(function.aws.calls) - verification,
        writes=len(function.aws.writes),
        verification=verification,
        limit=limit,
        sleeps=len(function.aws.clock.slept),
    )
