"""Every kind of fault at every AWS call of every operation, and a sample of all pairs of faults.

Five invariants hold after every fault:
a  while a working policy exists, none of its unchanged targets is ever without it;
b  no policy that is not ours changes;
c  exactly one response reaches CloudFormation, unless the process was killed (asserted in Function.invoke);
d  SUCCESS only if the organization is as requested;
e  the same request again, or CloudFormation's rollback, ends in the right state without an orphan policy.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Any

import pytest
from backup_org_policy_manager.request import Owner

from tests.generated import IN_CODEBUILD

from .conftest import (
    MANAGEMENT,
    OTHER_MANAGEMENT,
    OU_1,
    OU_2,
    OU_3,
    STACK,
    Function,
    deployed,
    event,
    plan,
    properties,
)
from .fakes import FakeOrganization, Fault, StoredPolicy, copies
from .operations import VERIFICATION

pytestmark = pytest.mark.usefixtures("quiet")

HEALS = ["throttled once", "concurrent modification", "server error", "response lost"]
FAILS = [
    "throttled forever",
    "denied",
    "response lost, then denied",
    "response lost, then throttled forever",
    "time nearly out",
    "time out",
    "killed",
]
KINDS = HEALS + FAILS


@dataclass(frozen=True)
class Operation:
    """A request, from properties `old` (None: there is no policy yet) to `new` (None: delete).

    untagged:    the policy was made by the first release, whose policies have no tags
    is_rollback: CloudFormation takes back an Update from `new` to `old`, which had succeeded or was refused
    leftover:    an earlier Create of the same resource left its policy, unattached
    """

    old: dict[str, Any] | None
    new: dict[str, Any] | None
    deleted_by_hand: bool = False
    untagged: bool = False
    is_rollback: bool = False
    leftover: bool = False
    page: int = 20

    def request(self, policy_id: str | None) -> dict[str, Any]:
        if self.old is None:
            assert self.new
            return event("Create", self.new)
        if self.new is None:
            return event("Delete", self.old, PhysicalResourceId=policy_id)
        return event("Update", self.new, OldResourceProperties=self.old, PhysicalResourceId=policy_id)


MOVED = properties(OrgManagementAccount=OTHER_MANAGEMENT)
OPERATIONS = {
    "create": Operation(None, properties()),
    "create over a leftover": Operation(None, properties(), leftover=True),
    "change the content": Operation(properties(), properties(PolicyContent=plan(days="30"))),
    "change the content to an object in S3": Operation(
        properties(), properties(PolicyContent={"S3": {"PolicyBucket": "bucket", "PolicyKey": "key"}})
    ),
    "change the targets": Operation(properties(), properties(PolicyTargets=[OU_2, OU_3])),
    "change content and targets": Operation(
        properties(), properties(PolicyContent=plan(days="30"), PolicyTargets=[OU_2, OU_3])
    ),
    "change an untagged policy": Operation(
        properties(), properties(PolicyContent=plan(days="30"), PolicyTargets=[OU_2, OU_3]), untagged=True
    ),
    "change nothing": Operation(properties(), properties()),
    "rename": Operation(properties(), properties(PolicyName="nightly")),
    "move to another organization": Operation(properties(), MOVED),
    "move an untagged policy": Operation(properties(), MOVED, untagged=True),
    "roll back the move of an untagged policy": Operation(
        MOVED, properties(), is_rollback=True, untagged=True
    ),
    "roll back another type of an untagged policy": Operation(
        properties(PolicyType="TAG_POLICY"), properties(), is_rollback=True, untagged=True
    ),
    "create again what was deleted by hand": Operation(properties(), properties(), deleted_by_hand=True),
    "create again under another name": Operation(
        properties(), properties(PolicyName="nightly"), deleted_by_hand=True
    ),
    "delete": Operation(properties(), None),
    "delete over several pages": Operation(properties(), None, page=1),
}


@pytest.fixture(scope="module", params=OPERATIONS)
def repeated(request: pytest.FixtureRequest) -> Iterator["RepeatedOperation"]:
    with deployed() as function:
        yield RepeatedOperation(function, request.param)


def test_every_call_may_fail(repeated: "RepeatedOperation") -> None:
    """Every kind of fault at every call; in a build one kind at every call, in rotation."""
    for at in range(repeated.calls):
        for kind in [KINDS[(repeated.number + at) % len(KINDS)]] if IN_CODEBUILD else KINDS:
            assert repeated.run(Fault(kind, at)), f"{kind} at call {at} did not strike"


# The second fault strikes at one of the next calls, retries included. Nothing follows these as a first one.
GAPS = range(1, 5)
PAIRS_OF_KINDS = [
    (first, second) for first in KINDS if first not in {"killed", "time out"} for second in KINDS
]


def sample(calls: int, offset: int, number: int) -> Iterator[tuple[Fault, Fault]]:
    """A fixed sample of this number of all pairs of faults in a run of this number of calls.

    Each case combines the next pair of calls with the next pair of kinds, and goes through each list in steps
    that reach every item before any item twice. With the offset each operation begins at other kinds.
    """
    places = [(at, at + gap) for at in range(calls) for gap in GAPS]
    for case in range(number):
        at, then = places[case * _step(len(places)) % len(places)]
        # One kind further after each round of the places, so that all combinations occur.
        kinds = offset + case * _step(len(PAIRS_OF_KINDS)) + case // len(places)
        first, second = PAIRS_OF_KINDS[kinds % len(PAIRS_OF_KINDS)]
        yield Fault(first, at), Fault(second, then)


def offset(number: int) -> int:
    """Where the operation with this number begins in PAIRS_OF_KINDS."""
    return 63 + 11 * number


def _step(length: int) -> int:
    """About a third of the length, coprime to it."""
    return next(step for step in range(length // 3 + 1, length + 2) if gcd(step, length) == 1)


def test_two_faults_in_one_request(repeated: "RepeatedOperation") -> None:
    """100 pairs for each operation, three in a build; among them one that once left a policy behind."""
    pairs = sample(repeated.calls, offset(repeated.number), 3 if IN_CODEBUILD else 100)
    both_struck = [repeated.run(*pair) for pair in pairs]
    assert sum(both_struck) > 25 or IN_CODEBUILD


def test_the_sample_has_every_pair_of_calls_and_of_kinds() -> None:
    samples = [list(sample(8, offset(number), 100)) for number in range(len(OPERATIONS))]
    for pairs in samples:
        assert {(first.at, second.at) for first, second in pairs} == {
            (at, at + gap) for at in range(8) for gap in GAPS
        }
    kinds = {(first.kind, second.kind) for pairs in samples for first, second in pairs}
    assert kinds == set(PAIRS_OF_KINDS)


class RepeatedOperation:
    """One operation from one state of the organizations, run repeatedly with different faults."""

    def __init__(self, function: Function, name: str) -> None:
        # Two minutes instead of fifteen: "throttled forever" then takes 20 calls instead of 150.
        function.aws.clock.limit = 120
        self.number = list(OPERATIONS).index(name)
        self._function, self._operation = function, OPERATIONS[name]
        self._state, self._policy_id, self._known = _start(function, self._operation)
        self.calls = 0  # without any fault
        self.run()

    def run(self, *faults: Fault) -> bool:
        """False if the run had no call for the last fault to strike."""
        function, operation, state, policy_id = (
            self._function,
            self._operation,
            self._state,
            self._policy_id,
        )
        function.aws.organizations = copies(state)
        uncovered = _watch(function, operation, policy_id)
        response = function.invoke(operation.request(policy_id), *faults)
        calls = list(function.aws.calls)
        self.calls = self.calls or len(calls)
        label = f"{faults} in {calls}: {response and response['Reason']}"
        struck = [fault for fault in faults if fault.at < len(calls)]

        assert not uncovered, f"a: {label}"
        self._assert_others_unchanged(label)
        if all(fault.kind in HEALS or calls[fault.at] in VERIFICATION for fault in struck):
            assert (response is None) == any(fault.kind == "killed" for fault in struck), label
            assert response is None or response["Status"] == "SUCCESS", label
        self._assert_honest(response, label)
        after = function.aws.snapshot()

        repeated = function.invoke(operation.request(policy_id))
        assert repeated, label
        assert repeated["Status"] == "SUCCESS", f"e: again after {label}: {repeated['Reason']}"
        if operation.is_rollback and repeated["PhysicalResourceId"] != policy_id:
            self._delete(policy_id, operation.old)
        self._assert_as_wanted(operation.new, repeated, f"e: again after {label}")
        assert not uncovered, f"a: again after {label}"
        self._assert_others_unchanged(label)

        if operation.new is not None and not operation.is_rollback and (response or operation.old):
            function.aws.organizations = after
            self._roll_back(response, f"e: rollback after {label}")
            assert not uncovered, f"a: rollback after {label}"
            self._assert_others_unchanged(label)
        return len(struck) == len(faults) > 0

    def _roll_back(self, response: dict[str, Any] | None, label: str) -> None:
        """CloudFormation's rollback of a stack operation: the ID is that of this resource's response."""
        operation = self._operation
        succeeded = response is not None and response["Status"] == "SUCCESS"
        if operation.old is None:
            assert response
            deleted = self._delete(response["PhysicalResourceId"], operation.new)
            assert deleted["Status"] == "SUCCESS", label
            left = self._ours().values()
            assert not left or (operation.leftover and [policy.targets for policy in left] == [[]]), label
            return
        current = response["PhysicalResourceId"] if response and succeeded else self._policy_id
        back = event(
            "Update",
            operation.old,
            OldResourceProperties=operation.new,
            PhysicalResourceId=current,
            RequestId="request-Rollback",
        )
        restored = self._function.invoke(back)
        assert restored, label
        assert restored["Status"] == "SUCCESS", f"{label}: {restored['Reason']}"
        if restored["PhysicalResourceId"] != current:
            # CloudFormation's clean-up deletes what the resource no longer refers to.
            self._delete(current, operation.new)
        self._assert_as_wanted(operation.old, restored, label, and_nothing_else=True)

    def _delete(self, policy_id: str | None, given: dict[str, Any] | None) -> dict[str, Any]:
        response = self._function.invoke(event("Delete", given or {}, PhysicalResourceId=policy_id))
        assert response
        return response

    def _assert_honest(self, response: dict[str, Any] | None, label: str) -> None:
        """SUCCESS means as requested; "reverted" and "nothing was changed" mean as before."""
        if response is None:
            return
        if response["Status"] == "FAILED" and self._operation.old:
            assert response["PhysicalResourceId"] == self._policy_id, (
                f"CloudFormation would delete it: {label}"
            )
        if response["Status"] == "SUCCESS":
            self._assert_as_wanted(self._operation.new, response, f"d: {label}")
        elif self._operation.new is not None and "left to the rollback" not in response["Reason"]:
            before, now = _facts(self._state), _facts(self._function.aws.organizations)
            if self._operation.leftover:  # it may have been removed, and is not made again
                before, now = (
                    {key: fact for key, fact in facts.items() if key not in self._known}
                    for facts in (before, now)
                )
            assert now == before, f"d: {label}"

    def _assert_as_wanted(
        self,
        desired: dict[str, Any] | None,
        response: dict[str, Any],
        label: str,
        *,
        and_nothing_else: bool = False,
    ) -> None:
        ours = self._ours()
        if desired is None:
            assert not ours, label
            return
        policy = ours[desired["OrgManagementAccount"], response["PhysicalResourceId"]]
        assert policy.name == desired["PolicyName"], label
        assert policy.description == desired["PolicyDescription"], label
        assert sorted(policy.targets) == sorted(desired["PolicyTargets"]), label
        expected = copy.deepcopy(desired["PolicyContent"])
        if "S3" in expected:
            expected = plan(days="30")
        for each in expected["plans"].values():
            each["regions"] = {"@@assign": desired["PolicyRegions"]}
        assert json.loads(policy.content) == expected, label
        in_this_organization = [account for account, _ in ours if account == desired["OrgManagementAccount"]]
        assert len(in_this_organization) == 1, f"orphan: {label}"
        if and_nothing_else:
            assert len(ours) == 1, f"orphan: {label}"

    def _assert_others_unchanged(self, label: str) -> None:
        others, before = (
            {
                key: fact
                for key, fact in _facts(organizations).items()
                if fact[4].get(Owner.TAG_STACK) != STACK and key not in self._known
            }
            for organizations in (self._function.aws.organizations, self._state)
        )
        assert others == before, f"b: {label}"

    def _ours(self) -> dict[tuple[str, str], StoredPolicy]:
        return {
            (account, policy.id): policy
            for account, organization in self._function.aws.organizations.items()
            for policy in organization.policies.values()
            if policy.tags.get(Owner.TAG_STACK) == STACK or (account, policy.id) in self._known
        }


def _start(
    function: Function, operation: Operation
) -> tuple[dict[str, FakeOrganization], str | None, set[tuple[str, str]]]:
    """The organizations before the request, with neighbors that must never be touched.

    Also the physical id, and where the policies are that this resource has.
    """
    function.aws.objects["bucket", "key", None] = json.dumps(plan(days="30")).encode()
    for organization in function.aws.organizations.values():
        organization.page = operation.page
        organization.add("daily-critical", targets=[OU_1, OU_2])
        organization.add(
            "dail", tags={Owner.TAG_STACK: "arn:of:another:stack", Owner.TAG_RESOURCE: "DailyPolicy"}
        )
    known = set()
    if operation.leftover:
        tags = Owner(STACK, "DailyPolicy", "an earlier request").tags()
        known.add((MANAGEMENT, function.organization.add("daily", tags=tags).id))
    policy_id = function.create() if operation.old else None
    if policy_id:
        known.add((MANAGEMENT, policy_id))
    if operation.untagged and policy_id:
        function.organization.policies[policy_id].tags.clear()
    if operation.is_rollback:
        assert operation.new
        response = function.invoke(
            event(
                "Update",
                operation.old or {},
                OldResourceProperties=operation.new,
                PhysicalResourceId=policy_id,
            )
        )
        assert response
        policy_id = response["PhysicalResourceId"]
    if operation.deleted_by_hand and policy_id:
        del function.organization.policies[policy_id]
    return function.aws.snapshot(), policy_id, known


def _watch(function: Function, operation: Operation, policy_id: str | None) -> list[str]:
    """The targets that are old and new, seen without the policy after any call: none, if all is well."""
    uncovered: list[str] = []
    old, new = operation.old, operation.new
    kept = set(old["PolicyTargets"]) & set(new["PolicyTargets"]) if old and new else set()

    def after_call() -> None:
        working = function.aws.organizations[MANAGEMENT].policies.get(policy_id or "")
        if working is not None:
            uncovered.extend(kept - set(working.targets))

    function.aws.after_call = after_call
    return uncovered


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
