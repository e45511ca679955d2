"""Automatic deployment: what happens to stack sets when an account joins or leaves a target.

AWS does it in the background, in the order of AutoDeployment DependsOn, and without operation preferences.
"""

import threading

from rehearsal.emulator.extensions.cloudformation import stacksets
from rehearsal.emulator.extensions.cloudformation.stackset_model import StackSet
from rehearsal.emulator.extensions.cloudformation.stackset_targets import targets_of
from rehearsal.emulator.extensions.organizations import organizations

_moves = threading.Lock()


def install() -> None:
    organizations.on_move(_after_move)


def _after_move(account: str, _old: str, _new: str) -> None:
    """AWS deploys in the background; so do we, one move after the other."""
    threading.Thread(target=_redeploy, args=(account,), name=f"automatic deployment {account}").start()


def _redeploy(account: str) -> None:
    with _moves:
        automatic = [found for found in stacksets.everywhere() if found.service_managed and found.automatic]
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
        stacksets.new_instance(stack_set, target)
        for target in wanted
        if target.place not in stack_set.instances
    ]
    stacksets.run(stack_set, "CREATE", fresh, stacksets.create_instance, automatic=True)


def _leave(stack_set: StackSet, account: str) -> None:
    wanted = {target.place for target in targets_of(stack_set.properties)}
    gone = [
        instance
        for place, instance in stack_set.instances.items()
        if place.account == account and place not in wanted
    ]
    stacksets.run(
        stack_set,
        "DELETE",
        gone,
        stacksets.forget_instance if stack_set.retains else stacksets.delete_instance,
        automatic=True,
    )
