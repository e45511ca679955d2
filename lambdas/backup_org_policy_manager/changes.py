"""Create, Update and Delete of one backup policy, each all or nothing.

The order of the changes leaves no target unprotected: first the policy itself (Organizations refuses bad
content without changing anything), then new targets, then targets to remove. Every change is recorded with
its opposite before it is made, so that a failure is reverted even if the response to the last call was lost.

No state is kept between runs. After a run that was killed, the next one reads what is there and finishes it:
the same request again (Lambda repeats it) or CloudFormation's rollback. Tags on the policy connect the runs.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from . import policy as policies
from .errors import CallFailedError, NameTakenError, OutOfTimeError, PolicyManagerError, RevertedError
from .organizations import Organization, Policy
from .request import POLICY_TYPE, DesiredPolicy, Owner, Request, account_of
from .retrier import UNDO_RESERVE

log = logging.getLogger(__name__)

# For a name that is taken by no listed policy: half a minute, longer than Organizations' list lags behind.
MAX_NAME_LOOKUPS = 6


@dataclass
class UndoLog:
    """The changes that one request has made so far, each with its opposite."""

    planned: int = 0
    made: int = 0
    created: str | None = None
    _opposites: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def record(self, what: str, opposite: Callable[[], None]) -> None:
        self._opposites.append((what, opposite))

    def change(self, what: str, action: Callable[[], None], opposite: Callable[[], None]) -> None:
        self.record(what, opposite)
        action()
        self.made += 1

    def undo(self) -> list[str]:
        """Undo every change, the latest first; returns the changes that could not be undone."""
        left = []
        for what, opposite in reversed(self._opposites):
            try:
                opposite()
            except PolicyManagerError as error:
                log.warning("action=undo subject=%s failed: %s", what, error)
                left.append(what)
        return left


@contextmanager
def _all_or_nothing() -> Iterator[UndoLog]:
    """Reverts the changes if the block fails, and raises RevertedError."""
    undo_log = UndoLog()
    try:
        yield undo_log
    except Exception as cause:
        left = undo_log.undo()
        policy_id = undo_log.created if left else None
        raise RevertedError(cause, undo_log.made, undo_log.planned, left, policy_id) from cause


def create(owner: Owner, desired: DesiredPolicy, organization: Organization) -> str:
    """The ID of the policy, attached to every target.

    A policy with this name is finished if an interrupted run of this request left it, and deleted if an
    earlier request of this resource left it unattached. Otherwise the name is refused.
    """
    with _all_or_nothing() as undo_log:
        return _create(
            owner, desired, organization, undo_log, may_resume=lambda _, tags: owner.matches_request(tags)
        )


def update(
    request: Request,
    desired: DesiredPolicy,
    organization: Organization,
    organization_of: Callable[[str], Organization],
) -> str:
    """The ID of the policy: changed in place if it is in this organization, otherwise a new one.

    A new ID, after a move to another organization or a deletion by hand, makes CloudFormation delete the old
    one. `organization_of` returns the organization of another management account. Old and new properties are
    not compared, so a rollback is an ordinary Update.
    """
    owner = request.owner

    def may_resume(policy_id: str, tags: dict[str, str]) -> bool:
        # There is no policy with the physical ID. So a policy that this resource created is a leftover of an
        # interrupted Update, and an untagged one is ours if the policy with that ID replaced it.
        if Owner.TAG_STACK in tags:
            return owner.matches_resource(tags)
        return policy_id == request.policy_id or policy_id == _predecessor(request, desired, organization_of)

    with _all_or_nothing() as undo_log:
        existing = _existing(request, organization)
        if existing is None:
            policy_id = _create(
                owner, desired, organization, undo_log, may_resume=may_resume, previous=request.policy_id
            )
        else:
            policy_id = existing.id
            _converge(existing, desired, owner, organization, undo_log)
    if existing is not None and undo_log.made:
        _add_owner_tags(owner, policy_id, organization)
    _remove_leftover(request, desired, policy_id, organization_of, is_new=existing is None)
    return policy_id


def is_in_effect(request: Request, desired: DesiredPolicy, organization: Organization) -> bool:
    """True if the policy is as desired, so that an Update has nothing to change."""
    policy = _existing(request, organization)
    return (
        policy is not None
        and not _differs(policy, desired)
        and set(organization.targets(policy.id)) == set(desired.targets)
    )


def delete(request: Request, policy_id: str, organization: Organization) -> None:
    """Detach the policy everywhere and delete it, unless its tags name another owner."""
    tags = organization.tags(policy_id)
    if tags is None:
        log.info("action=delete policy=%s result=already-gone", policy_id)
    elif request.owner.conflicts_with(tags):
        log.warning("action=delete policy=%s result=left-alone owner=%s", policy_id, tags[Owner.TAG_STACK])
    else:
        detach_and_delete(policy_id, organization)


def delete_leftover(request: Request, name: str, organization: Callable[[], Organization]) -> None:
    """Delete what a failed Create may have left, found by name and owner tags, if it is unattached.

    An attached policy was retained on purpose. A look-up that fails does not block the stack's
    deletion.
    """
    try:
        found_in = organization()
        left = _find_ours(name, request.owner, found_in)
    except PolicyManagerError as error:
        log.warning("action=delete name=%s result=not-looked-up reason=%s", name, error)
        return
    if left is not None and not found_in.delete(left):
        log.warning("action=delete policy=%s result=left-alone reason=attached", left)


def detach_and_delete(policy_id: str, organization: Organization) -> None:
    """Detach the policy from every target and delete it."""
    tries = 0
    while True:
        for target in organization.targets(policy_id):
            organization.detach(policy_id, target)
        if organization.delete(policy_id):
            return
        # Organizations' list lags behind, or the policy was attached by hand in the meantime.
        organization.retrier.wait(f"DeletePolicy {policy_id}", tries, "PolicyInUseException")
        tries += 1


def _existing(request: Request, organization: Organization) -> Policy | None:
    """The backup policy with the physical ID, if it is in this organization and no other owner's."""
    if request.policy_id is None:
        return None
    try:
        policy = organization.policy(request.policy_id)
    except CallFailedError as error:
        # The role cannot read policies of another type, which this resource may have had.
        if error.code == "AccessDeniedException" and _had_another_type(request):
            return None
        raise
    if policy is None or policy.type != POLICY_TYPE:
        return None
    names = {properties.get("PolicyName") for properties in (request.properties, request.old_properties)}
    if policy.name not in names and request.owner.conflicts_with(organization.tags(policy.id) or {}):
        # The policy has neither the old nor the new name, and its tags name another owner.
        return None
    return policy


