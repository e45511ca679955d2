"""Properties as CloudFormation sends them, without AWS."""

import json
import re
from typing import Any

import pytest
from backup_org_policy_manager.errors import NotARequestError
from backup_org_policy_manager.request import PROPERTIES, DesiredPolicy, S3Object, read_event, read_properties

from buildspecs import paths

from .conftest import ACCOUNT, OU_1, OU_2, ROOT, event, plan, properties

KNOWN = frozenset({"us-east-1", "us-east-2"})


def read(**changed: Any) -> tuple[DesiredPolicy, list[str]]:
    desired, faults = read_properties(properties(**changed), KNOWN, lambda place: pytest.fail(str(place)))
    return desired, [str(fault) for fault in faults]


FAULTS = [
    ({"PolicyName": None}, "PolicyName: missing"),
    ({"PolicyName": ""}, "PolicyName: 0 characters, 1 to 128 allowed"),
    ({"PolicyName": "x" * 129}, "PolicyName: 129 characters, 1 to 128 allowed"),
    ({"PolicyName": ["daily"]}, "PolicyName: must be a string, not a list"),
    ({"PolicyName": "\ud800"}, "PolicyName: contains an unpaired Unicode surrogate"),
    ({"PolicyDescription": None}, "PolicyDescription: missing"),
    ({"PolicyDescription": 7}, "PolicyDescription: must be a string, not a number"),
    ({"PolicyDescription": "x" * 513}, "PolicyDescription: 513 characters, 0 to 512 allowed"),
    ({"PolicyType": None}, "PolicyType: missing"),
    ({"PolicyType": "TAG_POLICY"}, "PolicyType: TAG_POLICY, only BACKUP_POLICY is supported"),
    ({"PolicyType": {}}, "PolicyType: must be a string, not a map"),
    ({"PolicyTargets": None}, "PolicyTargets: missing"),
    ({"PolicyTargets": []}, "PolicyTargets: empty"),
    ({"PolicyTargets": {}}, "PolicyTargets: must be a list, not a map"),
    ({"PolicyTargets": [OU_1, "OU-x"]}, "PolicyTargets[1]: OU-x is not a root, OU or account ID"),
    ({"PolicyTargets": "ou-root-11111111,"}, "PolicyTargets[1]: empty"),
    ({"PolicyTargets": "ou-root"}, "PolicyTargets[0]: ou-root is not a root, OU or account ID"),
    ({"PolicyTargets": [12]}, "PolicyTargets[0]: must be a string, not a number"),
    ({"PolicyTargets": ["12345678901"]}, "PolicyTargets[0]: 12345678901 is not a root, OU or account ID"),
    ({"PolicyTargets": ["٤٤٤٤٤٤٤٤٤٤٤٤"]}, "PolicyTargets[0]: ٤٤٤٤٤٤٤٤٤٤٤٤ is not a root, OU or account ID"),
    ({"PolicyTargets": [f"{OU_1}\n\nx"]}, "is not a root, OU or account ID"),
    ({"PolicyRegions": None}, "PolicyRegions: missing"),
    ({"PolicyRegions": ["us-east-9"]}, "PolicyRegions[0]: us-east-9 is not a Region of this partition"),
    ({"PolicyRegions": ""}, "PolicyRegions[0]: empty"),
    ({"OrgManagementAccount": None}, "OrgManagementAccount: missing"),
    ({"OrgManagementAccount": "1234"}, "OrgManagementAccount: 1234 is not a 12-digit account ID"),
    ({"OrgManagementAccount": 111111111111}, "OrgManagementAccount: must be a string, not a number"),
    ({"PolicyContent": None}, "PolicyContent: missing"),
    ({"PolicyContent": []}, "PolicyContent: must be an object or a string, not a list"),
    ({"PolicyContent": {"S3": "x"}}, "PolicyContent.S3.PolicyBucket: must be a non-empty string"),
    (
        {"PolicyContent": {"S3": {"PolicyBucket": "b"}}},
        "PolicyContent.S3.PolicyKey: must be a non-empty string",
    ),
    (
        {"PolicyContent": {"S3": {"PolicyBucket": "b", "PolicyKey": "k", "PolicyVersion": 1}}},
        "PolicyContent.S3.PolicyVersion: must be a non-empty string",
    ),
    ({"Variables": "x"}, "Variables: must be a map or a list of maps"),
    ({"Variables": ["x"]}, "Variables: must be a map or a list of maps"),
    ({"Variables": {"$x": []}}, "Variables.$x: must be a string, not a list"),
    ({"Variables": {"": "1"}}, "Variables: a token is empty"),
    ({"Variables": [{"$x": "1"}, {"$x": "2"}]}, "Variables.$x: has two different values"),
    ({"Variables": {"$nowhere": "1"}}, "Variables.$nowhere: does not occur in PolicyContent"),
    ({"VerifyEffectivePolicy": "maybe"}, "VerifyEffectivePolicy: must be true or false"),
    ({"ChildPolicy": "yes"}, "ChildPolicy: must be true or false"),
    ({"ChildPolicy": ["true"]}, "ChildPolicy: must be true or false"),
    ({"PolicyTarget": [OU_1]}, "PolicyTarget: not a property of Custom::OrgPolicy"),
    ({"policyName": "daily"}, "policyName: not a property of Custom::OrgPolicy"),
    ({"serviceTimeout": "60"}, "serviceTimeout: not a property of Custom::OrgPolicy"),
]


