"""The resource type AWS::CloudFormation::StackSet and its operations in the target accounts.

ministack records the resource type as a placeholder. Emulated, after "Working with StackSets" of the
CloudFormation User Guide: one stack for each target account and Region, named StackSet-<name>-<uuid>, from
the body that TemplateURL points to at that moment; SELF_MANAGED (both roles must exist and have the trust
that AWS needs) and SERVICE_MANAGED (trusted access, and the management account or a delegated administrator
calling as one); OUs with all OUs below them, account filters; Regions in sequence or in parallel, and the
concurrency and failure tolerance per Region of OperationPreferences.

Every operation skips the instances in suspended accounts. That is not a failure; their detailed status
becomes SKIPPED_SUSPENDED_ACCOUNT (StackInstanceComprehensiveStatus, API Reference;
aws.amazon.com/about-aws/whats-new/2023/06/aws-cloudformation-stacksets-suspended-accounts-deployments). The
status OUTDATED and the reason are not documented: they are from an AWS response in
github.com/ansible-collections/community.aws/issues/2358. Assumed: an operation's results leave these
instances out (no status of a result would fit), and an instance can be removed with its stack retained, as
that reason recommends.

Not emulated: the permissions of the administration and execution roles beyond assuming them, drift, imports
of stacks, StackSets created through the API instead of a template.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base, objects
from rehearsal.emulator.extensions.organizations import closed_accounts, organization
from rehearsal.emulator.extensions.stacksets import roles, stacks
from rehearsal.emulator.extensions.stacksets.model import (
    AccountSuspendedError,
    Content,
    Instance,
    Operation,
    Preferences,
    Result,
    StackFailedError,
    StackSet,
    Target,
    parameters,
)
from rehearsal.emulator.extensions.stacksets.targets import targets_of

SERVICE = "member.org.stacksets.cloudformation.amazonaws.com"
_TYPE = "AWS::CloudFormation::StackSet"
_MOST_THREADS = 16
_sets: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    base.add_resource_type(_TYPE, _create, _update, _delete, blocking=True)
    # A rollback sends the old properties, so the instances are rolled back too.
    others = hooks.stacks._sends_back_failed_update
    hooks.stacks._sends_back_failed_update = lambda kind: kind == _TYPE or others(kind)


def own() -> list[StackSet]:
    """The StackSets of the request's account and Region."""
    found: list[StackSet] = _sets.values()
    return found


def everywhere() -> list[StackSet]:
    """The StackSets of all accounts and Regions."""
    found: list[StackSet] = _sets.all_values()
    return found


# -- the resource type ---------------------------------------------------------------------------------------


