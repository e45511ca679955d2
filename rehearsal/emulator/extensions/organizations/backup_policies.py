"""Backup policies: which ones Organizations refuses, and what takes effect where several are attached.

Source: "Backup policy syntax and examples", "Inheritance operators" and "Quotas" of the AWS Organizations
User Guide. Checked: JSON without duplicate keys, 10,000 characters, the elements of a plan, its rules and
selections, the value operators around every value, a start window of 60 minutes or more, 90 days between cold
storage and deletion. Merged: policies from the root down to the account, @@assign, @@append and @@remove,
maps by key; policies of one target that assign different values to one path are in conflict.

Not covered: @@operators_allowed_for_child_policies is accepted and ignored.
"""

import json
from collections.abc import Iterator
from typing import Any

from rehearsal.emulator.extensions.errors import ApiError

CONTENT_CHARACTERS = 10_000
ATTACHED_POLICIES = 10
_NAME_CHARACTERS = 128
_DESCRIPTION_CHARACTERS = 512
_VALUE_OPERATORS = ("@@assign", "@@append", "@@remove")
_CONTROL = "@@operators_allowed_for_child_policies"
_LEAST_START_WINDOW_MINUTES = 60
_COLD_STORAGE_DAYS = 90

_PLAN = {"advanced_backup_settings", "backup_plan_tags", "regions", "rules", "scan_settings", "selections"}
_RULE = {
    "complete_backup_window_minutes",
    "copy_actions",
    "enable_continuous_backup",
    "index_actions",
    "lifecycle",
    "recovery_point_tags",
    "scan_actions",
    "schedule_expression",
    "start_backup_window_minutes",
    "target_backup_vault_name",
    "target_logically_air_gapped_backup_vault_arn",
}
_SELECTIONS = {"resources", "tags"}


def check_names(payload: dict[str, Any]) -> None:
    """Raise ApiError if the name or the description of a policy is too long."""
    if len(payload.get("Name") or "") > _NAME_CHARACTERS:
        raise ApiError("InvalidInputException", f"Name is longer than {_NAME_CHARACTERS} characters")
    if len(payload.get("Description") or "") > _DESCRIPTION_CHARACTERS:
        raise ApiError(
            "InvalidInputException", f"Description is longer than {_DESCRIPTION_CHARACTERS} characters"
        )


def check(content: str) -> None:
    """Raise ApiError (ConstraintViolation or MalformedPolicyDocument) if AWS would refuse a backup policy."""
    if len(content) > CONTENT_CHARACTERS:
        raise ApiError(
            "ConstraintViolationException",
            f"The policy content has {len(content)} characters, the maximum is {CONTENT_CHARACTERS}.",
        )
    try:
        policy = json.loads(content, object_pairs_hook=_without_duplicates)
    except ValueError as error:
        raise _malformed(f"not valid JSON ({error})") from None
    if (
        not isinstance(policy, dict)
        or set(policy) - {_CONTROL} != {"plans"}
        or not isinstance(policy["plans"], dict)
    ):
        raise _malformed('the top level must be an object with the one key "plans"')
    for name, plan in _named(policy["plans"], "plans").items():
        _check_plan(f"plans.{name}", plan)