@pytest.mark.parametrize(("changed", "expected"), FAULTS, ids=[expected for _, expected in FAULTS])
def test_the_problem_with_a_property_is_named(changed: dict[str, Any], expected: str) -> None:
    faults = read(**changed)[1]
    assert len(faults) >= 1
    assert any(expected in fault for fault in faults), faults


def test_all_problems_are_reported_together() -> None:
    nothing = read_properties({}, KNOWN, lambda place: "")[1]
    assert sorted(str(fault) for fault in nothing) == [
        "OrgManagementAccount: missing",
        "PolicyContent: missing",
        "PolicyDescription: missing",
        "PolicyName: missing",
        "PolicyRegions: missing",
        "PolicyTargets: missing",
        "PolicyType: missing",
    ]


def test_every_form_of_a_list_is_read() -> None:
    for form in ([ROOT, OU_1, ACCOUNT], f"{ROOT}, {OU_1} ,{ACCOUNT}", [ROOT, f" {OU_1}", ACCOUNT, ROOT]):
        desired, faults = read(PolicyTargets=form)
        assert not faults
        assert desired.targets == (ROOT, OU_1, ACCOUNT)
    assert read(PolicyTargets=OU_2)[0].targets == (OU_2,)


def test_variables_come_as_a_map_or_a_list_of_maps() -> None:
    content = plan(days="$days", note="$flag $number")
    for form in (
        {"$days": "7", "$flag": True, "$number": 1.5},
        [{"$days": "7"}, {"$flag": True, "$number": 1.5}, {"$days": "7"}],
    ):
        desired, faults = read(PolicyContent=content, Variables=form)
        assert not faults
        assert '"7"' in desired.content
        assert "true 1.5" in desired.content


def test_content_with_a_member_named_s3_is_content() -> None:
    content = plan(resource_types={"@@assign": ["S3"]})
    content["S3"] = {"PolicyBucket": "not a pointer: there are other members"}
    assert not read(PolicyContent=content)[1]
    assert not read(PolicyContent=json.dumps(content))[1]


def test_an_object_in_s3_is_read_once_with_its_version() -> None:
    asked: list[S3Object] = []

    def read_object(place: S3Object) -> str:
        asked.append(place)
        raise ValueError(f"{place}: NoSuchKey")

    pointer = {"S3": {"PolicyBucket": "bucket", "PolicyKey": "a/key", "PolicyVersion": "v7"}}
    faults = read_properties(properties(PolicyContent=pointer), KNOWN, read_object)[1]
    assert asked == [S3Object("bucket", "a/key", "v7")]
    assert [str(fault) for fault in faults] == ["PolicyContent.S3: s3://bucket/a/key version v7: NoSuchKey"]


def test_verification_is_on_by_default() -> None:
    assert read()[0].verify
    assert not read(VerifyEffectivePolicy="false")[0].verify
    assert not read(VerifyEffectivePolicy=False)[0].verify


def test_a_policy_is_not_a_child_policy_by_default() -> None:
    assert not read()[0].child
    assert not read(ChildPolicy="false")[0].child
    for true in ("true", "True", True):
        assert read(ChildPolicy=true)[0].child


def test_the_properties_of_every_custom_resource_are_accepted() -> None:
    assert not read(ServiceTimeout="900")[1]


def test_the_table_in_the_documentation_has_every_property() -> None:
    page = (paths.ROOT / "docs" / "backup-org-policy-manager.md").read_text()
    table = page.split("## Properties")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(PROPERTIES)


@pytest.mark.parametrize(
    "missing", ["ResponseURL", "StackId", "RequestId", "LogicalResourceId", "RequestType"]
)
def test_an_event_that_is_not_from_cloudformation_is_refused(missing: str) -> None:
    given = event("Create", properties())
    del given[missing]
    with pytest.raises(NotARequestError, match=missing):
        read_event(given)


def test_only_a_policy_id_is_read_as_one() -> None:
    def policy_id(physical_id: str) -> str | None:
        return read_event(event("Delete", {}, PhysicalResourceId=physical_id)).policy_id

    assert policy_id("p-1a2b3c4d") == "p-1a2b3c4d"
    others = ("", "policy-not-created", "p-short", "p-my-stack_Daily_ABCDEFGH", "p-1a2b3c4d\n", "P-1a2b3c4d")
    for other in others:
        assert policy_id(other) is None


def test_the_partition_is_that_of_the_stack() -> None:
    given = event("Create", {}, StackId="arn:aws-cn:cloudformation:cn-north-1:2:stack/a/b")
    assert read_event(given).partition == "aws-cn"
