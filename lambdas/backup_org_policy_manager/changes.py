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

# For a policy whose name is taken: half a minute, then it is no lag of Organizations' list.
MAX_LOOKS = 6


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

    A policy that an interrupted run of this very request left is finished; what an earlier request of this
    resource left unattached makes room; any other one of this name is refused.
    """
    with _all_or_nothing() as journal:
        return _create(
            owner, wanted, organization, journal, may_continue=lambda _, tags: owner.is_request_of(tags)
        )


def update(
    request: Request, wanted: Wanted, organization: Organization, other: Callable[[str], Organization]
) -> str:
    """The id of the policy as wanted: changed in place if it is in this organization, else a new one.

    Another organization, or a policy that was deleted by hand, leads to a new id; CloudFormation then deletes
    the old one. `other` gives the organization of another management account.
    """
    owner = request.owner

    def may_continue(policy_id: str, tags: dict[str, str]) -> bool:
        # No policy was found behind the physical id. So one that this resource made is a leftover of an
        # interrupted Update, and one without tags is ours if the policy behind that id took its place.
        if Owner.TAG_STACK in tags:
            return owner.is_resource_of(tags)
        return policy_id == request.policy_id or policy_id == _predecessor(request, wanted, other)

    with _all_or_nothing() as journal:
        existing = _existing(request, organization)
        if existing is None:
            policy_id = _create(
                owner, wanted, organization, journal, may_continue=may_continue, previous=request.policy_id
            )
        else:
            policy_id = existing.id
            _converge(existing, wanted, owner, organization, journal)
    if existing is not None and journal.made:
        _label(owner, policy_id, organization)
    _remove_leftover(request, wanted, policy_id, other, made_anew=existing is None)
    return policy_id


def is_in_force(request: Request, wanted: Wanted, organization: Organization) -> bool:
    """True if the policy behind the physical id is as wanted, so that an Update has nothing to change."""
    policy = _existing(request, organization)
    return (
        policy is not None
        and not _differs(policy, wanted)
        and set(organization.targets(policy.id)) == set(wanted.targets)
    )


def delete(request: Request, policy_id: str, organization: Organization) -> None:
    """Detach the policy everywhere and delete it, unless somebody else's tag is on it."""
    tags = organization.tags(policy_id)
    if tags is None:
        log.info("action=delete policy=%s result=already-gone", policy_id)
    elif request.owner.is_stranger_to(tags):
        log.warning("action=delete policy=%s result=left-alone owner=%s", policy_id, tags[Owner.TAG_STACK])
    else:
        remove(policy_id, organization)


def delete_leftover(request: Request, name: str, organization: Callable[[], Organization]) -> None:
    """Remove what a failed Create may have left: by its name and its owner's tags, while it is unattached.

    Attached, it is no leftover but a policy that somebody retained. Where it cannot be looked up, the stack's
    deletion goes on.
    """
    try:
        organizations = organization()
        left = _ours_named(name, request.owner, organizations)
    except PolicyManagerError as error:
        log.warning("action=delete name=%s result=not-looked-up reason=%s", name, error)
        return
    if left is not None and not organizations.delete(left):
        log.warning("action=delete policy=%s result=left-alone reason=attached", left)


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
    if request.policy_id is None:
        return None
    try:
        policy = organization.policy(request.policy_id)
    except CallFailedError as error:
        # The role may not see policies of another type, and this resource may have had one.
        if error.code == "AccessDeniedException" and _had_another_type(request):
            return None
        raise
    if policy is None or policy.type != POLICY_TYPE:
        return None
    names = {properties.get("PolicyName") for properties in (request.properties, request.old_properties)}
    if policy.name not in names and request.owner.is_stranger_to(organization.tags(policy.id) or {}):
        # CloudFormation's record and the policy disagree about the name, and the tag names another owner.
        return None
    return policy


def _had_another_type(request: Request) -> bool:
    return bool(request.old_properties.get("PolicyType", POLICY_TYPE) != POLICY_TYPE)


