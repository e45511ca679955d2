"""What several rules read from a template: its lines, policies and statements, and their parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from buildspecs.lint.templates import Template

NO_VALUE = {"Ref": "AWS::NoValue"}
# Condition keys that tie an anonymous principal to the organization.
ORGANIZATION_KEYS = frozenset(
    {"aws:principalorgid", "aws:principalorgpaths", "aws:sourceorgid", "aws:sourceorgpaths"}
)


def numbered_lines(template: Template) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments."""
    for number, line in enumerate(template.text.splitlines(), start=1):
        if not line.lstrip().startswith("#"):
            yield number, line


def listed(value: Any) -> list[Any]:
    """A value as a list: of nothing, of itself, or the list that it is."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def walk(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def variants(value: Any) -> list[Any]:
    """The value once for each outcome of its Fn::If functions, without what becomes AWS::NoValue.

    Each Fn::If is taken both ways independently, so that a policy must be right for all parameters.
    """
    if isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            _, yes, no = value["Fn::If"]
            return variants(yes) + variants(no)
        parts = [[(key, item) for item in variants(value[key])] for key in value]
        return [{key: item for key, item in choice if item != NO_VALUE} for choice in product(*parts)]
    if isinstance(value, list):
        return [
            [item for item in choice if item != NO_VALUE]
            for choice in product(*(variants(item) for item in value))
        ]
    return [value]


def policies(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(logical ID, policy document) of every policy in the template: anything that has a Statement."""
    if "Statement" in template.body:  # a service control policy
        yield "policy", template.body
    for name, resource in template.resources.items():
        for value in walk(resource.get("Properties", {})):
            if isinstance(value, dict) and "Statement" in value:
                yield name, value


def statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(logical ID, statement) of every policy, once for each outcome of its conditions."""
    for name, document in policies(template):
        for statement in listed(document["Statement"]):
            for variant in variants(statement):
                if isinstance(variant, dict) and "Effect" in variant:
                    yield name, variant


def actions(statement: Mapping[str, Any]) -> list[str]:
    """The actions that a statement names as plain text."""
    return [action for action in listed(statement.get("Action")) if isinstance(action, str)]


def is_for_anybody(statement: Mapping[str, Any]) -> bool:
    """Whether the principal is *."""
    principal = statement.get("Principal")
    return principal == "*" or (isinstance(principal, dict) and "*" in listed(principal.get("AWS")))


def conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """(operator, lowercase key, values) of each condition."""
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, values in keys.items():
            yield operator, key.lower(), listed(values)


def names_organization(operator: str, key: str, values: list[Any]) -> bool:
    """Whether a condition limits a statement to named organizations; a wildcard would be any of them."""
    any_one = any(isinstance(value, str) and re.match(r"(o-)?[*?]", value) for value in values)
    return key in ORGANIZATION_KEYS and limits(operator) and not any_one


def limits(operator: str) -> bool:
    """Whether an operator limits: it is not negated, and an absent key does not satisfy it."""
    return (
        "Not" not in operator
        and not operator.endswith("IfExists")
        and not operator.startswith(("ForAllValues", "Null"))
    )


def referred(value: Any, attribute: str) -> str:
    """The logical ID whose attribute a value is, or an empty string."""
    found = value.get("Fn::GetAtt") if isinstance(value, dict) else None
    return str(found[0]) if found and found[1:] == [attribute] else ""
