"""The elements of a backup policy: what AWS requires and limits, and where it wants an operator. Pure.

From the AWS Organizations User Guide, "Backup policy syntax and examples" and "Inheritance operators", and
from the AWS Backup Developer Guide, "AWS Backup quotas" (policy quotas), "Point-in-time recovery" and the API
page of Lifecycle. An element that is not here may be newer than this module: it passes untouched, and
Organizations has the last word on it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Fault

MAX_RULES = 10
MAX_TAG_SELECTIONS = 10
MAX_COPY_ACTIONS = 5
MAX_RECOVERY_POINT_TAGS = 10
MAX_TAG_VALUES = 30
MAX_CONDITIONS = 30
MIN_START_WINDOW_MINUTES = 60
MAX_DAYS = 36_500
MAX_CONTINUOUS_DAYS = 35
MIN_DAYS_IN_COLD_STORAGE = 90

ASSIGN, APPEND, REMOVE = "@@assign", "@@append", "@@remove"
CONTROL = "@@operators_allowed_for_child_policies"
OPERATORS = (ASSIGN, APPEND, REMOVE, CONTROL)
CONTROL_VALUES = ("@@all", "@@none", ASSIGN, APPEND, REMOVE)

RULE_REQUIRES = ("schedule_expression", "target_backup_vault_name")
COPY_ACTION_REQUIRES = ("target_backup_vault_arn",)
SELECTION_REQUIRES = {
    "tags": ("iam_role_arn", "tag_key", "tag_value"),
    "resources": ("iam_role_arn", "resource_types"),
}

# With AWS's own variables, which it replaces in each account and Region.
VAULT_ARN = (
    r"arn:aws[a-z-]*:backup:([a-z0-9-]+|\$region):([0-9]{12}|\$account)"
    r":backup-vault:([a-zA-Z0-9_-]|\$region|\$account){2,50}"
)

Json = Any
Object = dict[str, Json]


# -- reading ---------------------------------------------------------------------------------------------


def named(node: Json) -> Iterator[tuple[str, Json]]:
    """The members that a person named; the inheritance operators beside them are left out."""
    return ((key, value) for key, value in as_object(node).items() if not key.startswith("@@"))


def as_object(node: Json) -> Object:
    return node if isinstance(node, dict) else {}


def value_of(node: Json) -> Json:
    """What an element of a policy, or of an effective policy, sets: None if it sets nothing."""
    return node.get(ASSIGN, node.get(APPEND)) if isinstance(node, dict) else node


def number(node: Json) -> int | None:
    """A whole number, also when CloudFormation turned it into a string; None for anything else."""
    value = value_of(node)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    return None


# -- what is missing -------------------------------------------------------------------------------------


def missing(where: str, plan: Object) -> Iterator[Fault]:
    """The required elements that a plan of a policy, or of an effective policy, does not have."""
    rules = dict(named(plan.get("rules")))
    if not rules:
        yield Fault(f"{where}.rules", "no rule")
    for name, rule in rules.items():
        place = f"{where}.rules.{name}"
        yield from _absent(place, rule, RULE_REQUIRES)
        for vault, copy in named(as_object(rule).get("copy_actions")):
            yield from _absent(f"{place}.copy_actions.{vault}", copy, COPY_ACTION_REQUIRES)
    selections = dict(named(plan.get("selections")))
    if not any(dict(named(kind)) for kind in selections.values()):
        yield Fault(f"{where}.selections", "no selection")
    for kind, required in SELECTION_REQUIRES.items():
        for name, selection in named(selections.get(kind)):
            yield from _absent(f"{where}.selections.{kind}.{name}", selection, required)


def _absent(where: str, node: Json, required: tuple[str, ...]) -> Iterator[Fault]:
    return (Fault(where, f"no {name}") for name in required if not _sets(as_object(node).get(name)))


def _sets(node: Json) -> bool:
    """True if the element sets a value, by an operator that exists or by one that was to be one."""
    values = (
        [value for key, value in node.items() if key not in (REMOVE, CONTROL)]
        if isinstance(node, dict)
        else [node]
    )
    return any(value is not None and value not in ("", [], {}) for value in values)


# -- what is wrong ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """An element that an inheritance operator sets; `problem` says what is wrong with a value."""

    problem: Callable[[Json], str | None] = lambda value: None


@dataclass(frozen=True)
class Named:
    """Any number of entries of one kind, up to `most`, under names that a person chose."""

    each: "Element"
    what: str = "entries"
    most: float = float("inf")


@dataclass(frozen=True)
class Group:
    """Elements with names of AWS; `check` says what is wrong between them."""

    elements: Mapping[str, "Element"]
    check: Callable[[str, Object], Iterator[Fault]] = lambda where, node: iter(())


Element = Value | Named | Group


def wrong(where: str, node: Json, element: Element) -> Iterator[Fault]:
    """Everything in the node that breaks a rule of the element."""
    if isinstance(element, Value):
        yield from _value_faults(where, node, element)
    elif not isinstance(node, dict):
        yield Fault(where, "must be an object")
    elif isinstance(element, Named):
        entries = dict(named(node))
        if len(entries) > element.most:
            yield Fault(where, f"{len(entries)} {element.what}, at most {element.most}")
        for name, entry in entries.items():
            yield from wrong(f"{where}.{name}", entry, element.each)
    else:
        for name, entry in named(node):
            if name in element.elements:
                yield from wrong(f"{where}.{name}", entry, element.elements[name])
        yield from element.check(where, node)


def _value_faults(where: str, node: Json, element: Value) -> Iterator[Fault]:
    if not isinstance(node, dict) or not any(key.startswith("@@") for key in node):
        yield Fault(where, f"needs an operator such as {ASSIGN}")
    elif (ASSIGN in node or APPEND in node) and (problem := element.problem(value_of(node))):
        yield Fault(where, problem)


def unknown_operators(where: str, node: Json) -> Iterator[Fault]:
    """Every inheritance operator that does not exist, in elements known or not."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from unknown_operators(f"{where}[{index}]", item)
    for key, value in as_object(node).items():
        place = f"{where}.{key}"
        if key.startswith("@@") and key not in OPERATORS:
            yield Fault(place, "no such operator")
        elif key == CONTROL:
            for name in value if isinstance(value, list) else [value]:
                if name not in CONTROL_VALUES:
                    yield Fault(place, f"{name} is no operator")
        else:
            yield from unknown_operators(place, value)


