"""The elements of a backup policy: what AWS requires and limits, and where it needs an operator. Pure.

Sources: AWS Organizations User Guide, "Backup policy syntax and examples" and "Inheritance operators"; AWS
Backup Developer Guide, "AWS Backup quotas" (policy quotas), "Point-in-time recovery" and the Lifecycle API
page. An element that is not here may be newer than this module: it is passed to Organizations unchanged.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Problem

# https://docs.aws.amazon.com/aws-backup/latest/devguide/aws-backup-limits.html
MAX_RULES = 10
MAX_TAG_SELECTIONS = 10
MAX_COPY_ACTIONS = 5
MAX_RECOVERY_POINT_TAGS = 10
MAX_TAG_VALUES = 30
MAX_CONDITIONS = 30
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_backup_syntax.html
MIN_START_WINDOW_MINUTES = 60
MAX_DAYS = 36_500
# https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
MAX_CONTINUOUS_DAYS = 35
# https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html
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

# AWS replaces $account and $region in each account and Region.
VAULT_ARN = (
    r"arn:aws[a-z-]*:backup:([a-z0-9-]+|\$region):([0-9]{12}|\$account)"
    r":backup-vault:([a-zA-Z0-9_-]|\$region|\$account){2,50}"
)

Json = Any
Object = dict[str, Json]


# -- reading ---------------------------------------------------------------------------------------------


def members(node: Json) -> Iterator[tuple[str, Json]]:
    """The members of an object without the inheritance operators."""
    return ((key, value) for key, value in as_object(node).items() if not key.startswith("@@"))


def as_object(node: Json) -> Object:
    return node if isinstance(node, dict) else {}


def value_of(node: Json) -> Json:
    """The value that an element of a policy or of an effective policy sets; None if it sets none."""
    return node.get(ASSIGN, node.get(APPEND)) if isinstance(node, dict) else node


def number(node: Json) -> int | None:
    """A whole number, also as the string that CloudFormation makes of it; None for anything else."""
    value = value_of(node)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    return None


# -- what is missing -------------------------------------------------------------------------------------


def missing(where: str, plan: Object) -> Iterator[Problem]:
    """The required elements that a plan of a policy or of an effective policy lacks."""
    rules = dict(members(plan.get("rules")))
    if not rules:
        yield Problem(f"{where}.rules", "no rule")
    for name, rule in rules.items():
        place = f"{where}.rules.{name}"
        yield from _absent(place, rule, RULE_REQUIRES)
        for vault, copy in members(as_object(rule).get("copy_actions")):
            yield from _absent(f"{place}.copy_actions.{vault}", copy, COPY_ACTION_REQUIRES)
    selections = dict(members(plan.get("selections")))
    if not any(dict(members(kind)) for kind in selections.values()):
        yield Problem(f"{where}.selections", "no selection")
    for kind, required in SELECTION_REQUIRES.items():
        for name, selection in members(selections.get(kind)):
            yield from _absent(f"{where}.selections.{kind}.{name}", selection, required)


def _absent(where: str, node: Json, required: tuple[str, ...]) -> Iterator[Problem]:
    return (Problem(where, f"no {name}") for name in required if not _sets(as_object(node).get(name)))


def _sets(node: Json) -> bool:
    """True if the element sets a value, even with a misspelled operator."""
    values = (
        [value for key, value in node.items() if key not in (REMOVE, CONTROL)]
        if isinstance(node, dict)
        else [node]
    )
    return any(value is not None and value not in ("", [], {}) for value in values)


# -- what is invalid ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """An element that an inheritance operator sets; `check` returns the problem with a value."""

    check: Callable[[Json], str | None] = lambda value: None


@dataclass(frozen=True)
class Entries:
    """Up to `most` entries of one type, under names that the author of the policy chose."""

    each: "Element"
    what: str = "entries"
    most: float = float("inf")


@dataclass(frozen=True)
class Group:
    """Elements with names that AWS defines; `check` yields the problems between them."""

    elements: Mapping[str, "Element"]
    check: Callable[[str, Object], Iterator[Problem]] = lambda where, node: iter(())


Element = Value | Entries | Group


def violations(where: str, node: Json, element: Element) -> Iterator[Problem]:
    """Everything in the node that breaks a rule for the element."""
    if isinstance(element, Value):
        yield from _value_problems(where, node, element)
    elif not isinstance(node, dict):
        yield Problem(where, "must be an object")
    elif isinstance(element, Entries):
        entries = dict(members(node))
        if len(entries) > element.most:
            yield Problem(where, f"{len(entries)} {element.what}, at most {element.most}")
        for name, entry in entries.items():
            yield from violations(f"{where}.{name}", entry, element.each)
    else:
        for name, entry in members(node):
            if name in element.elements:
                yield from violations(f"{where}.{name}", entry, element.elements[name])
        yield from element.check(where, node)


def _value_problems(where: str, node: Json, element: Value) -> Iterator[Problem]:
    if not isinstance(node, dict) or not any(key.startswith("@@") for key in node):
        yield Problem(where, f"needs an operator such as {ASSIGN}")
    elif (ASSIGN in node or APPEND in node) and (problem := element.check(value_of(node))):
        yield Problem(where, problem)


def unknown_operators(where: str, node: Json) -> Iterator[Problem]:
    """Every inheritance operator that does not exist, in known and unknown elements."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from unknown_operators(f"{where}[{index}]", item)
    for key, value in as_object(node).items():
        place = f"{where}.{key}"
        if key.startswith("@@") and key not in OPERATORS:
            yield Problem(place, "no such operator")
        elif key == CONTROL:
            for name in value if isinstance(value, list) else [value]:
                if name not in CONTROL_VALUES:
                    yield Problem(place, f"{name} is not an operator")
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
    """A boolean, also as the string that CloudFormation makes of it; None for anything else."""
    return {"true": True, "false": False}.get(str(value).lower())


