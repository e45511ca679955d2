"""Create, Update and Delete of one backup policy, each all or nothing.

A change is made in the order that leaves no target unprotected: first the policy itself (Organizations
refuses bad content without a trace), then new targets, last the targets that are no longer wanted. Every
change is noted with its opposite before it is made, so that a failure on the way, also a call whose answer
never came, is put back.

Nothing is remembered between runs. A run that was killed is continued by the next one, which reads what is
there: the same request again (Lambda repeats it), or CloudFormation's rollback.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from . import policy as policies
from .errors import CallFailedError, NameTakenError, OutOfTimeError, PolicyManagerError, RevertedError
from .organizations import Organization, Policy
from .patience import UNDO_RESERVE
from .request import POLICY_TYPE, Owner, Request, Wanted, account_of

log = logging.getLogger(__name__)


@dataclass
class Journal:
    """What one request has changed so far, each with its opposite."""

    planned: int = 0
    made: int = 0
    created: str | None = None
    _opposites: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def note(self, what: str, opposite: Callable[[], None]) -> None:
        self._opposites.append((what, opposite))

    def change(self, what: str, action: Callable[[], None], opposite: Callable[[], None]) -> None:
        self.note(what, opposite)
        action()
        self.made += 1

    def put_back(self) -> list[str]:
        """Undo everything, the latest change first; what could not be undone."""
        left = []
        for what, opposite in reversed(self._opposites):
            try:
                opposite()
            except PolicyManagerError as error:
                log.warning("action=undo subject=%s failed: %s", what, error)
                left.append(what)
        return left


@contextmanager
def _all_or_nothing() -> Iterator[Journal]:
    """Puts back what was changed if the block fails, and raises RevertedError."""
    journal = Journal()
    try:
        yield journal
    except Exception as cause:
        left = journal.put_back()
        policy_id = journal.created if left else None
        raise RevertedError(cause, journal.made, journal.planned, left, policy_id) from cause


def create(owner: Owner, wanted: Wanted, organization: Organization) -> str:
    """The id of the policy, attached to every target.

    A policy that an interrupted run of this very request left is finished; any other one of this name is
    refused.
    """
    with _all_or_nothing() as journal:
        return _create(owner, wanted, organization, journal, may_continue=owner.is_request_of)


def update(
    request: Request, wanted: Wanted, organization: Organization, other: Callable[[str], Organization]
) -> str:
    """The id of the policy as wanted: changed in place if it is in this organization, else a new one.

    Another organization, or a policy that was deleted by hand, leads to a new id; CloudFormation then deletes
    the old one. `other` gives the organization of another management account.
    """
    with _all_or_nothing() as journal:
        existing = _existing(request, organization)
        if existing is None:
            # No policy is behind the physical id, so one that this resource made can only be a leftover of an
            # interrupted Update.
            return _create(
                request.owner, wanted, organization, journal, may_continue=request.owner.is_resource_of
            )
        _converge(existing, wanted, organization, journal)
    _remove_leftover_elsewhere(request, wanted, existing.id, other)
    return existing.id


def delete(request: Request, policy_id: str, organization: Organization) -> None:
    """Detach the policy everywhere and delete it, unless somebody else's tag is on it."""
    tags = organization.tags(policy_id)
    if tags is None:
        log.info("action=delete policy=%s result=already-gone", policy_id)
    elif request.owner.is_stranger_to(tags):
        log.warning("action=delete policy=%s result=left-alone owner=%s", policy_id, tags[Owner.TAG_STACK])
    else:
        remove(policy_id, organization)


def remove(policy_id: str, organization: Organization) -> None:
    """Detach and delete, whatever of it is still to be done."""
    tries = 0
    while True:
        for target in organization.targets(policy_id):
            organization.detach(policy_id, target)
        if organization.delete(policy_id):
            return
        # Still in use: Organizations' list was behind, or somebody attached it meanwhile.
        organization.patience.pause(f"DeletePolicy {policy_id}", tries, "PolicyInUseException")
        tries += 1


def _existing(request: Request, organization: Organization) -> Policy | None:
    """The backup policy behind the physical id, if it is in this organization and nobody else's."""
    if request.policy_id is None or request.old_properties.get("PolicyType", POLICY_TYPE) != POLICY_TYPE:
        return None
    policy = organization.policy(request.policy_id)
    if policy is None or policy.type != POLICY_TYPE:
        return None
    names = {properties.get("PolicyName") for properties in (request.properties, request.old_properties)}
    if policy.name not in names and request.owner.is_stranger_to(organization.tags(policy.id) or {}):
        # CloudFormation's record and the policy disagree about the name, and the tag names another owner.
        return None
    return policy


