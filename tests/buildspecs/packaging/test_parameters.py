"""The targets stack is given its own values, or what SSM holds if an update touches the parameters."""

from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError

from buildspecs.names import SSM_TEMPLATE, TARGETS_STACK
from buildspecs.packaging import parameters
from buildspecs.packaging.parameters import NOT_RECORDED, RECORDED
from buildspecs.paths import ROOT
from tests.buildspecs.conftest import HOME_REGION, Aws, Stack, client

BODY = (ROOT / SSM_TEMPLATE).read_text()
TAGS = {"Application": "Backup", "Owner": "Platform"}
HASH = "0123456789abcdef" * 4
WRITTEN = {
    "BACKUPORGPOLICYMANAGER_PACKAGE": f"aws-backup-backuporgpolicymanager-{HASH[:16]}.zip",
    "BACKUPORGPOLICYMANAGER_HASH": HASH,
    "TAGONRESTORE_PACKAGE": f"aws-backup-tagonrestore-{HASH[:16]}.zip",
    "TAGONRESTORE_HASH": HASH,
}
AT_FIRST = dict.fromkeys(RECORDED, NOT_RECORDED)


@pytest.fixture
def home(aws: Aws) -> Aws:
    """The home account after a first rollout: the stack was given `none`, the builds have written SSM."""
    given = {each.stack_parameter: AT_FIRST[name] for name, each in RECORDED.items()}
    aws.stacks[TARGETS_STACK] = Stack(BODY, {"TargetRegions": "us-east-1", **given}, TAGS)
    ssm = client("ssm", HOME_REGION)
    for name, each in RECORDED.items():
        ssm.put_parameter(Name=each.ssm_name, Value=WRITTEN[name], Overwrite=True)
    return aws


def values(aws: Aws, body: str = BODY, tags: Mapping[str, str] | None = TAGS) -> dict[str, str]:
    ssm, cloudformation = (aws.session.client(name) for name in ("ssm", "cloudformation"))
    return parameters.values(body, tags, ssm, cloudformation)


def test_before_the_first_run_nothing_is_recorded(aws: Aws) -> None:
    names = [each.ssm_name for each in RECORDED.values()]
    client("ssm", HOME_REGION).delete_parameters(Names=names)
    assert values(aws) == AT_FIRST


def test_the_same_commit_gives_the_stack_what_it_has(home: Aws) -> None:
    assert values(home) == AT_FIRST


@pytest.mark.parametrize(
    "tags",
    [{**TAGS, "Stage": "production"}, {"Application": "Backup"}, {**TAGS, "Owner": "Storage"}, {}],
    ids=["added", "removed", "changed", "none"],
)
def test_other_tags_touch_every_resource_so_the_values_of_ssm_are_given(
    home: Aws, tags: dict[str, str]
) -> None:
    assert values(home, tags=tags) == WRITTEN


def test_a_file_without_tags_leaves_the_tags_of_the_stack(home: Aws) -> None:
    assert values(home, tags=None) == AT_FIRST


def test_the_order_of_tags_does_not_count(home: Aws) -> None:
    assert values(home, tags=dict(reversed(TAGS.items()))) == AT_FIRST


def test_another_template_may_touch_them_so_the_values_of_ssm_are_given(home: Aws) -> None:
    assert values(home, BODY.replace("Content hash of", "SHA-256 of")) == WRITTEN


def test_the_end_of_the_file_does_not_count(home: Aws) -> None:
    assert values(home, BODY + "\n\n") == AT_FIRST


def test_a_stack_without_the_parameters_gets_the_values_of_ssm(home: Aws) -> None:
    home.stacks[TARGETS_STACK] = Stack(BODY, {"TargetRegions": "us-east-1"}, TAGS)
    assert values(home) == WRITTEN


@pytest.mark.parametrize("lost", range(len(RECORDED)))
def test_a_parameter_that_is_missing_in_ssm_is_none_and_the_others_keep_theirs(home: Aws, lost: int) -> None:
    name = list(RECORDED)[lost]
    client("ssm", HOME_REGION).delete_parameter(Name=RECORDED[name].ssm_name)
    assert values(home, tags={}) == {**WRITTEN, name: NOT_RECORDED}


def test_the_template_declares_each_parameter_with_the_default_that_means_nothing_recorded() -> None:
    for each in RECORDED.values():
        assert f"\n  {each.stack_parameter}:\n    Type: String\n    Default: {NOT_RECORDED}\n" in BODY
        assert f"      Name: {each.ssm_name}\n" in BODY


@pytest.mark.parametrize("call", ["DescribeStacks", "GetTemplate", "GetParameters"])
def test_a_refused_call_is_never_taken_for_nothing_recorded(home: Aws, call: str) -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "injected"}}, call)
    home.fail(lambda number, made: refused if made.endswith(call) else None)
    with pytest.raises(ClientError, match="AccessDenied"):
        values(home, f"{BODY}# edited\n")
