"""Backup policies as AWS Organizations returns them, which of them are in effect, and a watch over that."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.names import BACKUP_POLICIES, POLICY_NAMES
from rehearsal.checks.backup_policies import policy_ids, policy_targets
from rehearsal.errors import OutcomeError
from rehearsal.machine import waiting

PLANS: Final = frozenset(published.plan for published in BACKUP_POLICIES)
_PAUSE_SECONDS: Final = 0.01  # the policies may never be out of effect, not even for a moment


@dataclass(frozen=True)
class Policy:
    """A backup policy."""

    identifier: str
    content: str
    targets: frozenset[str]


def read(organizations: Any, identifier: str) -> Policy:
    """A policy, its content in a form in which the order of keys does not matter."""
    content = json.loads(organizations.describe_policy(PolicyId=identifier)["Policy"]["Content"])
    return Policy(identifier, compact(content), policy_targets(organizations, identifier))


def compact(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


class Policies:
    """The backup policies of an organization, through a client of its management account.

    `members` are the accounts in which both of our policies should be in effect.
    """

    def __init__(self, organizations: Any, members: Sequence[str]) -> None:
        self._organizations = organizations
        self._members = members

    def ours(self) -> dict[str, Policy]:
        """Our policies by name. Raises OutcomeError if one does not exist."""
        ids = policy_ids(self._organizations)
        if missing := set(POLICY_NAMES) - set(ids):
            raise OutcomeError(f"the backup policy {', '.join(sorted(missing))} does not exist.")
        return {name: read(self._organizations, ids[name]) for name in POLICY_NAMES}

    def expect_ours(self, expected: Mapping[str, Policy]) -> None:
        found = self.ours()
        for name, policy in expected.items():
            if found[name] != policy:
                raise OutcomeError(f"the policy {name} is {found[name]} instead of {policy}.")

    def expect_no_ours(self) -> None:
        if left := set(policy_ids(self._organizations)) & set(POLICY_NAMES):
            raise OutcomeError(f"the backup policy {', '.join(sorted(left))} still exists.")

    def expect_unchanged(self, name: str, policy: Policy) -> None:
        if (found := read(self._organizations, policy.identifier)) != policy:
            raise OutcomeError(f"the policy {name} was {policy} and is {found}.")

    def expect_attached(self, target: str, expected: Sequence[str]) -> None:
        """Exactly these policies (IDs) are attached to a root, OU or account."""
        pages = self._organizations.get_paginator("list_policies_for_target").paginate(
            TargetId=target, Filter="BACKUP_POLICY"
        )
        if (attached := [policy["Id"] for page in pages for policy in page["Policies"]]) != list(expected):
            raise OutcomeError(f"{target} has the backup policies {attached} instead of {list(expected)}.")

    def expect_in_members(self, plans: set[str] | frozenset[str]) -> None:
        for member in self._members:
            self.expect_in_effect(member, plans)

    def expect_in_effect(self, account: str, plans: set[str] | frozenset[str]) -> None:
        """Exactly these backup plans are in effect in an account."""
        if (found := set(self._effective(account))) != plans:
            raise OutcomeError(
                f"account {account} has the backup plans {sorted(found) or 'none'} "
                f"instead of {sorted(plans) or 'none'}."
            )

    def expect_schedule_in_members(self, schedule: str) -> None:
        for member in self._members:
            if (found := _daily_schedule(self._effective(member))) != schedule:
                raise OutcomeError(f"in account {member} the daily backup starts at {found}.")

    @contextmanager
    def watched(self, schedule: str | None = None) -> Iterator[Callable[[], str]]:
        """During the block, check continuously that both policies are in effect in every member account.

        schedule: of the daily backup. Raises OutcomeError if anything was different at any time. Yields a
        function that returns the number of checks in words.
        """
        faults: list[str] = []
        checks, stop = [0], threading.Event()

        def check() -> None:
            for member in self._members:
                plans = self._effective(member)
                if missing := PLANS - set(plans):
                    faults.append(f"account {member} was without {', '.join(sorted(missing))}")
                elif schedule and (found := _daily_schedule(plans)) != schedule:
                    faults.append(f"in account {member} the daily backup started at {found}")
            checks[0] += 1

        def ended() -> bool:
            stopped = stop.is_set()  # before the last check, which therefore comes after the block
            check()
            return stopped or bool(faults)

        def watch() -> None:
            try:
                waiting.until(ended, pause=_PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 - a watch that ended early has seen nothing
                faults.append(f"the effective policies could not be read: {error}")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield lambda: f"in effect in all {checks[0]} checks during the change"
        finally:
            stop.set()
            thread.join()
        if faults:
            raise OutcomeError(*faults)

    def _effective(self, account: str) -> dict[str, Any]:
        """The backup plans in effect in an account, by name."""
        try:
            response = self._organizations.describe_effective_policy(
                PolicyType="BACKUP_POLICY", TargetId=account
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "EffectivePolicyNotFoundException":
                return {}
            raise
        plans: dict[str, Any] = json.loads(response["EffectivePolicy"]["PolicyContent"]).get("plans", {})
        return plans


def _daily_schedule(plans: Mapping[str, Any]) -> object:
    """When the daily backup starts by an effective policy, whose values have no operators."""
    daily = BACKUP_POLICIES[0]
    return plans[daily.plan]["rules"][daily.rule]["schedule_expression"]
