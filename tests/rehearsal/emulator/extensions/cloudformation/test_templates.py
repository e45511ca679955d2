"""CloudFormation: what AWS refuses, and the template features that this repository uses."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.emulator.templates import log_group, role, statement, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

NAMED: dict[str, dict[str, Any]] = {
    "role": role("taken", {"Service": "lambda.amazonaws.com"}),
    "log-group": log_group("/taken"),
    "rule": {
        "Type": "AWS::Events::Rule",
        "Properties": {"Name": "taken", "ScheduleExpression": "rate(1 day)"},
    },
    "parameter": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/taken", "Type": "String", "Value": "v"},
    },
    "bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "taken"}},
    "queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "taken"}},
    "vault": {"Type": "AWS::Backup::BackupVault", "Properties": {"BackupVaultName": "taken"}},
}


@pytest.mark.parametrize("kind", NAMED)
def test_a_resource_that_exists_already_is_not_taken_over(world: World, kind: str) -> None:
    assert world.create(f"first-{kind}", template({"R": NAMED[kind]})).status == "CREATE_COMPLETE"
    second = world.create(f"second-{kind}", template({"R": NAMED[kind]}))
    assert second.status == "ROLLBACK_COMPLETE"


def test_an_alias_that_exists_already_is_not_taken_over(world: World) -> None:
    key = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}}}
    alias = {
        "Type": "AWS::KMS::Alias",
        "Properties": {"AliasName": "alias/taken", "TargetKeyId": {"Ref": "Key"}},
    }
    resources = {"Key": key, "Alias": alias}
    assert world.create("first-alias", template(resources)).status == "CREATE_COMPLETE"
    assert "alias/taken already exists" in world.create("second-alias", template(resources)).reason


def test_an_unknown_resource_type_is_refused(world: World) -> None:
    try:
        reason = world.create("unknown", template({"R": {"Type": "AWS::Backup::Nonsense"}})).reason
    except ClientError as error:
        reason = str(error)
    assert "AWS::Backup::Nonsense" in reason


@pytest.mark.parametrize(
    ("name", "resource", "service"),
    [
        (
            "untrusted-project",
            {
                "Type": "AWS::CodeBuild::Project",
                "Properties": {
                    "Name": "untrusted",
                    "Artifacts": {"Type": "NO_ARTIFACTS"},
                    "Source": {"Type": "NO_SOURCE"},
                    "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "c", "Image": "i"},
                    "ServiceRole": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "codebuild.amazonaws.com",
        ),
        (
            "untrusted-schedule",
            {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    "ScheduleExpression": "rate(1 day)",
                    "FlexibleTimeWindow": {"Mode": "OFF"},
                    "Target": {
                        "Arn": "arn:aws:sqs:us-east-1:1:q",
                        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    },
                },
            },
            "scheduler.amazonaws.com",
        ),
    ],
)
def test_a_role_that_its_service_cannot_assume_is_refused(
    world: World, name: str, resource: dict[str, Any], service: str
) -> None:
    text = template({"Role": role(name, {"Service": "ec2.amazonaws.com"}), "R": resource})
    assert f"does not allow {service} to assume it" in world.create(name, text).reason


def test_the_role_of_a_stack_must_trust_cloudformation(world: World) -> None:
    world.create("stack-role", template({"R": role("stack-role", {"Service": "ec2.amazonaws.com"})}))
    arn = f"arn:aws:iam::{ACCOUNTS.home}:role/stack-role"
    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        world.client("cloudformation").create_stack(
            StackName="by-role", TemplateBody=template({"L": log_group("/by-role")}), RoleARN=arn
        )


@pytest.mark.parametrize(
    ("name", "passes", "service"),
    [
        ("passer", True, "cloudformation.amazonaws.com"),
        ("passer-to-others", False, "lambda.amazonaws.com"),
        ("no-passer", False, None),
    ],
)
def test_passing_a_role_to_a_stack_needs_pass_role(
    world: World, name: str, passes: bool, service: str | None
) -> None:
    deploying = f"arn:aws:iam::{ACCOUNTS.home}:role/{name}-deploying"
    statements = [statement("cloudformation:*")]
    if service:
        condition = {"StringEquals": {"iam:PassedToService": service}}
        statements.append(statement("iam:PassRole", deploying, Condition=condition))
    roles = {
        "Passing": role(name, {"Service": "codebuild.amazonaws.com"}, *statements),
        "Deploying": role(f"{name}-deploying", {"Service": "cloudformation.amazonaws.com"}),
    }
    assert world.create(name, template(roles)).status == "CREATE_COMPLETE"
    cloudformation = world.acting(f"arn:aws:iam::{ACCOUNTS.home}:role/{name}").client("cloudformation")
    stack = {
        "StackName": f"by-{name}",
        "TemplateBody": template({"L": log_group(f"/{name}")}),
        "RoleARN": deploying,
    }
    if passes:
        assert cloudformation.create_stack(**stack)["StackId"]
    else:
        with pytest.raises(ClientError, match="iam:PassRole on resource"):
            cloudformation.create_stack(**stack)
        assert world.emulator.denied()[-1].action == "iam:PassRole"


def parameter(name: str, value: Any, kind: str = "String") -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": kind, "Value": value}}


def test_lists_are_trimmed_joined_stored_and_resolved_again_at_each_update(world: World) -> None:
    def stored(regions: str) -> str:
        return template(
            {"List": parameter("/site/regions", {"Fn::Join": [",", {"Ref": "Regions"}]}, "StringList")},
            Parameters={"Regions": {"Type": "CommaDelimitedList", "Default": regions}},
        )

    reader = template(
        {"L": log_group("/lists")},
        Parameters={
            "Regions": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/site/regions"}
        },
        Outputs={
            "Joined": {"Value": {"Fn::Join": ["|", {"Ref": "Regions"}]}},
            "Last": {"Value": {"Fn::Select": [1, {"Ref": "Regions"}]}},
        },
    )
    world.create("site", stored("us-east-1, us-east-2"))
    value = world.client("ssm").get_parameter(Name="/site/regions")["Parameter"]["Value"]
    assert value == "us-east-1,us-east-2"
    assert world.create("site-reader", reader).outputs == {
        "Joined": "us-east-1|us-east-2",
        "Last": "us-east-2",
    }
    world.update("site", stored("us-east-1, eu-west-1"))
    assert world.update("site-reader", reader).outputs["Joined"] == "us-east-1|eu-west-1"


def test_a_missing_ssm_parameter_is_named(world: World) -> None:
    text = template(
        {"L": log_group("/missing")},
        Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/no/such/parameter"}},
    )
    with pytest.raises(ClientError, match="/no/such/parameter"):
        world.client("cloudformation").create_stack(StackName="missing", TemplateBody=text)


def test_exports_are_imported_and_protected(world: World) -> None:
    producer = template(
        {"L": log_group("/producer")}, Outputs={"O": {"Value": {"Ref": "L"}, "Export": {"Name": "shared"}}}
    )
    consumer = template({"P": parameter("/consumer", {"Fn::ImportValue": "shared"})})
    world.create("producer", producer)
    assert world.create("consumer", consumer).status == "CREATE_COMPLETE"
    assert world.client("ssm").get_parameter(Name="/consumer")["Parameter"]["Value"] == "/producer"
    with pytest.raises(ClientError, match="imported by stack consumer"):
        world.client("cloudformation").delete_stack(StackName="producer")


def test_a_misspelled_import_is_named(world: World) -> None:
    text = template({"P": parameter("/misspelled", {"Fn::ImportValue": "sharde"})})
    try:
        reason = world.create("misspelled", text).reason
    except ClientError as error:
        reason = str(error)
    assert "sharde" in reason


def test_rules_check_parameters_against_each_other(world: World) -> None:
    assertion = {"Assert": {"Fn::Contains": [["a", "b"], {"Ref": "P"}]}, "AssertDescription": "P is a or b"}
    text = template(
        {"L": log_group("/rules")},
        Parameters={"P": {"Type": "String"}},
        Rules={"Known": {"Assertions": [assertion]}},
    )
    with pytest.raises(ClientError, match="P is a or b"):
        world.client("cloudformation").create_stack(
            StackName="rules", TemplateBody=text, Parameters=[{"ParameterKey": "P", "ParameterValue": "c"}]
        )


def test_conditions_and_pseudo_parameters_resolve(world: World) -> None:
    suffix = "https://b.s3.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}:${AWS::Partition}"
    text = template(
        {
            "Yes": {**parameter("/yes", {"Fn::Sub": suffix}), "Condition": "Here"},
            "No": {**log_group("/no"), "Condition": "Elsewhere"},
            "NotEither": {**log_group("/no-list"), "Condition": "Given"},
        },
        Conditions={
            "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, HOME_REGION]},
            "Elsewhere": {"Fn::Not": [{"Condition": "Here"}]},
            "Given": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "List"}]}, ""]}]},
        },
        Parameters={"List": {"Type": "CommaDelimitedList", "Default": ""}},
    )
    assert world.create("conditions", text).status == "CREATE_COMPLETE"
    value = world.client("ssm").get_parameter(Name="/yes")["Parameter"]["Value"]
    assert value == f"https://b.s3.{HOME_REGION}.amazonaws.com/{ACCOUNTS.home}:aws"
    assert world.client("logs").describe_log_groups(logGroupNamePrefix="/no")["logGroups"] == []


def test_retained_resources_survive_their_stack(world: World) -> None:
    vault = {
        "Type": "AWS::Backup::BackupVault",
        "DeletionPolicy": "Retain",
        "Properties": {"BackupVaultName": "kept"},
    }
    world.create("keeper", template({"V": vault, "L": log_group("/keeper")}))
    world.delete("keeper")
    vaults = world.client("backup").list_backup_vaults()["BackupVaultList"]
    assert "kept" in {each["BackupVaultName"] for each in vaults}
    assert world.client("logs").describe_log_groups(logGroupNamePrefix="/keeper")["logGroups"] == []


def test_a_bucket_with_objects_cannot_be_deleted(world: World) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "filled"}}
    world.create("filled", template({"B": bucket}))
    s3 = world.client("s3")
    s3.put_object(Bucket="filled", Key="k", Body=b"v")
    world.client("cloudformation").delete_stack(StackName="filled")
    failed = world.settled("filled", ACCOUNTS.home, HOME_REGION)
    assert failed.status == "DELETE_FAILED"
    assert "not empty: filled" in failed.reason
    s3.delete_object(Bucket="filled", Key="k")
    world.delete("filled")


def test_the_stacks_tags_reach_its_resources(world: World) -> None:
    world.create(
        "tagged", template({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "tagged"}}})
    )
    url = world.client("sqs").get_queue_url(QueueName="tagged")["QueueUrl"]
    assert (
        json.dumps(world.client("sqs").list_queue_tags(QueueUrl=url)["Tags"]).count('"Application": "x"') == 1
    )