def _whole_number(value: Json) -> str | None:
    return "must be a whole number" if number(value) is None else None


def _start_window(value: Json) -> str | None:
    minutes = number(value)
    if minutes is not None and minutes < MIN_START_WINDOW_MINUTES:
        return f"{minutes}, at least {MIN_START_WINDOW_MINUTES}"
    return _whole_number(value)


def _days(value: Json) -> str | None:
    days = number(value)
    if days is not None and not 1 <= days <= MAX_DAYS:
        return f"{days}, from 1 to {MAX_DAYS:,}"
    return _whole_number(value)


def _flag(value: Json) -> bool | None:
    """A boolean, also when CloudFormation turned it into a string; None for anything else."""
    return {"true": True, "false": False}.get(str(value).lower())


def _boolean(value: Json) -> str | None:
    return "must be true or false" if _flag(value) is None else None


def _vault(value: Json) -> str | None:
    if isinstance(value, str) and re.fullmatch(VAULT_ARN, value):
        return None
    return f"{value} is not the ARN of a backup vault"


def _lifecycle_faults(where: str, rule: Object) -> Iterator[Fault]:
    """The limits of delete_after_days: all of them at once, for they can exclude each other."""
    lifecycle = as_object(rule.get("lifecycle"))
    kept, cold = (
        number(lifecycle.get(name)) for name in ("delete_after_days", "move_to_cold_storage_after_days")
    )
    continuous = _flag(value_of(rule.get("enable_continuous_backup")))
    least, most, limits = 1, MAX_DAYS, []
    if cold is not None and cold >= 1:
        least = cold + MIN_DAYS_IN_COLD_STORAGE
        limits.append(f"at least {least} (cold storage after {cold}, then {MIN_DAYS_IN_COLD_STORAGE})")
    if continuous:
        most = MAX_CONTINUOUS_DAYS
        limits.append(f"at most {most} for a continuous backup")
    if kept is not None and not least <= kept <= most:
        yield Fault(
            f"{where}.lifecycle.delete_after_days",
            f"{kept}, {', '.join(limits) or f'from {least} to {most:,}'}",
        )
    elif kept is None and len(limits) == 2:  # AWS's own default cannot meet both
        yield Fault(
            f"{where}.lifecycle.move_to_cold_storage_after_days", f"{cold}, but {' and '.join(limits)}"
        )