def _had_another_type(request: Request) -> bool:
    return bool(request.old_properties.get("PolicyType", POLICY_TYPE) != POLICY_TYPE)


def _predecessor(
    request: Request, desired: DesiredPolicy, organization_of: Callable[[str], Organization]
) -> str | None:
    """After a move to another organization: the policy that the one with the physical ID replaced."""
    account = account_of(request.old_properties)
    if request.policy_id is None or account is None or account == desired.management_account:
        return None
    tags = organization_of(account).tags(request.policy_id) or {}
    return tags.get(Owner.TAG_PREVIOUS) if request.owner.matches_resource(tags) else None


def _create(
    owner: Owner,
    desired: DesiredPolicy,
    organization: Organization,
    undo_log: UndoLog,
    *,
    may_resume: Callable[[str, dict[str, str]], bool],
    previous: str | None = None,
) -> str:
    undo = organization.with_reserve(UNDO_RESERVE)
    undo_log.planned = 1 + len(desired.targets)

    def remove_created() -> None:
        left = undo.find(desired.name)
        if left is not None and owner.matches_request(undo.tags(left) or {}):
            detach_and_delete(left, undo)

    tags = owner.tags() | ({Owner.TAG_PREVIOUS: previous} if previous else {})
    try:
        policy_id, found_tags = _create_or_find(desired, tags, owner, organization, may_resume)
    except Exception as error:
        if getattr(error, "outcome_unknown", True):
            undo_log.record(f"policy {desired.name}", remove_created)
        raise
    if found_tags is not None:
        return _resume(policy_id, found_tags, owner, desired, organization, undo_log)
    undo_log.created, undo_log.made = policy_id, 1
    undo_log.record(f"policy {policy_id}", partial(detach_and_delete, policy_id, undo))
    for target in desired.targets:
        organization.attach(policy_id, target)
        undo_log.made += 1
    return policy_id