def effective(levels: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The effective policy of a target as plain values; levels: the policies from the root down."""
    merged: dict[str, Any] = {}
    for content in (content for level in levels for content in level):
        _merge(merged, content)
    return merged


def conflicts(levels: list[list[dict[str, Any]]]) -> list[str]:
    """The paths to which policies of one level assign different values, so that the result is invalid."""
    found: list[str] = []
    for level in levels:
        assigned: dict[str, Any] = {}
        for content in level:
            for path, value in _assignments(content, ""):
                if assigned.setdefault(path, value) != value and path not in found:
                    found.append(path)
    return found


def _assignments(content: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if key == "@@assign":
            yield path, value
        elif isinstance(value, dict):
            yield from _assignments(value, f"{path}/{key}")


def _merge(into: dict[str, Any], content: dict[str, Any]) -> None:
    for key, value in content.items():
        if key.startswith("@@"):
            continue
        if not isinstance(value, dict):
            into[key] = value
        elif any(operator in value for operator in _VALUE_OPERATORS):
            into[key] = _apply(into.get(key), value)
        else:
            below = into.get(key)
            into[key] = below if isinstance(below, dict) else {}
            _merge(into[key], value)


def _apply(inherited: Any, operators: dict[str, Any]) -> Any:
    if "@@assign" in operators:
        return operators["@@assign"]
    values = list(inherited) if isinstance(inherited, list) else []
    values += [value for value in _listed(operators.get("@@append", [])) if value not in values]
    removed = _listed(operators.get("@@remove", []))
    return [value for value in values if value not in removed]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_plan(path: str, plan: Any) -> None:
    _refuse_unknown(path, plan, _PLAN)
    if "regions" in plan:
        _value(f"{path}.regions", plan["regions"])
    for name, rule in _named(plan.get("rules", {}), f"{path}.rules").items():
        _check_rule(f"{path}.rules.{name}", rule)
    selections = plan.get("selections", {})
    _refuse_unknown(f"{path}.selections", selections, _SELECTIONS)
    for name, selection in _named(selections.get("tags", {}), f"{path}.selections.tags").items():
        where = f"{path}.selections.tags.{name}"
        _refuse_unknown(where, selection, {"conditions", "iam_role_arn", "tag_key", "tag_value"})
        for key in ("iam_role_arn", "tag_key", "tag_value"):
            if key in selection:
                _value(f"{where}.{key}", selection[key])


def _check_rule(path: str, rule: Any) -> None:
    _refuse_unknown(path, rule, _RULE)
    numbers = {
        key: _number(f"{path}.{key}", rule[key])
        for key in ("start_backup_window_minutes", "complete_backup_window_minutes")
        if key in rule
    }
    start = numbers.get("start_backup_window_minutes")
    if start is not None and start < _LEAST_START_WINDOW_MINUTES:
        raise _malformed(f"{path}.start_backup_window_minutes must be at least {_LEAST_START_WINDOW_MINUTES}")
    for key in ("schedule_expression", "target_backup_vault_name"):
        if key in rule:
            _value(f"{path}.{key}", rule[key])
    _check_lifecycle(f"{path}.lifecycle", rule.get("lifecycle", {}))
    for vault, action in _named(rule.get("copy_actions", {}), f"{path}.copy_actions").items():
        where = f"{path}.copy_actions.{vault}"
        _refuse_unknown(where, action, {"lifecycle", "target_backup_vault_arn"})
        if "target_backup_vault_arn" in action:
            _value(f"{where}.target_backup_vault_arn", action["target_backup_vault_arn"])
        _check_lifecycle(f"{where}.lifecycle", action.get("lifecycle", {}))


def _check_lifecycle(path: str, lifecycle: Any) -> None:
    known = {
        "delete_after_days",
        "move_to_cold_storage_after_days",
        "opt_in_to_archive_for_supported_resources",
    }
    _refuse_unknown(path, lifecycle, known)
    days = {
        key: _number(f"{path}.{key}", lifecycle[key])
        for key in ("delete_after_days", "move_to_cold_storage_after_days")
        if key in lifecycle
    }
    kept, cold = days.get("delete_after_days"), days.get("move_to_cold_storage_after_days")
    if kept is not None and cold is not None and kept < cold + _COLD_STORAGE_DAYS:
        raise _malformed(
            f"{path}.delete_after_days must be at least {_COLD_STORAGE_DAYS} days after cold storage"
        )


def _named(values: Any, path: str) -> dict[str, Any]:
    """The entries of a map with names of the user's choice, without control operators."""
    if not isinstance(values, dict):
        raise _malformed(f"{path} must be an object")
    return {name: value for name, value in values.items() if not name.startswith("@@")}


def _refuse_unknown(path: str, element: Any, known: set[str]) -> None:
    unknown = sorted(set(_named(element, path)) - known)
    if unknown:
        raise _malformed(f"{path} has unknown elements: {', '.join(unknown)}")


def _value(path: str, value: Any) -> Any:
    if not isinstance(value, dict) or not set(value) & set(_VALUE_OPERATORS):
        raise _malformed(f"{path} needs a value operator such as @@assign")
    return value.get("@@assign")


def _number(path: str, value: Any) -> int | None:
    assigned = _value(path, value)
    if assigned is None:
        return None
    if not str(assigned).isdigit():
        raise _malformed(f"{path} must be a whole number, not {assigned!r}")
    return int(assigned)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"duplicate keys: {', '.join(twice)}")
    return dict(pairs)


def _malformed(reason: str) -> ApiError:
    return ApiError(
        "MalformedPolicyDocumentException",
        f"The provided policy document does not meet the requirements: {reason}.",
    )