def _predecessor(request: Request, wanted: Wanted, other: Callable[[str], Organization]) -> str | None:
    """After a move to another organization: the policy that the one behind the physical id came for."""
    account = account_of(request.old_properties)
    if request.policy_id is None or account is None or account == wanted.management_account:
        return None
    tags = other(account).tags(request.policy_id) or {}
    return tags.get(Owner.TAG_PREVIOUS) if request.owner.is_resource_of(tags) else None


def _create(
    owner: Owner,
    wanted: Wanted,
    organization: Organization,
    journal: Journal,
    *,
    may_continue: Callable[[str, dict[str, str]], bool],
    previous: str | None = None,
) -> str:
    undo = organization.keeping(UNDO_RESERVE)
    journal.planned = 1 + len(wanted.targets)

    def remove_by_name() -> None:
        left = undo.find(wanted.name)
        if left is not None and owner.is_request_of(undo.tags(left) or {}):
            remove(left, undo)

    tags = owner.tags() | ({Owner.TAG_PREVIOUS: previous} if previous else {})
    try:
        policy_id, found_tags = _claim(wanted, tags, owner, organization, may_continue)
    except Exception as error:
        if getattr(error, "maybe_done", True):
            journal.note(f"policy {wanted.name}", remove_by_name)
        raise
    if found_tags is not None:
        return _continue(policy_id, found_tags, owner, wanted, organization, journal)
    journal.created, journal.made = policy_id, 1
    journal.note(f"policy {policy_id}", partial(remove, policy_id, undo))
    for target in wanted.targets:
        organization.attach(policy_id, target)
        journal.made += 1
    return policy_id


def _claim(
    wanted: Wanted,
    tags: dict[str, str],
    owner: Owner,
    organization: Organization,
    may_continue: Callable[[str, dict[str, str]], bool],
) -> tuple[str, dict[str, str] | None]:
    """A new policy; or the one of this name, with its tags, if it may be continued."""
    tries, unclear = 0, False
    while True:
        try:
            policy_id = organization.create(wanted, tags)
            if policy_id is not None:
                return policy_id, None
            unclear = True  # until it is known who took the name: perhaps a try without an answer
            holder = _holder(wanted.name, tries, organization)
            unclear = holder is None
        except (CallFailedError, OutOfTimeError) as error:
            error.maybe_done = error.maybe_done or unclear
            raise
        if holder is not None and may_continue(*holder):
            return holder
        if holder is not None:
            _make_room(wanted.name, *holder, owner, organization)
        tries += 1


def _holder(name: str, tries: int, organization: Organization) -> tuple[str, dict[str, str]] | None:
    """The policy that has the name and its tags; None, after a pause, while none is listed (any more)."""
    policy_id = organization.find(name)
    tags = organization.tags(policy_id) if policy_id is not None else None
    if policy_id is not None and tags is not None:
        return policy_id, tags
    # It went away meanwhile, or Organizations' list is behind.
    if tries == MAX_LOOKS:
        raise CallFailedError(
            f"policy name {name}", "DuplicatePolicyException", "no backup policy of this name is listed"
        )
    organization.patience.pause(f"policy name {name}", tries, "DuplicatePolicyException")
    return None


def _make_room(
    name: str, policy_id: str, tags: dict[str, str], owner: Owner, organization: Organization
) -> None:
    """Delete what an earlier request of this resource left unattached; refuse any other policy's name."""
    if not owner.is_resource_of(tags) or not organization.delete(policy_id):
        raise NameTakenError(name, policy_id, _describe_owner(owner, tags))


def _continue(
    policy_id: str,
    tags: dict[str, str],
    owner: Owner,
    wanted: Wanted,
    organization: Organization,
    journal: Journal,
) -> str:
    """Finish what an interrupted run began, or take back what is ours."""
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
    _converge(found, wanted, owner, organization, journal)
    if Owner.TAG_STACK not in tags:
        _label(owner, policy_id, organization)
    return policy_id