def _create_or_find(
    desired: DesiredPolicy,
    tags: dict[str, str],
    owner: Owner,
    organization: Organization,
    may_resume: Callable[[str, dict[str, str]], bool],
) -> tuple[str, dict[str, str] | None]:
    """A new policy; or the one with this name, and its tags, if it may be resumed."""
    tries, unknown = 0, False
    while True:
        try:
            policy_id = organization.create(desired, tags)
            if policy_id is not None:
                return policy_id, None
            unknown = True  # until the name's policy is known: it may come from a try whose response was lost
            holder = _find_or_wait(desired.name, tries, organization)
            unknown = holder is None
        except (CallFailedError, OutOfTimeError) as error:
            error.outcome_unknown = error.outcome_unknown or unknown
            raise
        if holder is not None and may_resume(*holder):
            return holder
        if holder is not None:
            _free_name(desired.name, *holder, owner, organization)
        tries += 1


def _find_or_wait(name: str, tries: int, organization: Organization) -> tuple[str, dict[str, str]] | None:
    """The policy with this name and its tags; None, after a wait, if none is listed."""
    policy_id = organization.find(name)
    tags = organization.tags(policy_id) if policy_id is not None else None
    if policy_id is not None and tags is not None:
        return policy_id, tags
    # It was deleted in the meantime, or Organizations' list lags behind.
    if tries == MAX_NAME_LOOKUPS:
        raise CallFailedError(
            f"policy name {name}", "DuplicatePolicyException", "no backup policy with this name is listed"
        )
    organization.retrier.wait(f"policy name {name}", tries, "DuplicatePolicyException")
    return None


def _free_name(
    name: str, policy_id: str, tags: dict[str, str], owner: Owner, organization: Organization
) -> None:
    """Delete what an earlier request of this resource left unattached; otherwise refuse the name.

    AWS refuses DeletePolicy for an attached policy, so a retained one is never deleted.
    """
    if not owner.matches_resource(tags) or not organization.delete(policy_id):
        raise NameTakenError(name, policy_id, _describe_owner(owner, tags))


def _resume(
    policy_id: str,
    tags: dict[str, str],
    owner: Owner,
    desired: DesiredPolicy,
    organization: Organization,
    undo_log: UndoLog,
) -> str:
    """Finish the policy of an interrupted run."""
    log.info("action=resume policy=%s", policy_id)
    if owner.matches_request(tags):
        undo = organization.with_reserve(UNDO_RESERVE)
        undo_log.created = policy_id
        undo_log.record(f"policy {policy_id}", partial(detach_and_delete, policy_id, undo))
    found = organization.policy(policy_id)
    if found is None:
        raise CallFailedError(
            f"DescribePolicy {policy_id}", "PolicyNotFoundException", "deleted in the meantime; try again"
        )
    _converge(found, desired, owner, organization, undo_log)
    if Owner.TAG_STACK not in tags:
        _add_owner_tags(owner, policy_id, organization)
    return policy_id


def _add_owner_tags(owner: Owner, policy_id: str, organization: Organization) -> None:
    """Tag a policy that is ours by its ID but has no owner tags. A failure is logged only."""
    try:
        tags = organization.tags(policy_id)
        if tags is not None and Owner.TAG_STACK not in tags:
            organization.tag(policy_id, owner.tags())
    except PolicyManagerError as error:
        log.warning("action=tag policy=%s result=not-possible reason=%s", policy_id, error)


