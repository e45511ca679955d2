"""Automatic deployment: what happens to StackSets when an account joins or leaves a target.

AWS deploys in the background, in the order of AutoDeployment DependsOn and without operation preferences.
Here one move follows the other.
"""

import threading

from rehearsal.emulator.extensions.organizations import organization
from rehearsal.emulator.extensions.stacksets import resource
from rehearsal.emulator.extensions.stacksets.model import StackSet
from rehearsal.emulator.extensions.stacksets.targets import targets_of

_moves = threading.Lock()


def install() -> None:
    organization.on_move(_after_move)


def _after_move(account: str, _old: str, _new: str) -> None:
    threading.Thread(target=_redeploy, args=(account,), name=f"automatic deployment {account}").start()


def _redeploy(account: str) -> None:
    with _moves:
        automatic = [found for found in resource.everywhere() if found.service_managed and found.automatic]
        for stack_set in _in_order(automatic):
            _join(stack_set, account)
        for stack_set in reversed(_in_order(automatic)):
            _leave(stack_set, account)


def _in_order(sets: list[StackSet]) -> list[StackSet]:
    """Each set after those that its AutoDeployment DependsOn names."""
    ordered: list[StackSet] = []

    def add(stack_set: StackSet, waiting: tuple[str, ...]) -> None:
        for needed in (stack_set.properties.get("AutoDeployment") or {}).get("DependsOn") or []:
            for other in sets:
                if needed == other.arn and other.name not in waiting:
                    add(other, (*waiting, other.name))
        if stack_set not in ordered:
            ordered.append(stack_set)

    for stack_set in sets:
        add(stack_set, (stack_set.name,))
    return ordered


def _join(stack_set: StackSet, account: str) -> None:
    wanted = [target for target in targets_of(stack_set.properties) if target.place.account == account]
    fresh = [
        resource.new_instance(stack_set, target)
        for target in wanted
        if target.place not in stack_set.instances
    ]
    resource.run(stack_set, "CREATE", fresh, resource.create_instance, automatic=True)


def _leave(stack_set: StackSet, account: str) -> None:
    wanted = {target.place for target in targets_of(stack_set.properties)}
    gone = [
        instance
        for place, instance in stack_set.instances.items()
        if place.account == account and place not in wanted
    ]
    resource.run(
        stack_set,
        "DELETE",
        gone,
        resource.release_instance if stack_set.retains else resource.delete_instance,
        automatic=True,
    )