def _create(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
    name = properties["StackSetName"]
    if name in _sets:
        raise ValueError(f"StackSet {name} already exists")
    _gate(properties)
    identifier = f"{name}:{uuid.uuid4()}"
    stack_set = StackSet(name, identifier, base.here(), properties, _content(properties))
    targets = targets_of(properties)
    _sets[name] = stack_set
    try:
        run(stack_set, "CREATE", [new_instance(stack_set, target) for target in targets], create_instance)
    except ValueError:
        # A failed creation has no physical ID that CloudFormation could delete in its rollback.
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
    content, targets = _content(new), {target.place: target for target in targets_of(new)}
    stack_set.properties = new
    gone = [instance for place, instance in stack_set.instances.items() if place not in targets]
    run(stack_set, "DELETE", gone, delete_instance)
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
    run(stack_set, "UPDATE", changed, update_instance)
    fresh = [
        new_instance(stack_set, target)
        for place, target in targets.items()
        if place not in stack_set.instances
    ]
    run(stack_set, "CREATE", fresh, create_instance)
    return physical_id, {"StackSetId": physical_id}


def _delete(physical_id: str, _properties: dict[str, Any]) -> None:
    stack_set = _sets.get(physical_id.partition(":")[0])
    if stack_set is not None and stack_set.identifier == physical_id:
        _remove(stack_set)


def _remove(stack_set: StackSet) -> None:
    run(stack_set, "DELETE", list(stack_set.instances.values()), delete_instance)
    if stack_set.instances:
        raise ValueError(
            f"You can't yet delete StackSet {stack_set.name}, because it still contains stack instances"
        )
    _sets.pop(stack_set.name, None)


def _gate(properties: dict[str, Any]) -> None:
    """Raise ValueError if the caller may not operate this StackSet, or if it depends on what is not one."""
    if properties.get("PermissionModel") != "SERVICE_MANAGED":
        return
    caller = base.account()
    if not organization.is_trusted(SERVICE):
        raise ValueError(
            "You must enable organizations access to operate a service managed stack set "
            "(aws cloudformation activate-organizations-access in the management account)"
        )
    calls_as_administrator = properties.get("CallAs") == "DELEGATED_ADMIN"
    is_management = caller == organization.management_account()
    if is_management == calls_as_administrator or not (
        is_management or organization.is_delegated(caller, SERVICE)
    ):
        raise ValueError(
            "You must be the management account or delegated admin account of an organization before "
            "operating a SERVICE_MANAGED stack set "
            f"(account {caller}, CallAs {properties.get('CallAs', 'SELF')})"
        )
    known = {found.arn for found in everywhere() if found.service_managed}
    for needed in (properties.get("AutoDeployment") or {}).get("DependsOn") or []:
        if needed not in known:
            raise ValueError(
                f"AutoDeployment DependsOn: {needed} is not the ARN of a StackSet of the organization"
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
        parameters=parameters(properties.get("Parameters")),
        capabilities=tuple(properties.get("Capabilities") or ()),
        tags={
            tag["Key"]: str(tag["Value"])
            for tag in properties.get("Tags") or []
            if not tag["Key"].startswith("aws:")
        },
    )


def new_instance(stack_set: StackSet, target: Target) -> Instance:
    """A new instance of the set, without a stack."""
    name = f"StackSet-{stack_set.name}-{uuid.uuid4()}"
    instance = Instance(target.place, name, target.overrides, target.unit)
    stack_set.instances[target.place] = instance
    return instance


# -- operations ----------------------------------------------------------------------------------------------

Work = Callable[[StackSet, Instance], None]


def run(
    stack_set: StackSet, action: str, instances: list[Instance], work: Work, *, automatic: bool = False
) -> None:
    """Run an operation; ValueError names every failed account and Region if more failed than tolerated.

    An automatic deployment tries every instance and reports in the operation only. Operations of one set run
    one after the other, as with ManagedExecution.
    """
    if not instances:
        return
    with stack_set.lock:
        _run(stack_set, action, instances, work, automatic=automatic)


def _run(stack_set: StackSet, action: str, instances: list[Instance], work: Work, *, automatic: bool) -> None:
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
    """The instances of each Region, in RegionOrder; Regions that it does not name come last."""
    regions: dict[str, list[Instance]] = {region: [] for region in order}
    for instance in instances:
        regions.setdefault(instance.place.region, []).append(instance)
    return [inside for inside in regions.values() if inside]


def _run_region(
    stack_set: StackSet, operation: Operation, preferences: Preferences, instances: list[Instance], work: Work
) -> None:
    """Run an operation in one Region; more failures than tolerated stop it for the Regions that follow."""
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
        except AccountSuspendedError as suspended:
            _skip(instance, str(suspended))
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


def _skip(instance: Instance, reason: str) -> None:
    instance.status, instance.detail, instance.reason = "OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT", reason


def _refuse_suspended(instance: Instance) -> None:
    if closed_accounts.is_suspended(instance.place.account):
        raise AccountSuspendedError(
            "This account is suspended. To remove this instance from the stack set, "
            "run DeleteStackInstances with the RetainStacks parameter."
        )


def create_instance(stack_set: StackSet, instance: Instance) -> None:
    """Create the instance's stack; raises StackFailedError."""
    _refuse_suspended(instance)
    if not stack_set.service_managed:
        administrator, target = stack_set.administrator.account, instance.place.account
        roles.check(administrator, target, stack_set.properties, stack_set.arn)
    instance.stack_id = stacks.create(instance.place, instance.stack, _content_of(stack_set, instance))


def update_instance(stack_set: StackSet, instance: Instance) -> None:
    """Update the instance's stack, or create it again if its creation failed."""
    _refuse_suspended(instance)
    if stacks.exists(instance.place, instance.stack):
        stacks.update(instance.place, instance.stack, _content_of(stack_set, instance))
    else:
        stacks.delete(instance.place, instance.stack)
        create_instance(stack_set, instance)


def delete_instance(stack_set: StackSet, instance: Instance) -> None:
    """Delete the instance's stack and the instance."""
    _refuse_suspended(instance)
    stacks.delete(instance.place, instance.stack)
    del stack_set.instances[instance.place]


def _content_of(stack_set: StackSet, instance: Instance) -> Content:
    content = stack_set.content
    return replace(content, parameters={**content.parameters, **instance.overrides})


def release_instance(stack_set: StackSet, instance: Instance) -> None:
    """RetainStacksOnAccountRemoval: the stack stays in the account, the instance does not."""
    del stack_set.instances[instance.place]