def _find_ours(name: str, owner: Owner, organization: Organization) -> str | None:
    """The ID of the policy with this name, if this resource created it."""
    policy_id = organization.find(name)
    if policy_id is None or not owner.matches_resource(organization.tags(policy_id) or {}):
        return None
    return policy_id


def _describe_owner(owner: Owner, tags: dict[str, str]) -> str:
    """Whose policy it is. Never suggests deleting it: it may be in effect."""
    stack = tags.get(Owner.TAG_STACK)
    if stack is None:
        return "has no owner tags, so its owner is unknown"
    if owner.matches_resource(tags):
        return "was left by an earlier, unfinished request of this resource"
    if stack == owner.stack:
        return f"belongs to resource {tags.get(Owner.TAG_RESOURCE)} of this stack"
    return f"belongs to stack {_stack_name(stack)}"


def _stack_name(stack: str) -> str:
    """The name in a stack's ARN, which is shorter."""
    return stack.split("/")[1] if stack.count("/") == 2 else stack


def _converge(
    policy: Policy, desired: DesiredPolicy, owner: Owner, organization: Organization, undo_log: UndoLog
) -> None:
    """Change only what differs."""
    undo = organization.with_reserve(UNDO_RESERVE)
    attached = organization.targets(policy.id)
    new = [target for target in desired.targets if target not in attached]
    old = [target for target in attached if target not in desired.targets]
    differs = _differs(policy, desired)
    undo_log.planned += differs + len(new) + len(old)
    if differs:
        undo_log.change(
            f"content of {policy.id}",
            partial(_update_policy, policy, desired, owner, organization),
            partial(_restore_policy, policy, undo),
        )
    for target in new:
        undo_log.change(
            f"attachment to {target}",
            partial(organization.attach, policy.id, target),
            partial(undo.detach, policy.id, target),
        )
    for target in old:
        undo_log.change(
            f"detachment from {target}",
            partial(organization.detach, policy.id, target),
            partial(undo.attach, policy.id, target),
        )


def _differs(policy: Policy, desired: DesiredPolicy) -> bool:
    return (policy.name, policy.description) != (desired.name, desired.description) or not policies.same(
        policy.content, desired.content
    )


def _update_policy(policy: Policy, desired: DesiredPolicy, owner: Owner, organization: Organization) -> None:
    tries = 0
    while not organization.update(policy.id, desired.name, desired.description, desired.content):
        holder = _find_or_wait(desired.name, tries, organization)
        if holder is not None:
            _free_name(desired.name, *holder, owner, organization)
        tries += 1


def _restore_policy(policy: Policy, organization: Organization) -> None:
    if not organization.update(policy.id, policy.name, policy.description, policy.content):
        raise CallFailedError(
            f"UpdatePolicy {policy.id}", "DuplicatePolicyException", f"the name {policy.name} is taken"
        )


def _remove_leftover(
    request: Request,
    desired: DesiredPolicy,
    policy_id: str,
    organization_of: Callable[[str], Organization],
    *,
    is_new: bool,
) -> None:
    """Delete what a failed Update created where its rollback does not look for the policy.

    That is in another organization, after a move that failed, or under another name, if the policy had been
    deleted by hand. This resource has exactly one policy, the one with its physical ID; any other policy with
    its tags is a leftover. The rollback is complete by then, so a failure here is logged only.
    """
    account, name = account_of(request.old_properties), request.old_properties.get("PolicyName")
    if account is None or not isinstance(name, str):
        return
    if is_new:
        may_be_left = account == desired.management_account and name != desired.name
    else:
        may_be_left = account != desired.management_account
    if not may_be_left:
        return
    try:
        organization = organization_of(account)
        left = _find_ours(name, request.owner, organization)
        if left not in {None, policy_id, request.policy_id}:
            detach_and_delete(str(left), organization)
    except PolicyManagerError as error:
        log.warning("action=remove-leftover account=%s result=not-possible reason=%s", account, error)
