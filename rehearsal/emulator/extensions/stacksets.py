"""StackSets: the resource type, its operations in the target accounts, and automatic deployment.

ministack records AWS::CloudFormation::StackSet as a placeholder that does nothing. Emulated, after "Working
with StackSets" of the CloudFormation User Guide: one stack per target account and region, named
StackSet-<name>-<uuid>, from the body that TemplateURL points to at that moment; SELF_MANAGED (both roles must
exist and trust as AWS wants) and SERVICE_MANAGED (trusted access, and the management account or a delegated
administrator calling as one); organizational units resolved downwards, account filters; regions in sequence
or in parallel, as many accounts at a time and as much failure tolerance per region as OperationPreferences
say; automatic deployment when an account joins or leaves a target, in the order of AutoDeployment DependsOn,
without tolerance. stackset_api.py answers the read calls. Not emulated: the permissions of the administration
and execution roles beyond assuming them, drift, imports of stacks, ManagedExecution queues (operations never
collide here), StackSets made through the API instead of a template.
"""

import contextlib
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base, objects, organizations, stacks, stackset_roles
from rehearsal.emulator.extensions.stacks import Content, Place, StackFailedError

SERVICE = "member.org.stacksets.cloudformation.amazonaws.com"
_TYPE = "AWS::CloudFormation::StackSet"
_MOST_THREADS = 16


@dataclass(frozen=True)
class Preferences:
    """OperationPreferences: how many accounts of a region at a time, and how many of them may fail."""

    concurrent: Callable[[int], int]
    tolerated: Callable[[int], int]
    parallel_regions: bool
    region_order: tuple[str, ...]

    @classmethod
    def of(cls, properties: dict[str, Any]) -> "Preferences":
        def number(kind: str, default: int) -> Callable[[int], int]:
            count, percentage = properties.get(f"{kind}Count"), properties.get(f"{kind}Percentage")
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
    """A stack of the set in one account and region."""

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
    """What became of one instance in an operation: SUCCEEDED, FAILED or CANCELLED."""

    place: Place
    unit: str | None
    status: str
    reason: str = ""


@dataclass
class Operation:
    """One run over instances; results is in the order in which they ended."""

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


@dataclass
class StackSet:
    """A stack set as its administrator account and region hold it; properties are those of the template."""

    name: str
    identifier: str
    administrator: Place
    properties: dict[str, Any]
    content: Content
    instances: dict[Place, Instance] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)

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
        place = self.administrator
        return (
            f"arn:{base.PARTITION}:cloudformation:{place.region}:{place.account}:stackset/{self.identifier}"
        )


_sets: Any = hooks.responses.AccountRegionScopedDict()
_moves = threading.Lock()


def install() -> None:
    base.resource_type(_TYPE, _create, _update, _delete, blocking=True, tags=True)
    # A rollback sends the old properties, so that the instances go back too.
    others = hooks.stacks._sends_back_failed_update
    hooks.stacks._sends_back_failed_update = lambda kind: kind == _TYPE or others(kind)
    organizations.on_move(_after_move)


def own() -> list[StackSet]:
    """The stack sets of the request's account and region."""
    found: list[StackSet] = _sets.values()
    return found


# -- the resource type ---------------------------------------------------------------------------------------


