"""The check of permissions finds what is missing and what is surplus."""

from __future__ import annotations

import pytest

from buildspecs.lint.templates import Template
from buildspecs.names import PREFIX_PATH
from tests.templates.permissions import (
    Need,
    Site,
    Statement,
    handler_permissions,
    matches,
    missing,
    needs,
    policy_characters,
    statements,
    surplus,
)

PUT = Need("ssm:PutParameter", "arn:aws:ssm:us-east-1:222222222222:parameter/backup/bucket", "stack/Bucket")
PARAMETERS = "arn:aws:ssm:us-east-1:222222222222:parameter/backup/*"


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetBucketAcl", True),
        ("s3:get*", "S3:GetBucketAcl", True),
        ("s3:Get*", "s3:PutBucketAcl", False),
        ("s3:GetObject", "s3:GetObjectVersion", False),
        ("s3:GetObject?ersion", "s3:GetObjectVersion", True),
        ("s3.GetObject", "s3:GetObject", False),
        ("*", "s3:GetObject", True),
    ],
)
def test_an_action_is_matched_as_iam_matches_it(pattern: str, action: str, expected: bool) -> None:
    assert matches(pattern, action) is expected


def test_a_resource_is_matched_with_its_case() -> None:
    statement = Statement("Put", ("ssm:PutParameter",), (PARAMETERS.upper(),))
    assert missing([statement], [PUT]) == [f"ssm:PutParameter on {PUT.arn} for stack/Bucket"]


@pytest.mark.parametrize(
    ("actions", "resources"),
    [(("ssm:GetParameters",), (PARAMETERS,)), (("ssm:PutParameter",), (f"{PARAMETERS}/none",)), ((), ())],
)
def test_a_call_without_its_action_or_its_resource_is_missing(
    actions: tuple[str, ...], resources: tuple[str, ...]
) -> None:
    assert missing([Statement("Some", actions, resources)], [PUT])


def test_action_and_resource_must_be_in_one_statement() -> None:
    apart = [
        Statement("Action", ("ssm:PutParameter",), ("arn:aws:ssm:us-east-1:222222222222:parameter/other",)),
        Statement("Resource", ("ssm:GetParameters",), (PARAMETERS,)),
    ]
    assert missing(apart, [PUT])


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (Statement("S", ("ssm:PutParameter",), (PARAMETERS,)), []),
        (
            Statement("S", ("ssm:PutParameter", "ssm:DeleteParameter"), (PARAMETERS,)),
            ["S: action ssm:DeleteParameter"],
        ),
        (Statement("S", ("ssm:Put*",), (PARAMETERS,)), ["S: action ssm:Put*"]),
        (
            Statement("S", ("ssm:PutParameter",), (PARAMETERS, "arn:aws:s3:::*")),
            ["S: resource arn:aws:s3:::*"],
        ),
        (
            Statement("S", ("ssm:PutParameter",), ("*",)),
            ["S: action ssm:PutParameter", "S: resource *"],
        ),
    ],
)
def test_an_action_or_resource_that_no_call_needs_is_surplus(statement: Statement, found: list[str]) -> None:
    assert surplus([statement], [PUT]) == found


def test_handler_permissions_are_those_of_the_official_schema() -> None:
    permissions = handler_permissions("AWS::SSM::Parameter")
    assert permissions["create"] >= {"ssm:PutParameter", "ssm:AddTagsToResource"}
    assert permissions["delete"] >= {"ssm:DeleteParameter"}
    assert permissions["list"] >= {"ssm:DescribeParameters"}


@pytest.mark.parametrize("unknown", ["AWS::Nothing::AtAll", "AWS::CodeBuild::Project"])
def test_a_type_without_handler_permissions_is_rejected(unknown: str) -> None:
    with pytest.raises(LookupError, match=unknown):
        handler_permissions(unknown)


BODY = {
    "Parameters": {
        "Prefix": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": PREFIX_PATH},
        "Name": {"Type": "String", "Default": "Named"},
    },
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Policies": [
                    {
                        "PolicyDocument": {
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "s3:GetObject",
                                    "Resource": {
                                        "Fn::Sub": [
                                            "${Bucket}/${Prefix}",
                                            {"Bucket": {"Fn::ImportValue": "bucket"}},
                                        ]
                                    },
                                }
                            ]
                        }
                    }
                ]
            },
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": {"Ref": "Name"},
                "Targets": [{"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}, {"Id": "without a role"}],
            },
        },
        "Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::Sub": "${Role.Arn}"}}},
    },
}
TEMPLATE = Template("stack.yaml", "", BODY)
SITE = Site("stack", imports={"bucket": "arn:aws:s3:::b"})
ROLE = "arn:aws:iam::222222222222:role/stack-Role-0A1B2C3D4E5F"


def test_a_statements_resources_are_resolved() -> None:
    assert statements(TEMPLATE, "Role", SITE) == [
        Statement("", ("s3:GetObject",), ("arn:aws:s3:::b/lambda-deployment-bucket",))
    ]


def test_needs_have_the_arns_of_their_resources() -> None:
    made = {(need.action, need.arn) for need in needs(TEMPLATE, SITE)}
    assert made >= {
        ("iam:CreateRole", ROLE),
        ("iam:PassRole", ROLE),
        ("events:PutRule", "arn:aws:events:us-east-1:222222222222:rule/Named"),
        ("events:ListRules", "*"),
        ("lambda:InvokeFunction", ROLE),
    }


def test_only_actions_of_read_handlers_are_marked_as_such() -> None:
    reading = {need.action for need in needs(TEMPLATE, SITE) if need.reads}
    assert "events:DescribeRule" in reading
    assert "events:PutRule" not in reading


def test_a_pipeline_is_passed_its_own_role_and_the_roles_of_its_actions() -> None:
    actions = [
        {"RoleArn": "arn:action", "Configuration": {}},
        {"Configuration": {"RoleArn": "arn:stack"}},
    ]
    pipeline = {"Name": "p", "RoleArn": "arn:pipeline", "Stages": [{"Actions": actions}]}
    body = {"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": pipeline}}}
    found = [need for need in needs(Template("stack.yaml", "", body), SITE) if need.service]
    assert [(need.action, need.arn, need.service) for need in found] == [
        ("iam:PassRole", arn, "codepipeline.amazonaws.com")
        for arn in ("arn:pipeline", "arn:action", "arn:stack")
    ]


def test_an_attribute_that_is_not_an_arn_is_rejected() -> None:
    thing = {"Type": "Custom::R", "Properties": {"ServiceToken": {"Fn::GetAtt": ["R", "Name"]}}}
    with pytest.raises(AssertionError, match=r"no rule for R\.Name"):
        list(needs(Template("stack.yaml", "", {"Resources": {"R": thing}}), SITE))


def test_the_size_of_a_policy_is_counted_without_whitespace() -> None:
    statement = (
        '{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/lambda-deployment-bucket"}'
    )
    document = f'{{"Statement":[{statement}]}}'
    assert policy_characters(TEMPLATE, "Role", SITE) == len(document)
