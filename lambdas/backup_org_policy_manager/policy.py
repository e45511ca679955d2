"""The text of a backup policy: variables, Regions, compact JSON. Pure.

elements.py has the rules for its elements.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from .elements import ASSIGN, CONTROL, PLAN, as_object, members, missing, unknown_operators, violations
from .errors import Problem

# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
MAX_CHARACTERS = 10_000
WHERE = "PolicyContent"

Json = Any


class _RejectedError(ValueError):
    """The text is not a JSON object that Organizations would accept."""


def compose(
    text: str, variables: Mapping[str, str], regions: Sequence[str], *, child: bool = False
) -> tuple[str, list[Problem]]:
    """The compact policy text with every plan in `regions`, and every problem with it.

    The text is "" if it cannot be read. A child policy may lack what its parent supplies.
    """
    try:
        content = parse(substitute(text, variables))
        problems = [*_unused(text, variables), *_problems(content, child)]
    except _RejectedError as error:
        return "", [Problem(WHERE, str(error))]
    except RecursionError:
        return "", [Problem(WHERE, "nested too deeply")]
    compact = compact_json(with_regions(content, regions))
    if len(compact) > MAX_CHARACTERS:
        problems.append(
            Problem(WHERE, f"{len(compact):,} characters without whitespace, at most {MAX_CHARACTERS:,}")
        )
    return compact, problems


def _problems(content: dict[str, Json], child: bool) -> Iterator[Problem]:
    yield from unknown_operators(WHERE, content)
    plans = dict(members(content.get("plans")))
    if not plans:
        yield Problem(f"{WHERE}.plans", "no plan")
    incomplete: list[Problem] = []
    for name, plan in plans.items():
        where = f"{WHERE}.plans.{name}"
        yield from violations(where, plan, PLAN)
        incomplete += missing(where, plan) if isinstance(plan, dict) and not child else ()
    yield from incomplete
    if incomplete:
        yield Problem("ChildPolicy", "must be true if a parent policy supplies what is missing")


def compact_json(content: Json) -> str:
    """JSON without whitespace, which Organizations counts. It counts characters, not bytes."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def same(one: str, other: str) -> bool:
    """True if two policy texts have the same meaning."""
    try:
        return bool(parse(one) == parse(other))
    except _RejectedError:
        return one == other


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace every token with its value, in strings however they are escaped.

    One pass over the text, longest token first: a token that begins with another one stays whole, and a value
    that contains a token is not replaced again.
    """
    if not variables:
        return text
    tokens = re.compile("|".join(re.escape(token) for token in sorted(variables, key=len, reverse=True)))

    def replaced(piece: str, meaning: str | None) -> str:
        if meaning is None:  # a number or boolean without quotes
            return tokens.sub(
                lambda match: json.dumps(variables[match.group()], ensure_ascii=False)[1:-1], piece
            )
        changed = tokens.sub(lambda match: variables[match.group()], meaning)
        return piece if changed == meaning else json.dumps(changed, ensure_ascii=False)

    return "".join(replaced(piece, meaning) for piece, meaning in _pieces(text))


def _unused(text: str, variables: Mapping[str, str]) -> Iterator[Problem]:
    pieces = [piece if meaning is None else meaning for piece, meaning in _pieces(text)] if variables else []
    for token in variables:
        if not any(token in piece for piece in pieces):
            yield Problem(f"Variables.{token}", f"does not occur in {WHERE}")


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """The text's JSON strings, each with its parsed value, and the text between them, with None."""
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
        raise _RejectedError("contains an unpaired Unicode surrogate") from error
    except json.JSONDecodeError as error:
        raise _RejectedError(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:
        raise _RejectedError(f"not valid JSON: {error}") from error
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
    raise _RejectedError(f"not valid JSON: {name} is not a value")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_constant(digits)


def with_regions(content: dict[str, Json], regions: Sequence[str]) -> dict[str, Json]:
    """Every plan with exactly these Regions.

    A plan must run only where the vaults are deployed, so @@assign replaces what a parent policy sets, to
    which @@append would add. Child-control operators stay.
    """
    plans = dict(as_object(content.get("plans")))
    for name, plan in members(plans):
        if not isinstance(plan, dict):
            continue
        control = {key: value for key, value in as_object(plan.get("regions")).items() if key == CONTROL}
        plans[name] = {**plan, "regions": {**control, ASSIGN: list(regions)}}
    return {**content, "plans": plans}
