"""A small evaluator of IAM policy documents: how one document alone decides a request.

It follows AWS's "IAM JSON policy evaluation logic" and "multivalued context keys" for the elements that this
repository uses. It rejects unknown operators and elements, so that no test passes by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ELEMENTS = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})


@dataclass(frozen=True)
class Request:
    """Who (a principal's ARN or a service) calls what on which resource; `context` has the condition keys."""

    principal: str
    action: str
    resource: str = "*"
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The principal's account; empty for a service."""
        return self.principal.split(":")[4] if self.principal.startswith("arn:") else ""

    def values(self, key: str) -> list[str] | None:
        """The values of a condition key; None if the request does not have it."""
        known: dict[str, str | Sequence[str]] = {name.lower(): value for name, value in self.context.items()}
        if self.account:
            known.setdefault("aws:principalarn", self.principal)
            known.setdefault("aws:principalaccount", self.account)
        value = known.get(key.lower())
        return None if value is None else [value] if isinstance(value, str) else list(value)


def decide(document: Mapping[str, Any], request: Request) -> str:
    """Deny, Allow, or an empty string for neither: a Deny overrides any Allow."""
    effects = {
        statement["Effect"] for statement in _list(document["Statement"]) if _applies(statement, request)
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else ""


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _matches(pattern: str, value: str) -> bool:
    """Whether an IAM pattern with * and ? matches; case matters."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _arn_matches(pattern: str, value: str) -> bool:
    """As _matches, but no wildcard spans one of the first five colons."""
    patterns, values = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(values) and all(map(_matches, patterns, values))


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - ELEMENTS
    if unknown:
        raise ValueError(f"the evaluator does not know {sorted(unknown)}")
    actions = _list(statement["Action"])
    if not any(_matches(action.lower(), request.action.lower()) for action in actions):
        return False
    if not any(_matches(resource, request.resource) for resource in _list(statement.get("Resource", "*"))):
        return False
    if "Principal" in statement and not _is_principal(statement["Principal"], request):
        return False
    return all(
        _holds(operator, key, [str(item) for item in _list(wanted)], request)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda pattern, value: pattern == value,
    "StringLike": _matches,
    "ArnEquals": _arn_matches,
    "ArnLike": _arn_matches,
    "Bool": lambda pattern, value: pattern.lower() == value.lower(),
    "NumericEquals": lambda limit, value: int(value) == int(limit),
    "NumericLessThan": lambda limit, value: int(value) < int(limit),
    "NumericLessThanEquals": lambda limit, value: int(value) <= int(limit),
    "NumericGreaterThan": lambda limit, value: int(value) > int(limit),
    "NumericGreaterThanEquals": lambda limit, value: int(value) >= int(limit),
}


def _is_principal(principal: Any, request: Request) -> bool:
    """An account's root stands for all its principals that IAM there allows."""
    if principal == "*":
        return True
    return any(
        name in ("*", request.principal)
        or (request.account != "" and name.endswith(f"::{request.account}:root"))
        for kind in ("AWS", "Service")
        for name in _list(principal.get(kind, []))
    )


def _holds(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    """One condition: `operator` on `key`, any of the `wanted` values."""
    values = request.values(key)
    if operator == "Null":
        return (values is None) == (wanted == ["true"])
    quantifier, _, name = operator.rpartition(":")
    if values is None and name.endswith("IfExists"):
        return True
    name = name.removesuffix("IfExists")
    negated = "Not" in name
    test = TESTS.get(name.replace("Not", ""))
    if test is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise ValueError(f"the evaluator does not know the condition operator {operator}")
    results = [any(test(pattern, value) for pattern in wanted) != negated for value in values or []]
    if quantifier:
        return any(results) if quantifier == "ForAnyValue" else all(results)
    return results[0] if results else negated
