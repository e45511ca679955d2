"""Each option is one thing in the check, the template, the stacks that read it, and docs/options.md."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildspecs.lint.rules.sets import ssm_reads
from buildspecs.lint.templates import load, repository_templates
from buildspecs.names import DEPLOYED, OPTIONS_PATH, SSM_TEMPLATE, STACKSETS, TARGETS_KEYS, TEXT, StackSet
from buildspecs.paths import ROOT
from buildspecs.targets import OPTIONS, REQUIRED
from tests.markdown import Page
from tests.templates.resolving import Resolver

OWNER = load(ROOT / SSM_TEMPLATE)
EACH = pytest.mark.parametrize("key", OPTIONS)
SINGLE_SIGN_ON = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Backup_0123456789abcdef"
NOT_ROLES = ("/admin", "admin/", "a//b", "break glass", "k" * 65, "*", "arn:aws:iam::111122223333:role/admin")
# Values that AWS accepts, the first of which the wrappers' tests pass on; values that it refuses.
VALUES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "KeyAdministratorRoleName": (("security/key-administrator", SINGLE_SIGN_ON, "k" * 64), NOT_ROLES),
    "BreakGlassRoleName": (("break-glass", "A+=,.@-_9"), NOT_ROLES),
    "AccessLogBucketPrefix": (("logs-of-ours", "0a", "a" * 29), ("Logs", "-logs", "a", "a" * 30, "logs/")),
    "LogKeyId": (
        (f"mrk-{'0a' * 16}",),
        ("alias/logs", "1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-0", f"mrk-{'g' * 32}"),
    ),
    "TagsToExcludeInCopy": (
        ("aws:backup:source-resource, cost:* , owner", "Cost Center", "k" * 128, "*"),
        ("owner,, cost", " ", "owner,", "{{resolve}}"),
    ),
    "OverwriteExistingTags": (("true", "false"), ("True", "yes", "none", "")),
    "SweepState": (("DISABLED", "ENABLED"), ("disabled", "ENABLED ", "none", "")),
}


def accepts(parameter: Mapping[str, Any], value: str) -> bool:
    """Whether CloudFormation accepts the value for a parameter."""
    if "AllowedValues" in parameter:
        return value in parameter["AllowedValues"]
    fits = len(value) <= int(parameter.get("MaxLength", 4096))
    return fits and re.fullmatch(parameter["AllowedPattern"], value, re.ASCII) is not None


def check_accepts(key: str, value: str) -> bool:
    return not list(OPTIONS[key].form.faults(value))


def readers(path: str) -> set[str]:
    """The templates that read an SSM parameter."""
    found = ((template.path, read) for template in repository_templates() for _, read in ssm_reads(template))
    return {template for template, read in found if read == path}


def test_every_option_has_values_to_accept_and_to_refuse() -> None:
    assert list(VALUES) == list(OPTIONS)


@EACH
def test_the_template_has_the_default_and_the_words_of_the_check(key: str) -> None:
    parameter, option = OWNER.parameters[key], OPTIONS[key]
    assert (parameter["Type"], parameter["Default"]) == ("String", option.default)
    assert parameter["ConstraintDescription"] == f"must be {option.form.needs}"


@EACH
def test_the_template_and_the_check_accept_and_refuse_the_same(key: str) -> None:
    right, wrong = VALUES[key]
    accepted = dict.fromkeys((OPTIONS[key].default, *right), True) | dict.fromkeys(wrong, False)
    assert {value: check_accepts(key, value) for value in accepted} == accepted
    assert {value: accepts(OWNER.parameters[key], value) for value in accepted} == accepted


@EACH
def test_ssm_gets_none_for_an_empty_option_and_any_other_value_as_it_is(key: str) -> None:
    values = {value: value for value in (OPTIONS[key].default, *VALUES[key][0])}
    if check_accepts(key, "none"):
        assert check_accepts(key, "")
        assert accepts(OWNER.parameters[key], "")
        values |= {"none": "none", "": "none"}
    for value, written in values.items():
        properties = Resolver(OWNER, {key: value}).properties(f"{key}Option")
        expected = {"Name": f"{OPTIONS_PATH}/{key}", "Type": "String", "Value": written}
        assert properties == expected


@given(
    st.sampled_from(list(OPTIONS)),
    st.text("aA0*/,-_ :{.\t") | st.from_regex(r"([a-z0:*]{1,9}[ ,/]*){1,4}", fullmatch=True),
)
def test_no_template_refuses_what_the_check_accepts(key: str, value: str) -> None:
    if check_accepts(key, value):
        assert accepts(OWNER.parameters[key], value)
        assert all(accepts(parameter, "" if value == "none" else value) for parameter in in_bodies()[key])


@pytest.mark.parametrize("keys", ["k" * 129, "{{resolve}}", ",".join(f"key-{n}" for n in range(400))])
def test_keys_to_exclude_fit_into_tags_ssm_and_the_function_s_environment(keys: str) -> None:
    assert not check_accepts("TagsToExcludeInCopy", keys)


@EACH
def test_an_option_is_read_under_its_own_name_by_stacks_that_the_pipeline_deploys_later(key: str) -> None:
    order = [stack.template for stack in DEPLOYED]
    found = readers(f"{OPTIONS_PATH}/{key}")
    assert found
    for path in found:
        parameter = load(ROOT / path).parameters[key]
        assert (parameter["Type"], parameter["Default"]) == (TEXT, f"{OPTIONS_PATH}/{key}")
        assert order.index(path) > order.index(SSM_TEMPLATE)


def passed(stack_set: StackSet, options: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that the wrapper passes to the StackSet's template."""
    given = {"TemplateKey": "key", "PackageRegions": "us-east-1", "RoleStackSetArn": "arn", **options}
    template = load(ROOT / stack_set.wrapper)
    properties = Resolver(template, given).properties(template.only("AWS::CloudFormation::StackSet"))
    return {item["ParameterKey"]: item["ParameterValue"] for item in properties["Parameters"]}