def _selection_faults(where: str, selection: Object) -> Iterator[Fault]:
    count = sum(len(dict(named(operator))) for _, operator in named(selection.get("conditions")))
    if count > MAX_CONDITIONS:
        yield Fault(f"{where}.conditions", f"{count} conditions, at most {MAX_CONDITIONS}")
    tag_value = as_object(selection.get("tag_value"))
    values = [value for key in (ASSIGN, APPEND) for value in _listed(tag_value.get(key, []))]
    if len(values) > MAX_TAG_VALUES:
        yield Fault(f"{where}.tag_value", f"{len(values)} values, at most {MAX_TAG_VALUES}")


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _selections_faults(where: str, selections: Object) -> Iterator[Fault]:
    if "tags" in selections and "resources" in selections:
        yield Fault(where, "either tags or resources, not both")


_ANY, _BOOLEAN, _VAULT = Value(), Value(_boolean), Value(_vault)
_TAG = Group({"tag_key": _ANY, "tag_value": _ANY})
_LIFECYCLE = Group(
    {
        "delete_after_days": Value(_whole_number),
        "move_to_cold_storage_after_days": Value(_days),
        "opt_in_to_archive_for_supported_resources": _BOOLEAN,
    }
)
_COPY_ACTION = Group({"target_backup_vault_arn": _VAULT, "lifecycle": _LIFECYCLE}, _lifecycle_faults)
_RULE = Group(
    {
        "schedule_expression": _ANY,
        "target_backup_vault_name": _ANY,
        "target_logically_air_gapped_backup_vault_arn": _VAULT,
        "start_backup_window_minutes": Value(_start_window),
        "complete_backup_window_minutes": Value(_whole_number),
        "enable_continuous_backup": _BOOLEAN,
        "lifecycle": _LIFECYCLE,
        "copy_actions": Named(_COPY_ACTION, "copy actions", MAX_COPY_ACTIONS),
        "recovery_point_tags": Named(_TAG, "tags", MAX_RECOVERY_POINT_TAGS),
        "index_actions": Group({"resource_types": _ANY}),
    },
    _lifecycle_faults,
)
_CONDITIONS = Named(Named(Group({"condition_key": _ANY, "condition_value": _ANY})))
_TAG_SELECTION = Group(
    {"iam_role_arn": _ANY, "tag_key": _ANY, "tag_value": _ANY, "conditions": _CONDITIONS}, _selection_faults
)
_RESOURCE_SELECTION = Group(
    {"iam_role_arn": _ANY, "resource_types": _ANY, "not_resource_types": _ANY, "conditions": _CONDITIONS},
    _selection_faults,
)
# Without `regions`: whatever a plan has there gives way to the property PolicyRegions.
PLAN = Group(
    {
        "rules": Named(_RULE, "rules", MAX_RULES),
        "selections": Group(
            {
                "tags": Named(_TAG_SELECTION, "tag selections", MAX_TAG_SELECTIONS),
                "resources": Named(_RESOURCE_SELECTION),
            },
            _selections_faults,
        ),
        "advanced_backup_settings": Named(Named(_ANY)),
        "backup_plan_tags": Named(_TAG),
    }
)