def _create(
    owner: Owner,
    wanted: Wanted,
    organization: Organization,
    journal: Journal,
    *,
    may_continue: Callable[[dict[str, str]], bool],
) -> str:
    undo = organization.keeping(UNDO_RESERVE)
    journal.planned = 1 + len(wanted.targets)

    def remove_by_name() -> None:
        left = undo.find(wanted.name)
        if left is not None and owner.is_request_of(undo.tags(left) or {}):
            remove(left, undo)

    tries = 0
    while True:
        try:
            policy_id = organization.create(wanted, owner.tags())
        except (CallFailedError, OutOfTimeError) as error:
            if error.maybe_done:
                journal.note(f"policy {wanted.name}", remove_by_name)
            raise
        if policy_id is not None:
            break
        taken = organization.find(wanted.name)
        tags = organization.tags(taken) if taken is not None else None
        if taken is not None and tags is not None:
            return _continue(taken, tags, owner, wanted, organization, journal, may_continue)
        # The policy of that name went away meanwhile, or Organizations' list is behind.
        organization.patience.pause(f"CreatePolicy {wanted.name}", tries, "DuplicatePolicyException")
        tries += 1

    journal.created, journal.made = policy_id, 1
    journal.note(f"policy {policy_id}", partial(remove, policy_id, undo))
    for target in wanted.targets:
        organization.attach(policy_id, target)
        journal.made += 1
    return policy_id


def _continue(
    policy_id: str,
    tags: dict[str, str],
    owner: Owner,
    wanted: Wanted,
    organization: Organization,
    journal: Journal,
    may_continue: Callable[[dict[str, str]], bool],
) -> str:
    """Finish what an interrupted run began, or refuse the name."""
    if not may_continue(tags):
        raise NameTakenError(wanted.name, policy_id, _describe_owner(owner, tags))
    log.info("action=continue policy=%s", policy_id)
    if owner.is_request_of(tags):
        undo = organization.keeping(UNDO_RESERVE)
        journal.created = policy_id
        journal.note(f"policy {policy_id}", partial(remove, policy_id, undo))
    found = organization.policy(policy_id)
    if found is None:
        raise CallFailedError(
            f"DescribePolicy {policy_id}", "PolicyNotFoundException", "deleted meanwhile; try again"
        )
    _converge(found, wanted, organization, journal)
    return policy_id


def _describe_owner(owner: Owner, tags: dict[str, str]) -> str:
    if owner.is_resource_of(tags):
        return "an earlier, unfinished request of this resource left"
    stack = tags.get(Owner.TAG_STACK)
    return f"belongs to stack {_stack_name(stack)}" if stack else "this stack did not create"


def _stack_name(stack: str) -> str:
    """The name in a stack's ARN, which leaves more room in a reason of 240 characters."""
    return stack.split("/")[1] if stack.count("/") == 2 else stack


def _converge(policy: Policy, wanted: Wanted, organization: Organization, journal: Journal) -> None:
    """Change what differs and nothing else."""
    undo = organization.keeping(UNDO_RESERVE)
    attached = organization.targets(policy.id)
    new = [target for target in wanted.targets if target not in attached]
    old = [target for target in attached if target not in wanted.targets]
    differs = (policy.name, policy.description) != (wanted.name, wanted.description) or not policies.same(
        policy.content, wanted.content
    )
    journal.planned += differs + len(new) + len(old)
    if differs:
        journal.change(
            f"content of {policy.id}",
            partial(_rewrite, policy, wanted, organization),
            partial(_write_back, policy, undo),
        )
    for target in new:
        journal.change(
            f"attachment to {target}",
            partial(organization.attach, policy.id, target),
            partial(undo.detach, policy.id, target),
        )
    for target in old:
        journal.change(
            f"detachment from {target}",
            partial(organization.detach, policy.id, target),
            partial(undo.attach, policy.id, target),
        )


def _rewrite(policy: Policy, wanted: Wanted, organization: Organization) -> None:
    if not organization.update(policy.id, wanted.name, wanted.description, wanted.content):
        raise NameTakenError(
            wanted.name, organization.find(wanted.name) or "unknown", "is not the policy of this resource"
        )


def _write_back(policy: Policy, organization: Organization) -> None:
    organization.update(policy.id, policy.name, policy.description, policy.content)


def _remove_leftover_elsewhere(
    request: Request, wanted: Wanted, policy_id: str, other: Callable[[str], Organization]
) -> None:
    """After a failed move to another organization: delete what its interrupted run left over there.

    This resource has exactly one policy, the one behind its physical id; any other one with its tags is
    left over. The rollback has done its work already, so what goes wrong here is logged and does not fail
    it.
    """
    account, name = account_of(request.old_properties), request.old_properties.get("PolicyName")
    if account is None or account == wanted.management_account or not isinstance(name, str):
        return
    try:
        organization = other(account)
        left = organization.find(name)
        if left not in {None, policy_id} and request.owner.is_resource_of(organization.tags(str(left)) or {}):
            remove(str(left), organization)
    except PolicyManagerError as error:
        log.warning("action=remove-leftover account=%s result=not-possible reason=%s", account, error)