WRAPPED = [
    (stack_set, key)
    for stack_set in STACKSETS
    for key in OPTIONS
    if key in load(ROOT / stack_set.wrapper).parameters
]


def changed(stack_set: StackSet, key: str) -> str:
    """The one parameter of the StackSet's template to which the wrapper passes an option."""
    by_default, given = passed(stack_set, {}), passed(stack_set, {key: VALUES[key][0][0]})
    (name,) = [name for name in given if given[name] != by_default[name]]
    return name


@functools.cache
def in_bodies() -> Mapping[str, list[Mapping[str, Any]]]:
    """The definitions of the parameters to which an option is passed."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for stack_set, key in WRAPPED:
        found[key].append(load(ROOT / stack_set.body).parameters[changed(stack_set, key)])
    return found


@pytest.mark.parametrize(("stack_set", "key"), WRAPPED, ids=lambda part: getattr(part, "name", part))
def test_an_option_reaches_the_accounts_and_without_it_they_get_their_template_s_default(
    stack_set: StackSet, key: str
) -> None:
    name, value = changed(stack_set, key), VALUES[key][0][0]
    assert passed(stack_set, {key: value})[name] == value
    assert passed(stack_set, {})[name] == load(ROOT / stack_set.body).parameters[name]["Default"]
    if check_accepts(key, "none"):
        assert passed(stack_set, {key: "none"})[name] == ""


# --- docs/options.md ----------------------------------------------------------

ROWS = {row["key"]: row for row in Page.read("docs/options.md").table("key")}


def test_the_page_has_every_key_in_the_order_of_the_check() -> None:
    assert set(REQUIRED) == TARGETS_KEYS
    assert list(ROWS) == [*REQUIRED, *OPTIONS]


@pytest.mark.parametrize("key", [*REQUIRED, *OPTIONS])
def test_a_row_has_the_default_what_is_allowed_and_the_stacks_that_read_the_key(key: str) -> None:
    row = ROWS[key]
    option = OPTIONS.get(key)
    assert row["default"] == (option.default if option else "required")
    assert row["allowed"].replace("`", "") == (option.form if option else REQUIRED[key]).needs
    paths = [
        properties["Name"]
        for _, properties in OWNER.of_type("AWS::SSM::Parameter")
        if re.search(rf"'Ref': '{key}'", str(properties["Value"]))
    ]
    assert set(row["read by"].split(", ")) == {
        Path(template).stem for path in paths for template in readers(path)
    }


def test_the_page_says_where_to_add_an_option() -> None:
    how = Page.read("docs/options.md").section("Add an option").text
    assert re.findall(r"^\d\. .*?\]\(\.\./(.*?)\)", how, re.MULTILINE) == [
        SSM_TEMPLATE,
        "buildspecs/targets.py",
        "templates/home-account",
        "tests/templates/test_options.py",
    ]