def _boolean(value: Json) -> str | None:
    return "must be true or false" if _flag(value) is None else None


def _vault(value: Json) -> str | None:
    if isinstance(value, str) and re.fullmatch(VAULT_ARN, value):
        return None
    return f"{value} is not the ARN of a backup vault"


def _lifecycle_problems(where: str, rule: Object) -> Iterator[Problem]:
    """The limits of delete_after_days, all at once because they can exclude each other."""
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
        yield Problem(
            f"{where}.lifecycle.delete_after_days",
            f"{kept}, {', '.join(limits) or f'from {least} to {most:,}'}",
        )
    elif kept is None and len(limits) == 2:  # AWS's default cannot meet both
        yield Problem(
            f"{where}.lifecycle.move_to_cold_storage_after_days", f"{cold}, but {' and '.join(limits)}"
        )


def _selection_problems(where: str, selection: Object) -> Iterator[Problem]:
    count = sum(len(dict(members(operator))) for _, operator in members(selection.get("conditions")))
    if count > MAX_CONDITIONS:
        yield Problem(f"{where}.conditions", f"{count} conditions, at most {MAX_CONDITIONS}")
    tag_value = as_object(selection.get("tag_value"))
    values = [value for key in (ASSIGN, APPEND) for value in _listed(tag_value.get(key, []))]
    if len(values) > MAX_TAG_VALUES:
        yield Problem(f"{where}.tag_value", f"{len(values)} values, at most {MAX_TAG_VALUES}")


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _selections_problems(where: str, selections: Object) -> Iterator[Problem]:
    if "tags" in selections and "resources" in selections:
        yield Problem(where, "either tags or resources, not both")


_ANY, _BOOLEAN, _VAULT = Value(), Value(_boolean), Value(_vault)
_TAG = Group({"tag_key": _ANY, "tag_value": _ANY})
_LIFECYCLE = Group(
    {
        "delete_after_days": Value(_whole_number),
        "move_to_cold_storage_after_days": Value(_days),
        "opt_in_to_archive_for_supported_resources": _BOOLEAN,
    }
)
_COPY_ACTION = Group({"target_backup_vault_arn": _VAULT, "lifecycle": _LIFECYCLE}, _lifecycle_problems)
_RULE = Group(
    {
        "schedule_expression": _ANY,
        "target_backup_vault_name": _ANY,
        "target_logically_air_gapped_backup_vault_arn": _VAULT,
        "start_backup_window_minutes": Value(_start_window),
        "complete_backup_window_minutes": Value(_whole_number),
        "enable_continuous_backup": _BOOLEAN,
        "lifecycle": _LIFECYCLE,
        "copy_actions": Entries(_COPY_ACTION, "copy actions", MAX_COPY_ACTIONS),
        "recovery_point_tags": Entries(_TAG, "tags", MAX_RECOVERY_POINT_TAGS),
        "index_actions": Group({"resource_types": _ANY}),
    },
    _lifecycle_problems,
)
_CONDITIONS = Entries(Entries(Group({"condition_key": _ANY, "condition_value": _ANY})))
_TAG_SELECTION = Group(
    {"iam_role_arn": _ANY, "tag_key": _ANY, "tag_value": _ANY, "conditions": _CONDITIONS}, _selection_problems
)
_RESOURCE_SELECTION = Group(
    {"iam_role_arn": _ANY, "resource_types": _ANY, "not_resource_types": _ANY, "conditions": _CONDITIONS},
    _selection_problems,
)
# Without `regions`, which the property PolicyRegions replaces.
PLAN = Group(
    {
        "rules": Entries(_RULE, "rules", MAX_RULES),
        "selections": Group(
            {
                "tags": Entries(_TAG_SELECTION, "tag selections", MAX_TAG_SELECTIONS),
                "resources": Entries(_RESOURCE_SELECTION),
            },
            _selections_problems,
        ),
        "advanced_backup_settings": Entries(Entries(_ANY)),
        "backup_plan_tags": Entries(_TAG),
    }
)
