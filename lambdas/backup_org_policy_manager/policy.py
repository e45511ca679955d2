"""The text of a backup policy: variables, Regions, compact JSON. Pure: no AWS call, no clock.

What its elements may be is in elements.py.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from .elements import ASSIGN, CONTROL, PLAN, as_object, missing, named, unknown_operators, wrong
from .errors import Fault

MAX_CHARACTERS = 10_000
WHERE = "PolicyContent"

Json = Any


class _RejectedError(ValueError):
    """The text is no JSON object that Organizations would take."""


def compose(
    text: str, variables: Mapping[str, str], regions: Sequence[str], *, child: bool = False
) -> tuple[str, list[Fault]]:
    """The compact policy text with every plan in `regions`, and all that is wrong with it.

    A text that cannot be read is "". A child policy may lack whatever a parent can supply.
    """
    try:
        content = parse(substitute(text, variables))
        faults = [*_unused(text, variables), *_faults(content, child)]
    except _RejectedError as error:
        return "", [Fault(WHERE, str(error))]
    except RecursionError:
        return "", [Fault(WHERE, "nested too deeply")]
    compact = compact_json(with_regions(content, regions))
    if len(compact) > MAX_CHARACTERS:
        faults.append(Fault(WHERE, f"{len(compact):,} characters without blanks, at most {MAX_CHARACTERS:,}"))
    return compact, faults


def _faults(content: dict[str, Json], child: bool) -> Iterator[Fault]:
    yield from unknown_operators(WHERE, content)
    plans = dict(named(content.get("plans")))
    if not plans:
        yield Fault(f"{WHERE}.plans", "no plan")
    incomplete: list[Fault] = []
    for name, plan in plans.items():
        where = f"{WHERE}.plans.{name}"
        yield from wrong(where, plan, PLAN)
        incomplete += missing(where, plan) if isinstance(plan, dict) and not child else ()
    yield from incomplete
    if incomplete:
        yield Fault("ChildPolicy", "must be true if a parent policy supplies what is missing")


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
    """Replace every token by its value: in a string by what the string means, however it is escaped.

    One pass over the text, longest token first: a token that begins with another one is never torn apart,
    and a value that contains a token is not replaced again.
    """
    if not variables:
        return text
    tokens = re.compile("|".join(re.escape(token) for token in sorted(variables, key=len, reverse=True)))

    def replaced(piece: str, meaning: str | None) -> str:
        if meaning is None:  # a bare number or boolean, not in quotes
            return tokens.sub(
                lambda match: json.dumps(variables[match.group()], ensure_ascii=False)[1:-1], piece
            )
        changed = tokens.sub(lambda match: variables[match.group()], meaning)
        return piece if changed == meaning else json.dumps(changed, ensure_ascii=False)

    return "".join(replaced(piece, meaning) for piece, meaning in _pieces(text))


def _unused(text: str, variables: Mapping[str, str]) -> Iterator[Fault]:
    pieces = [piece if meaning is None else meaning for piece, meaning in _pieces(text)]
    for token in variables:
        if not any(token in piece for piece in pieces):
            yield Fault(f"Variables.{token}", f"occurs nowhere in {WHERE}")


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """The text's JSON strings, each with its meaning, and what is between them, without one."""
    for index, piece in enumerate(re.split(r'("(?:[^"\\]|\\.)*")', text, flags=re.DOTALL)):
        try:
            yield piece, json.loads(piece) if index % 2 else None
        except ValueError:
            yield piece, None


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
    plans = dict(as_object(content.get("plans")))
    for name, plan in named(plans):
        if not isinstance(plan, dict):
            continue
        control = {key: value for key, value in as_object(plan.get("regions")).items() if key == CONTROL}
        plans[name] = {**plan, "regions": {**control, ASSIGN: list(regions)}}
    return {**content, "plans": plans}