def _label(owner: Owner, policy_id: str, organization: Organization) -> None:
    """Tag a policy that is ours by its id but has no owner's tags. It works without: nothing fails for it."""
    try:
        tags = organization.tags(policy_id)
        if tags is not None and Owner.TAG_STACK not in tags:
            organization.tag(policy_id, owner.tags())
    except PolicyManagerError as error:
        log.warning("action=tag policy=%s result=not-possible reason=%s", policy_id, error)


def _ours_named(name: str, owner: Owner, organization: Organization) -> str | None:
    """The policy of this name, if its tags say that this very resource made it."""
    policy_id = organization.find(name)
    if policy_id is None or not owner.is_resource_of(organization.tags(policy_id) or {}):
        return None
    return policy_id


def _describe_owner(owner: Owner, tags: dict[str, str]) -> str:
    """Whose the policy is, or that nobody knows. Never that it can be deleted: it may be in force."""
    stack = tags.get(Owner.TAG_STACK)
    if stack is None:
        return "has no owner's tags, so nobody knows whose it is"
    if owner.is_resource_of(tags):
        return "an earlier, unfinished request of this resource left"
    if stack == owner.stack:
        return f"belongs to resource {tags.get(Owner.TAG_RESOURCE)} of this stack"
    return f"belongs to stack {_stack_name(stack)}"


def _stack_name(stack: str) -> str:
    """The name in a stack's ARN, which leaves more room in a reason of 240 characters."""
    return stack.split("/")[1] if stack.count("/") == 2 else stack


def _converge(
    policy: Policy, wanted: Wanted, owner: Owner, organization: Organization, journal: Journal
) -> None:
    """Change what differs and nothing else."""
    undo = organization.keeping(UNDO_RESERVE)
    attached = organization.targets(policy.id)
    new = [target for target in wanted.targets if target not in attached]
    old = [target for target in attached if target not in wanted.targets]
    differs = _differs(policy, wanted)
    journal.planned += differs + len(new) + len(old)
    if differs:
        journal.change(
            f"content of {policy.id}",
            partial(_rewrite, policy, wanted, owner, organization),
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


def _differs(policy: Policy, wanted: Wanted) -> bool:
    return (policy.name, policy.description) != (wanted.name, wanted.description) or not policies.same(
        policy.content, wanted.content
    )


def _rewrite(policy: Policy, wanted: Wanted, owner: Owner, organization: Organization) -> None:
    tries = 0
    while not organization.update(policy.id, wanted.name, wanted.description, wanted.content):
        holder = _holder(wanted.name, tries, organization)
        if holder is not None:
            _make_room(wanted.name, *holder, owner, organization)
        tries += 1


def _write_back(policy: Policy, organization: Organization) -> None:
    if not organization.update(policy.id, policy.name, policy.description, policy.content):
        raise CallFailedError(
            f"UpdatePolicy {policy.id}", "DuplicatePolicyException", f"{policy.name} is taken"
        )


def _remove_leftover(
    request: Request,
    wanted: Wanted,
    policy_id: str,
    other: Callable[[str], Organization],
    *,
    made_anew: bool,
) -> None:
    """Delete what a failed Update made where this one, its rollback, no longer looks for the policy.

    That is in another organization, after a move that failed, or under another name, if the policy had been
    deleted by hand. This resource has exactly one policy, the one behind its physical id; any other one with
    its tags is left over. The rollback has done its work already, so what goes wrong here is logged and does
    not fail it.
    """
    account, name = account_of(request.old_properties), request.old_properties.get("PolicyName")
    if account is None or not isinstance(name, str):
        return
    if made_anew:
        may_be_left = account == wanted.management_account and name != wanted.name
    else:
        may_be_left = account != wanted.management_account
    if not may_be_left:
        return
    try:
        organization = other(account)
        left = _ours_named(name, request.owner, organization)
        if left not in {None, policy_id, request.policy_id}:
            remove(str(left), organization)
    except PolicyManagerError as error:
        log.warning("action=remove-leftover account=%s result=not-possible reason=%s", account, error)