def _create(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
    name = properties["StackSetName"]
    if name in _sets:
        raise ValueError(f"StackSet {name} already exists")
    _gate(properties)
    identifier = f"{name}:{uuid.uuid4()}"
    stack_set = StackSet(
        name, identifier, Place(base.account(), base.region()), properties, _content(properties)
    )
    targets = _targets(properties)
    _sets[name] = stack_set
    try:
        _run(stack_set, "CREATE", [_new_instance(stack_set, target) for target in targets], _create_instance)
    except ValueError:
        # A failed create has no physical id that CloudFormation could delete in its rollback.
        with contextlib.suppress(ValueError):
            _remove(stack_set)
        raise
    return identifier, {"StackSetId": identifier}


def _update(
    physical_id: str, _old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    stack_set: StackSet = _sets[physical_id.partition(":")[0]]
    if new["StackSetName"] != stack_set.name:
        return _create(physical_id, new, stack)
    _gate(new)
    content, targets = _content(new), {target.place: target for target in _targets(new)}
    stack_set.properties = new
    gone = [instance for place, instance in stack_set.instances.items() if place not in targets]
    _run(stack_set, "DELETE", gone, _delete_instance)
    kept = [instance for place, instance in stack_set.instances.items() if place in targets]
    changed = [
        instance
        for instance in kept
        if content != stack_set.content
        or instance.overrides != targets[instance.place].overrides
        or instance.status != "CURRENT"
    ]
    stack_set.content = content
    for instance in kept:
        instance.overrides = targets[instance.place].overrides
    _run(stack_set, "UPDATE", changed, _update_instance)
    fresh = [
        _new_instance(stack_set, target)
        for place, target in targets.items()
        if place not in stack_set.instances
    ]
    _run(stack_set, "CREATE", fresh, _create_instance)
    return physical_id, {"StackSetId": physical_id}


def _delete(physical_id: str, _properties: dict[str, Any]) -> None:
    stack_set = _sets.get(physical_id.partition(":")[0])
    if stack_set is not None and stack_set.identifier == physical_id:
        _remove(stack_set)


def _remove(stack_set: StackSet) -> None:
    _run(stack_set, "DELETE", list(stack_set.instances.values()), _delete_instance)
    _sets.pop(stack_set.name, None)


def _gate(properties: dict[str, Any]) -> None:
    """Refuse who may not operate a stack set of this permission model."""
    if properties.get("PermissionModel") != "SERVICE_MANAGED":
        return
    caller = base.account()
    if not organizations.is_trusted(SERVICE):
        raise ValueError(
            "You must enable organizations access to operate a service managed stack set "
            "(aws cloudformation activate-organizations-access in the management account)"
        )
    calls_as_administrator = properties.get("CallAs") == "DELEGATED_ADMIN"
    is_management = caller == organizations.management_account()
    if is_management == calls_as_administrator or not (
        is_management or organizations.is_delegated(caller, SERVICE)
    ):
        raise ValueError(
            "You must be the management account or delegated admin account of an organization before "
            "operating a SERVICE_MANAGED stack set "
            f"(account {caller}, CallAs {properties.get('CallAs', 'SELF')})"
        )


def _content(properties: dict[str, Any]) -> Content:
    body = properties.get("TemplateBody")
    if not body:
        if not properties.get("TemplateURL"):
            raise ValueError("Either TemplateURL or TemplateBody must be given")
        bucket, key = objects.from_url(properties["TemplateURL"])
        body = objects.read(bucket, key).decode()
    return Content(
        body=body,
        parameters=_parameters(properties.get("Parameters")),
        capabilities=tuple(properties.get("Capabilities") or ()),
        tags={
            tag["Key"]: str(tag["Value"])
            for tag in properties.get("Tags") or []
            if not tag["Key"].startswith("aws:")
        },
    )


def _parameters(given: Iterable[dict[str, Any]] | None) -> dict[str, str]:
    return {each["ParameterKey"]: str(each["ParameterValue"]) for each in given or []}


# -- targets -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """Where an instance is wanted; unit is the organizational unit that it comes from."""

    place: Place
    unit: str | None
    overrides: dict[str, str]


def _targets(properties: dict[str, Any]) -> list[Target]:
    service_managed = properties.get("PermissionModel") == "SERVICE_MANAGED"
    found: dict[Place, Target] = {}
    for group in properties.get("StackInstancesGroup") or []:
        targets, overrides = group["DeploymentTargets"], _parameters(group.get("ParameterOverrides"))
        accounts = _unit_accounts(targets) if service_managed else _own_accounts(targets)
        for region in group["Regions"]:
            for account, unit in accounts:
                place = Place(account, region)
                found[place] = Target(place, unit, overrides)
    return list(found.values())


def _own_accounts(targets: dict[str, Any]) -> list[tuple[str, str | None]]:
    if targets.get("OrganizationalUnitIds"):
        raise ValueError("OrganizationalUnitIds are for stack sets with SERVICE_MANAGED permissions only")
    return [(account, None) for account in targets.get("Accounts") or []]


def _unit_accounts(targets: dict[str, Any]) -> list[tuple[str, str | None]]:
    units = targets.get("OrganizationalUnitIds")
    if not units:
        raise ValueError("a SERVICE_MANAGED stack set needs OrganizationalUnitIds in its DeploymentTargets")
    named = set(targets.get("Accounts") or [])
    inside: dict[str, str | None] = {}
    for unit in units:
        for account in organizations.accounts_under(unit):
            inside.setdefault(account, unit)
    match targets.get("AccountFilterType", "NONE"):
        case "INTERSECTION":
            inside = {account: unit for account, unit in inside.items() if account in named}
        case "DIFFERENCE":
            inside = {account: unit for account, unit in inside.items() if account not in named}
        case "UNION":
            inside |= {account: None for account in named if account not in inside}
    return list(inside.items())


def _new_instance(stack_set: StackSet, target: Target) -> Instance:
    return Instance(target.place, f"StackSet-{stack_set.name}-{uuid.uuid4()}", target.overrides, target.unit)


# -- operations ----------------------------------------------------------------------------------------------

Work = Callable[[StackSet, Instance], None]


def _run(
    stack_set: StackSet, action: str, instances: list[Instance], work: Work, *, automatic: bool = False
) -> None:
    """Carry out an operation; raises ValueError naming every failed place if more failed than is tolerated.

    An automatic deployment tries every instance and reports in the operation only.
    """
    if not instances:
        return
    operation = Operation(action, automatic)
    stack_set.operations.append(operation)
    preferences = Preferences.of({} if automatic else stack_set.properties.get("OperationPreferences") or {})
    regions = _by_region(instances, preferences.region_order)
    workers = len(regions) if automatic or preferences.parallel_regions else 1
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda inside: _run_region(stack_set, operation, preferences, inside, work), regions))
    operation.ended = time.time()
    failures = [
        f"Account {result.place.account}, Region {result.place.region}: {result.reason}"
        for result in operation.results
        if result.status == "FAILED"
    ]
    if operation.stopped and not automatic:
        raise ValueError(
            f"{action} operation {operation.identifier} of StackSet {stack_set.name} failed. "
            + "; ".join(failures)
        )


