"""Every kind of fault at every AWS call of every operation.

Five invariants hold whatever happens:
a  while a working policy exists, none of its unchanged targets is ever without it;
b  no policy that is not ours changes;
c  exactly one answer reaches CloudFormation, unless the process was killed (asserted in Function.invoke);
d  SUCCESS only if the organization is as requested;
e  the same request again, or CloudFormation's rollback, ends in the right state without an orphan policy.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from backup_org_policy_manager.request import Owner

from .conftest import (
    MANAGEMENT,
    OTHER_MANAGEMENT,
    OU_1,
    OU_2,
    OU_3,
    STACK,
    Function,
    event,
    plan,
    properties,
)
from .fakes import FakeOrganization, Fault, StoredPolicy

pytestmark = pytest.mark.usefixtures("quiet")

HEALS = ["throttled once", "concurrent modification", "server error", "answer lost"]
FAILS = [
    "throttled for ever",
    "denied",
    "answer lost, then denied",
    "answer lost, then throttled for ever",
    "time nearly out",
    "time out",
    "killed",
]
VERIFICATION = {
    "DescribeEffectivePolicy",
    "ListAccountsForParent",
    "ListAccountsWithInvalidEffectivePolicy",
    "ListEffectivePolicyValidationErrors",
}


@dataclass(frozen=True)
class Operation:
    """A request, from properties `old` (None: there is no policy yet) to `new` (None: delete)."""

    old: dict[str, Any] | None
    new: dict[str, Any] | None
    deleted_by_hand: bool = False
    page: int = 20

    def request(self, policy_id: str | None) -> dict[str, Any]:
        if self.old is None:
            assert self.new
            return event("Create", self.new)
        if self.new is None:
            return event("Delete", self.old, PhysicalResourceId=policy_id)
        return event("Update", self.new, OldResourceProperties=self.old, PhysicalResourceId=policy_id)


OPERATIONS = {
    "create": Operation(None, properties()),
    "change the content": Operation(properties(), properties(PolicyContent=plan(days="30"))),
    "change the content to an object in S3": Operation(
        properties(), properties(PolicyContent={"S3": {"PolicyBucket": "bucket", "PolicyKey": "key"}})
    ),
    "change the targets": Operation(properties(), properties(PolicyTargets=[OU_2, OU_3])),
    "change content and targets": Operation(
        properties(), properties(PolicyContent=plan(days="30"), PolicyTargets=[OU_2, OU_3])
    ),
    "change nothing": Operation(properties(), properties()),
    "rename": Operation(properties(), properties(PolicyName="nightly")),
    "move to another organization": Operation(
        properties(), properties(OrgManagementAccount=OTHER_MANAGEMENT)
    ),
    "create again what was deleted by hand": Operation(properties(), properties(), deleted_by_hand=True),
    "delete": Operation(properties(), None),
    "delete over several pages": Operation(properties(), None, page=1),
}


@pytest.mark.parametrize("kind", HEALS + FAILS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_call_may_fail(function: Function, name: str, kind: str) -> None:
    operation = OPERATIONS[name]
    # Two minutes instead of fifteen: being throttled for ever then takes 20 calls and not 150.
    function.aws.clock.limit = 120
    state, policy_id = _start(function, operation)
    for at in _every_call(function):
        _case(function, operation, copy.deepcopy(state), policy_id, Fault(kind, at))


def _case(
    function: Function,
    operation: Operation,
    state: dict[str, FakeOrganization],
    policy_id: str | None,
    fault: Fault,
) -> None:
    function.aws.organizations = copy.deepcopy(state)
    uncovered = _watch(function, operation, policy_id)
    answer = function.invoke(operation.request(policy_id), fault)
    calls = list(function.aws.calls)
    label = f"{fault.kind} at call {fault.at} of {calls}: {answer and answer['Reason']}"

    assert not uncovered, f"a: {label}"
    _assert_others_unchanged(function, state, label)
    if fault.kind in HEALS or (calls[fault.at : fault.at + 1] and calls[fault.at] in VERIFICATION):
        assert (answer is None) == (fault.kind == "killed"), label
        assert answer is None or answer["Status"] == "SUCCESS", label
    _assert_honest(function, operation, state, policy_id, answer, label)
    after = copy.deepcopy(function.aws.organizations)

    repeated = function.invoke(operation.request(policy_id))
    assert repeated, label
    assert repeated["Status"] == "SUCCESS", f"e: again after {label}: {repeated['Reason']}"
    _assert_as_wanted(function, operation.new, repeated, f"e: again after {label}")
    assert not uncovered, f"a: again after {label}"
    _assert_others_unchanged(function, state, label)

    if operation.new is not None and (answer or operation.old):
        function.aws.organizations = after
        _roll_back(function, operation, policy_id, answer, f"e: rollback after {label}")
        assert not uncovered, f"a: rollback after {label}"
        _assert_others_unchanged(function, state, label)


def _roll_back(
    function: Function,
    operation: Operation,
    policy_id: str | None,
    answer: dict[str, Any] | None,
    label: str,
) -> None:
    """What CloudFormation sends when the stack operation fails: this resource's answer decides the id."""
    succeeded = answer is not None and answer["Status"] == "SUCCESS"
    if operation.old is None:
        assert answer
        deleted = function.invoke(
            event("Delete", operation.new or {}, PhysicalResourceId=answer["PhysicalResourceId"])
        )
        assert deleted, label
        assert deleted["Status"] == "SUCCESS", label
        assert not _ours(function), label
        return
    current = answer["PhysicalResourceId"] if answer and succeeded else policy_id
    back = event(
        "Update",
        operation.old,
        OldResourceProperties=operation.new,
        PhysicalResourceId=current,
        RequestId="request-Rollback",
    )
    restored = function.invoke(back)
    assert restored, label
    assert restored["Status"] == "SUCCESS", f"{label}: {restored['Reason']}"
    if restored["PhysicalResourceId"] != current:
        # CloudFormation's clean-up deletes what the resource no longer refers to.
        function.invoke(event("Delete", operation.new or {}, PhysicalResourceId=current))
    _assert_as_wanted(function, operation.old, restored, label, and_nothing_else=True)


