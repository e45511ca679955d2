"""The text of a backup policy: variables, checks, Regions, compact JSON. Pure: no AWS call, no clock.

The rules are those of AWS Organizations "Backup policy syntax and examples" and of the quotas of AWS Backup
and Organizations. Elements that are not known here pass through untouched; Organizations has the last word
on them.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from .errors import Fault

MAX_CHARACTERS = 10_000
MAX_RULES = 10
MAX_COPY_ACTIONS = 5
MIN_START_WINDOW_MINUTES = 60
MIN_DAYS_IN_COLD_STORAGE = 90
MAX_CONTINUOUS_DAYS = 35

ASSIGN = "@@assign"
WHERE = "PolicyContent"

Json = Any


class _RejectedError(ValueError):
    """The text is no JSON object that Organizations would take."""


def compose(text: str, variables: Mapping[str, str], regions: Sequence[str]) -> tuple[str, list[Fault]]:
    """The compact policy text with every plan in `regions`, and all that is wrong with it.

    The text is only of use if there are no faults.
    """
    try:
        content = parse(substitute(text, variables))
    except _RejectedError as error:
        return "", [Fault(WHERE, str(error))]
    faults = list(_faults(content))
    if faults:
        return "", faults
    compact = compact_json(with_regions(content, regions))
    if len(compact) > MAX_CHARACTERS:
        faults.append(Fault(WHERE, f"{len(compact):,} characters without blanks, at most {MAX_CHARACTERS:,}"))
    return compact, faults


def compact_json(content: Json) -> str:
    """JSON without blanks: Organizations counts them, and counts characters, not bytes."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def same(one: str, other: str) -> bool:
    """True if two policy texts mean the same."""
    try:
        return bool(parse(one) == parse(other))
    except _RejectedError:
        return one == other


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace every token by its value, written as it must be inside a JSON string.

    One pass over the text, longest token first: a token that begins with another one is never torn apart,
    and a value that contains a token is not replaced again.
    """
    if not variables:
        return text
    values = {_escaped(token): _escaped(value) for token, value in variables.items()}
    tokens = "|".join(re.escape(token) for token in sorted(values, key=len, reverse=True))
    return re.sub(tokens, lambda match: values[match.group()], text)


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def parse(text: str) -> dict[str, Json]:
    """The policy as an object; raises _RejectedError for anything that is not exactly one JSON object."""
    try:
        content = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
        compact_json(content).encode()
    except _RejectedError:
        raise
    except RecursionError as error:
        raise _RejectedError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise _RejectedError("holds half of a Unicode character") from error
    except json.JSONDecodeError as error:
        raise _RejectedError(
            f"no valid JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:
        raise _RejectedError(f"no valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise _RejectedError("must be a JSON object")
    return content


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    seen: dict[str, Json] = {}
    for key, value in pairs:
        if key in seen:
            raise _RejectedError(f"key {key} appears twice in one object")
        seen[key] = value
    return seen


def _no_constant(name: str) -> NoReturn:
    raise _RejectedError(f"no valid JSON: {name} is not a value")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_constant(digits)


def with_regions(content: dict[str, Json], regions: Sequence[str]) -> dict[str, Json]:
    """Every plan with exactly these Regions.

    @@assign is used because a plan must run where the vaults are deployed and nowhere else: it replaces
    what a parent policy gives, where @@append would add to it. Child-control operators beside the value
    stay.
    """
    plans = dict(content["plans"])
    for name, plan in named(plans):
        kept = {key: value for key, value in _object(plan.get("regions")).items() if _controls_children(key)}
        plans[name] = {**plan, "regions": {**kept, ASSIGN: list(regions)}}
    return {**content, "plans": plans}


def named(node: Json) -> Iterator[tuple[str, Json]]:
    """The members that a person named; the inheritance operators beside them are left out."""
    return ((key, value) for key, value in _object(node).items() if not key.startswith("@@"))


def _controls_children(key: str) -> bool:
    return key.startswith("@@operators_allowed_for_child_policies")


def _object(node: Json) -> dict[str, Json]:
    return node if isinstance(node, dict) else {}


def _faults(content: dict[str, Json]) -> Iterator[Fault]:
    plans = list(named(content.get("plans")))
    if not plans:
        yield Fault(f"{WHERE}.plans", "no plan")
    for name, plan in plans:
        where = f"{WHERE}.plans.{name}"
        if not isinstance(plan, dict):
            yield Fault(where, "must be an object")
            continue
        yield from _rule_faults(where, plan)
        yield from _selection_faults(where, plan)


def _rule_faults(where: str, plan: dict[str, Json]) -> Iterator[Fault]:
    rules = list(named(plan.get("rules")))
    if not rules:
        yield Fault(f"{where}.rules", "no rule")
    if len(rules) > MAX_RULES:
        yield Fault(f"{where}.rules", f"{len(rules)} rules, at most {MAX_RULES}")
    for name, rule in rules:
        place = f"{where}.rules.{name}"
        if not isinstance(rule, dict):
            yield Fault(place, "must be an object")
            continue
        yield from _window_faults(place, rule)
        yield from _lifecycle_faults(place, rule)
        copies = list(named(rule.get("copy_actions")))
        if len(copies) > MAX_COPY_ACTIONS:
            yield Fault(f"{place}.copy_actions", f"{len(copies)} copy actions, at most {MAX_COPY_ACTIONS}")
        for vault, copy in copies:
            yield from _lifecycle_faults(f"{place}.copy_actions.{vault}", _object(copy))


def _window_faults(where: str, rule: dict[str, Json]) -> Iterator[Fault]:
    def too_short(minutes: int) -> str | None:
        return (
            None if minutes >= MIN_START_WINDOW_MINUTES else f"{minutes}, at least {MIN_START_WINDOW_MINUTES}"
        )

    yield from _number_faults(where, rule, "start_backup_window_minutes", too_short)
    yield from _number_faults(where, rule, "complete_backup_window_minutes", lambda minutes: None)


def _lifecycle_faults(where: str, rule: dict[str, Json]) -> Iterator[Fault]:
    lifecycle = _object(rule.get("lifecycle"))
    cold = number(lifecycle.get("move_to_cold_storage_after_days"))
    continuous = str(value_of(rule.get("enable_continuous_backup"))).lower() == "true"

    def too_early(days: int) -> str | None:
        if cold is not None and cold >= 0 and 0 <= days < cold + MIN_DAYS_IN_COLD_STORAGE:
            return f"{days}, at least {cold + MIN_DAYS_IN_COLD_STORAGE} (cold storage after {cold}, then 90)"
        if continuous and days > MAX_CONTINUOUS_DAYS:
            return f"{days}, at most {MAX_CONTINUOUS_DAYS} for a continuous backup"
        return None

    place = f"{where}.lifecycle"
    yield from _number_faults(place, lifecycle, "move_to_cold_storage_after_days", lambda days: None)
    yield from _number_faults(place, lifecycle, "delete_after_days", too_early)


def _number_faults(
    where: str, node: dict[str, Json], key: str, problem: Callable[[int], str | None]
) -> Iterator[Fault]:
    if value_of(node.get(key)) is None:
        return
    value = number(node[key])
    what = "must be a whole number" if value is None else problem(value)
    if what:
        yield Fault(f"{where}.{key}", what)


def _selection_faults(where: str, plan: dict[str, Json]) -> Iterator[Fault]:
    selections = dict(named(plan.get("selections")))
    where = f"{where}.selections"
    if not any(_object(kind) for kind in selections.values()):
        yield Fault(where, "no selection")
    if "tags" in selections and "resources" in selections:
        yield Fault(where, "either tags or resources, not both")
    for kind in ("tags", "resources"):
        for name, selection in named(selections.get(kind)):
            if not value_of(_object(selection).get("iam_role_arn")):
                yield Fault(f"{where}.{kind}.{name}", "no iam_role_arn")


def value_of(node: Json) -> Json:
    """The value that a policy element assigns, None if it assigns none."""
    return node.get(ASSIGN) if isinstance(node, dict) else node


def number(node: Json) -> int | None:
    """A whole number, also when CloudFormation turned it into a string; None for anything else."""
    value = value_of(node)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value.strip()):
        return int(value)
    return None
