"""Generated property sets: each ends in a clear FAILED, or in a policy that reads back as requested."""

import json
from typing import Any

import pytest
from backup_org_policy_manager import policy as policies
from hypothesis import event as hypothesis_event
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import IN_CODEBUILD, examples

from .conftest import ACCOUNT, MANAGEMENT, OU_1, OU_2, OU_3, ROOT, deployed, event, plan

REGIONS = ["us-east-1", "us-east-2", "eu-central-1", "ap-southeast-2"]

# Listing all of Unicode takes hypothesis a second in a fresh folder, and every build has one.
characters = (
    st.characters() if not IN_CODEBUILD else st.sampled_from('aZ0 $@"\\/\n{}[]:,.-_\x00ü€\N{GRINNING FACE}')
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(characters, max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text(characters, max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
texts = st.text(characters, min_size=1, max_size=40)
targets = st.lists(st.sampled_from([ROOT, OU_1, OU_2, OU_3, ACCOUNT]), min_size=1, max_size=5)
regions = st.lists(st.sampled_from(REGIONS), min_size=1, max_size=4)
durations = st.integers(min_value=0, max_value=200)


def lists(values: st.SearchStrategy[list[str]]) -> st.SearchStrategy[Any]:
    """A list as CloudFormation may send it: a list, items with spaces, or one string."""
    return values | values.map(", ".join) | values.map(lambda items: [f" {item} " for item in items])


@st.composite
def contents(draw: st.DrawFn) -> Any:
    """Policies, most of them correct, as an object or a string, with and without variables."""
    rule = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "start_backup_window_minutes": st.sampled_from(
                    ["60", 60, "480", "59", "soon", "$minutes"]
                ).map(lambda value: {"@@assign": value}),
                "lifecycle": st.fixed_dictionaries(
                    {},
                    optional={
                        "delete_after_days": durations.map(lambda days: {"@@assign": days}),
                        "move_to_cold_storage_after_days": durations.map(
                            lambda days: {"@@assign": str(days)}
                        ),
                    },
                ),
                "enable_continuous_backup": st.sampled_from([True, "true", "false"]).map(
                    lambda value: {"@@assign": value}
                ),
                "something_new": json_values,
            },
        )
    )
    content: Any = {"plans": {}}
    for name in draw(
        st.lists(st.text(characters, min_size=1, max_size=10), min_size=1, max_size=3, unique=True)
    ):
        content["plans"] |= plan(name, **rule)["plans"]
    content["plans"] |= draw(
        st.sampled_from(
            [{}, {}, {"@@operators_allowed_for_child_policies": ["@@none"]}, {"Broken": {"rules": 1}}]
        )
    )
    form = draw(st.sampled_from(["object", "string", "pretty", "cut"]))
    if form == "object":
        return content
    text = json.dumps(content, indent=2 if form == "pretty" else None)
    return text[:-2] if form == "cut" and draw(st.booleans()) else text


required = {
    "PolicyName": texts,
    "PolicyDescription": st.text(characters, max_size=60),
    "PolicyType": st.just("BACKUP_POLICY"),
    "PolicyTargets": lists(targets),
    "PolicyRegions": lists(regions),
    "OrgManagementAccount": st.just(MANAGEMENT),
    "PolicyContent": contents(),
}
optional = {
    "Variables": st.dictionaries(
        st.sampled_from(["$minutes", "$minute", "$x"]), texts | st.integers(60, 99), max_size=2
    ),
    "VerifyEffectivePolicy": st.sampled_from(["true", "false"]),
    "ChildPolicy": st.sampled_from(["true", "false", True]),
    "PolicyTarget": st.just("misspelt"),
}


@st.composite
def property_sets(draw: st.DrawFn) -> dict[str, Any]:
    """Correct properties, of which up to two are then removed or replaced by anything."""
    given = draw(st.fixed_dictionaries(required, optional=optional))
    if draw(st.integers(0, 9)):
        given.pop("PolicyTarget", None)
    text = (
        given["PolicyContent"]
        if isinstance(given["PolicyContent"], str)
        else json.dumps(given["PolicyContent"])
    )
    if "Variables" in given and draw(st.booleans()):  # a token that occurs nowhere is refused
        given["Variables"] = {token: value for token, value in given["Variables"].items() if token in text}
    for name in draw(st.lists(st.sampled_from([*required, *optional]), max_size=2)):
        if draw(st.booleans()):
            given.pop(name, None)
        else:
            given[name] = draw(json_values)
    return given


@examples(2000)
@pytest.mark.usefixtures("quiet")
@given(property_sets())
def test_every_property_set_ends_in_a_response(properties: dict[str, Any]) -> None:
    with deployed() as function:
        response = function.invoke(event("Create", properties))
        assert response
        hypothesis_event(response["Status"])
        if response["Status"] == "FAILED":
            assert response["Reason"]
            assert len(response["Reason"]) <= 240
            assert function.organization.policies == {}
            assert response["PhysicalResourceId"] == "policy-not-created"
            return
        assert "PolicyTarget" not in properties
        (policy,) = function.organization.policies.values()
        assert response["PhysicalResourceId"] == policy.id == response["Data"]["PolicyId"]
        assert policy.name == properties["PolicyName"]
        assert policy.description == properties["PolicyDescription"]
        assert policy.targets == _each_once(properties["PolicyTargets"])
        assert policies.parse(policy.content) == _expected(properties)
        assert policy.content == policies.compact_json(json.loads(policy.content))


def _each_once(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    return list(dict.fromkeys(item.strip() for item in items))


def _expected(properties: dict[str, Any]) -> Any:
    """The policy that the organization must have, derived from the parsed policy instead of its text."""
    content = properties["PolicyContent"]
    content = json.loads(content) if isinstance(content, str) else content
    content = _replaced(content, _variables(properties.get("Variables")))
    for name, each in content["plans"].items():
        if not name.startswith("@@"):
            each["regions"] = {"@@assign": _each_once(properties["PolicyRegions"])}
    return content


def _variables(value: Any) -> dict[str, str]:
    maps = value if isinstance(value, list) else [value or {}]
    given = {token: each for entry in maps for token, each in entry.items()}
    return {token: each if isinstance(each, str) else json.dumps(each) for token, each in given.items()}


def _replaced(node: Any, variables: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {_replaced(key, variables): _replaced(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(item, variables) for item in node]
    if not isinstance(node, str) or not variables:
        return node
    for token in sorted(variables, key=len, reverse=True):
        if token in node:
            before, after = node.split(token, 1)
            return _replaced(before, variables) + variables[token] + _replaced(after, variables)
    return node