def _assert_honest(
    function: Function,
    operation: Operation,
    state: dict[str, FakeOrganization],
    policy_id: str | None,
    answer: dict[str, Any] | None,
    label: str,
) -> None:
    """SUCCESS means as requested; "put back" and "nothing was changed" mean as before."""
    if answer is None:
        return
    if answer["Status"] == "FAILED" and operation.old:
        assert answer["PhysicalResourceId"] == policy_id, f"CloudFormation would delete it: {label}"
    if answer["Status"] == "SUCCESS":
        _assert_as_wanted(function, operation.new, answer, f"d: {label}")
    elif operation.new is not None and "not put back" not in answer["Reason"]:
        assert _facts(function.aws.organizations) == _facts(state), f"d: {label}"


def _assert_as_wanted(
    function: Function,
    wanted: dict[str, Any] | None,
    answer: dict[str, Any],
    label: str,
    *,
    and_nothing_else: bool = False,
) -> None:
    ours = _ours(function)
    if wanted is None:
        assert not ours, label
        return
    policy = ours[wanted["OrgManagementAccount"], answer["PhysicalResourceId"]]
    assert policy.name == wanted["PolicyName"], label
    assert policy.description == wanted["PolicyDescription"], label
    assert sorted(policy.targets) == sorted(wanted["PolicyTargets"]), label
    expected = copy.deepcopy(wanted["PolicyContent"])
    if "S3" in expected:
        expected = plan(days="30")
    for each in expected["plans"].values():
        each["regions"] = {"@@assign": wanted["PolicyRegions"]}
    assert json.loads(policy.content) == expected, label
    in_this_organization = [account for account, _ in ours if account == wanted["OrgManagementAccount"]]
    assert len(in_this_organization) == 1, f"orphan: {label}"
    if and_nothing_else:
        assert len(ours) == 1, f"orphan: {label}"


def _start(function: Function, operation: Operation) -> tuple[dict[str, FakeOrganization], str | None]:
    """The organizations before the request, with neighbours that must never be touched."""
    function.aws.objects["bucket", "key", None] = json.dumps(plan(days="30")).encode()
    for organization in function.aws.organizations.values():
        organization.page = operation.page
        organization.add("daily-critical", targets=[OU_1, OU_2])
        organization.add(
            "dail", tags={Owner.TAG_STACK: "arn:of:another:stack", Owner.TAG_RESOURCE: "DailyPolicy"}
        )
    policy_id = function.create() if operation.old else None
    if operation.deleted_by_hand and policy_id:
        del function.organization.policies[policy_id]
    return copy.deepcopy(function.aws.organizations), policy_id


def _every_call(function: Function) -> Iterator[int]:
    """0, 1, 2 … until a run had no call of that number, so that its fault could not strike."""
    at = 0
    while True:
        function.struck = False
        yield at
        if not function.struck:
            return
        at += 1


def _watch(function: Function, operation: Operation, policy_id: str | None) -> list[str]:
    """The targets that are old and new, seen without the policy after any call: none, if all is well."""
    uncovered: list[str] = []
    old, new = operation.old, operation.new
    kept = set(old["PolicyTargets"]) & set(new["PolicyTargets"]) if old and new else set()

    def after_call() -> None:
        if function.aws.fault and len(function.aws.calls) > function.aws.fault.at:
            function.struck = True
        working = function.aws.organizations[MANAGEMENT].policies.get(policy_id or "")
        if working is not None:
            uncovered.extend(kept - set(working.targets))

    function.aws.after_call = after_call
    return uncovered


def _ours(function: Function) -> dict[tuple[str, str], StoredPolicy]:
    return {
        (account, policy.id): policy
        for account, organization in function.aws.organizations.items()
        for policy in organization.policies.values()
        if policy.tags.get(Owner.TAG_STACK) == STACK
    }


def _facts(organizations: dict[str, FakeOrganization]) -> dict[tuple[str, str], Any]:
    return {
        (account, policy.id): (
            policy.name,
            policy.description,
            json.loads(policy.content),
            sorted(policy.targets),
            policy.tags,
        )
        for account, organization in organizations.items()
        for policy in organization.policies.values()
    }


def _assert_others_unchanged(function: Function, state: dict[str, FakeOrganization], label: str) -> None:
    def others(facts: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
        return {key: fact for key, fact in facts.items() if fact[4].get(Owner.TAG_STACK) != STACK}

    assert others(_facts(function.aws.organizations)) == others(_facts(state)), f"b: {label}"