def _by_region(instances: list[Instance], order: tuple[str, ...]) -> list[list[Instance]]:
    """The instances of each region; regions in RegionOrder, those it leaves out afterwards."""
    regions: dict[str, list[Instance]] = {region: [] for region in order}
    for instance in instances:
        regions.setdefault(instance.place.region, []).append(instance)
    return [inside for inside in regions.values() if inside]


def _run_region(
    stack_set: StackSet, operation: Operation, preferences: Preferences, instances: list[Instance], work: Work
) -> None:
    """One region of an operation; stops it for the regions to come when more accounts fail than are
    tolerated.
    """
    accounts = len(instances)
    tolerated = 0 if operation.automatic else preferences.tolerated(accounts)
    concurrent = accounts if operation.automatic else preferences.concurrent(accounts)
    failed = 0

    def one(instance: Instance) -> None:
        nonlocal failed
        instance.operation = operation.identifier
        if not operation.automatic and (operation.stopped or failed > tolerated):
            _end(operation, instance, "CANCELLED", "the operation was stopped because of failures")
            return
        try:
            work(stack_set, instance)
        except StackFailedError as failure:
            failed += 1
            _end(operation, instance, "FAILED", str(failure))
        else:
            _end(operation, instance, "SUCCEEDED")

    with ThreadPoolExecutor(min(concurrent, _MOST_THREADS)) as pool:
        list(pool.map(one, instances))
    if failed > tolerated:
        operation.stopped = True


def _end(operation: Operation, instance: Instance, status: str, reason: str = "") -> None:
    instance.status = "CURRENT" if status == "SUCCEEDED" else "OUTDATED"
    instance.detail, instance.reason = status, reason
    operation.results.append(Result(instance.place, instance.unit, status, reason))


def _create_instance(stack_set: StackSet, instance: Instance) -> None:
    stack_set.instances[instance.place] = instance
    if not stack_set.service_managed:
        stackset_roles.check(
            stack_set.administrator.account, instance.place.account, stack_set.properties, stack_set.arn
        )
    instance.stack_id = stacks.create(instance.place, instance.stack, _content_of(stack_set, instance))


def _update_instance(stack_set: StackSet, instance: Instance) -> None:
    if stacks.exists(instance.place, instance.stack):
        stacks.update(instance.place, instance.stack, _content_of(stack_set, instance))
    else:
        stacks.delete(instance.place, instance.stack)
        _create_instance(stack_set, instance)


def _delete_instance(stack_set: StackSet, instance: Instance) -> None:
    stacks.delete(instance.place, instance.stack)
    del stack_set.instances[instance.place]


def _content_of(stack_set: StackSet, instance: Instance) -> Content:
    content = stack_set.content
    return replace(content, parameters={**content.parameters, **instance.overrides})


# -- automatic deployment ------------------------------------------------------------------------------------


def _after_move(account: str, _old: str, _new: str) -> None:
    """AWS deploys in the background; so do we, one move after the other."""
    threading.Thread(target=_redeploy, args=(account,), name=f"automatic deployment {account}").start()


def _redeploy(account: str) -> None:
    with _moves:
        automatic = [found for found in _sets.all_values() if found.service_managed and found.automatic]
        for stack_set in _in_order(automatic):
            _join(stack_set, account)
        for stack_set in reversed(_in_order(automatic)):
            _leave(stack_set, account)


def _in_order(sets: list[StackSet]) -> list[StackSet]:
    """Sets after the ones that their AutoDeployment DependsOn names."""
    ordered: list[StackSet] = []

    def add(stack_set: StackSet, waiting: tuple[str, ...]) -> None:
        for needed in (stack_set.properties.get("AutoDeployment") or {}).get("DependsOn") or []:
            for other in sets:
                if needed in (other.arn, other.identifier, other.name) and other.name not in waiting:
                    add(other, (*waiting, other.name))
        if stack_set not in ordered:
            ordered.append(stack_set)

    for stack_set in sets:
        add(stack_set, (stack_set.name,))
    return ordered


def _join(stack_set: StackSet, account: str) -> None:
    wanted = [target for target in _targets(stack_set.properties) if target.place.account == account]
    fresh = [_new_instance(stack_set, target) for target in wanted if target.place not in stack_set.instances]
    _run(stack_set, "CREATE", fresh, _create_instance, automatic=True)


def _leave(stack_set: StackSet, account: str) -> None:
    wanted = {target.place for target in _targets(stack_set.properties)}
    gone = [
        instance
        for place, instance in stack_set.instances.items()
        if place.account == account and place not in wanted
    ]
    _run(
        stack_set, "DELETE", gone, _forget_instance if stack_set.retains else _delete_instance, automatic=True
    )


def _forget_instance(stack_set: StackSet, instance: Instance) -> None:
    """RetainStacksOnAccountRemoval: the stack stays in the account, the set no longer knows it."""
    del stack_set.instances[instance.place]


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
