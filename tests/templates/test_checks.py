"""Every check can fail: each template in bad/ has one planted fault, which exactly one finding names."""

from __future__ import annotations

import json

import pytest

from tests.templates import checks
from tests.templates.__main__ import main
from tests.templates.checks import CHECKS, SET_CHECKS, WHOLE_SERVICE, Finding, findings
from tests.templates.loading import BAD, ROOT, Template, load

# fixture (below bad/, without -account and .yaml), the check that finds it, the resource, words of the reason
FAULTS = [
    ("home/layout-sections", checks.layout, "template", "sections have to be in the order"),
    ("home/layout-version", checks.layout, "template", "AWSTemplateFormatVersion"),
    ("home/layout-attributes", checks.layout, "Topic", "attributes have to be in the order"),
    ("home/layout-late-resources", checks.layout, "Resources", "not within the first third"),
    ("home/description-account", checks.description, "Description", "'Home account: '"),
    ("home/description-parameter", checks.description, "Days", "needs a Description"),
    ("home/parameters-pattern", checks.parameters, "Owner", "needs AllowedPattern or AllowedValues"),
    ("home/parameters-constraint", checks.parameters, "Owner", "needs a ConstraintDescription"),
    ("home/parameters-letter", checks.parameters, "pDays", "without a type letter"),
    ("home/parameters-resource-letter", checks.parameters, "rTopic", "without a type letter"),
    ("home/spelling-long-form", checks.spelling, "line 9", "short form"),
    ("home/spelling-boolean", checks.spelling, "line 8", "true or false"),
    ("home/spelling-commented-out", checks.spelling, "line 8", "commented-out YAML"),
    ("home/spelling-long-line", checks.spelling, "line 8", "110 at most"),
    ("home/ascii-only-dash", checks.ascii_only, "line 2", "U+2013 (EN DASH): write it in ASCII"),
    ("home/partition-arn", checks.partition, "line 8", "${AWS::Partition}"),
    ("home/partition-url", checks.partition, "line 8", "${AWS::URLSuffix}"),
    ("home/retention-deletion", checks.retention, "Key", "DeletionPolicy has to be Retain"),
    ("home/retention-replacement", checks.retention, "Key", "UpdateReplacePolicy has to be Retain"),
    ("central/vaults-retention", checks.retention, "Vault", "DeletionPolicy has to be Retain"),
    ("home/organization-key", checks.organization, "Key", "aws:PrincipalOrgID"),
    ("home/organization-topic", checks.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("home/organization-queue", checks.organization, "QueuePolicy", "aws:PrincipalOrgID"),
    ("home/organization-bucket", checks.organization, "BucketPolicy", "aws:PrincipalOrgID"),
    ("home/organization-any-value", checks.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("home/organization-function", checks.organization, "Permission", "PrincipalOrgID"),
    ("home/invocation-source", checks.invocations, "Permission", "SourceArn or SourceAccount"),
    ("home/organization-in-one-branch", checks.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("central/vaults-organization", checks.organization, "Vault", "aws:PrincipalOrgID"),
    ("home/version-missing", checks.version, "Role", "Version: '2012-10-17'"),
    ("home/wildcards-service", checks.wildcards, "Role", "allows iam:*"),
    ("home/wildcards-not-action", checks.wildcards, "Role", "NotAction"),
    ("home/pass-role-any", checks.pass_role, "Role", "Resource *"),
    ("home/pass-role-service", checks.pass_role, "Role", "iam:PassedToService"),
    ("home/trust-source", checks.trust, "Role", "aws:SourceAccount"),
    ("home/trust-function", checks.trust, "Role", "aws:SourceAccount"),
    ("home/named-roles-reason", checks.named_roles, "Role", "W28"),
    ("home/named-roles-description", checks.named_roles, "Role", "needs a Description"),
    ("home/keys-rotation", checks.keys, "Key", "EnableKeyRotation"),
    ("home/keys-decrypt-for-organization", checks.keys, "Key", "opens kms:Decrypt to everybody"),
    ("home/keys-grants", checks.keys, "Key", "kms:GrantIsForAWSResource"),
    ("home/buckets-public", checks.buckets, "Bucket", "all four ways"),
    ("home/buckets-encryption", checks.buckets, "Bucket", "default encryption"),
    ("home/buckets-versioning", checks.buckets, "Bucket", "needs versioning"),
    ("home/buckets-tls-objects", checks.buckets, "Bucket", "without TLS"),
    ("central/vaults-key", checks.vaults, "Vault", "EncryptionKeyArn"),
    ("central/vaults-resource", checks.vaults, "Vault", "names the vault as Resource"),
    ("central/vaults-deletion", checks.vaults, "Vault", "backup:DeleteRecoveryPoint"),
    ("member/log-groups-missing", checks.log_groups, "Function", "AWS::Logs::LogGroup"),
    ("member/log-groups-retention", checks.log_groups, "LogGroup", "RetentionInDays"),
    ("home/handlers-module", checks.handlers, "Function", "no module tag_on_restore.handlr (lambdas/tag_on"),
    ("home/handlers-function", checks.handlers, "Function", "no function handlr in lambdas/tag_on_restore/"),
    ("home/dead-letters-target", checks.dead_letters, "Rule", "target It needs a DeadLetterConfig"),
    ("home/dead-letters-alarm", checks.dead_letters, "Failures", "of which nobody is told"),
    ("home/dead-letters-policy", checks.dead_letters, "Failures", "does not let Rule send"),
    ("home/dead-letters-function", checks.dead_letters, "Function", "needs an EventInvokeConfig"),
    ("home/dead-letters-subscription", checks.dead_letters, "Subscription", "needs a RedrivePolicy"),
    ("home/dead-letters-topic", checks.dead_letters, "Topic", "subscribes https: make it an AWS::SNS::Subs"),
    ("member/alone-import", checks.member_alone, "Topic", "imports nothing"),
    ("member/alone-ssm", checks.member_alone, "Prefix", "not SSM parameters"),
    ("member/alone-resolve", checks.member_alone, "Topic", "resolves nothing"),
    ("member/alone-principal", checks.member_alone, "Key", "aws:PrincipalArn"),
    ("home/builds-run-order", checks.builds_in_turn, "Pipeline", "One and Two share run order 1"),
    ("home/suppressions-reason", checks.suppressions, "Topic", "cfn-nag W47 without a reason"),
    ("home/suppressions-comment", checks.suppressions, "Topic", "checkov CKV_AWS_26 without a reason"),
]

# set (folder below bad/sets), the check that finds it, the file and the resource, words of the reason
SET_FAULTS = [
    ("import-misspelt", checks.unmatched_imports, "reader.yaml", "Topic", "example-topci"),
    (
        "import-other-account",
        checks.unmatched_imports,
        "reader.yaml",
        "Topic",
        "no template of the account exports",
    ),
    ("export-twice", checks.unmatched_imports, "two.yaml", "Topic", "already exported"),
    (
        "variable-dropped",
        checks.unexported_variables,
        "pipeline.yaml",
        "Pipeline",
        "uses ROLE_STACK_SET, which buildspecs/test-package-orgpolicymanager.yml does not export",
    ),
    (
        "namespace-misspelt",
        checks.unexported_variables,
        "pipeline.yaml",
        "Pipeline",
        "action Stack uses PACKAGE of namespace Fuond, which no action has",
    ),
    ("ssm-misspelt", checks.unmatched_ssm, "reader.yaml", "Bucket", "/backup/buckets"),
    ("two-definitions", checks.one_definition, "two.yaml", "Days", "Default 31 differs from 30"),
    ("one-file-name", checks.one_file, "example.yaml", "template", "same file name"),
    ("name-misspelt", checks.names, "reader.yaml", "line 8", "AWSBackupSolutionVualt"),
]


@pytest.mark.parametrize(("name", "check", "resource", "words"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_found_once_and_named(
    name: str, check: checks.Check, resource: str, words: str
) -> None:
    account, file = name.split("/")
    template = load(BAD / f"{account}-account" / f"{file}.yaml")
    found = [finding for one in CHECKS for finding in one(template)]
    assert found == list(check(template))
    assert [finding.resource for finding in found] == [resource]
    assert words in found[0].reason
    assert str(found[0]) == f"{template.path}: {resource}: {found[0].reason}"


@pytest.mark.parametrize(
    ("name", "check", "file", "resource", "words"), SET_FAULTS, ids=[f[0] for f in SET_FAULTS]
)
def test_a_fault_between_templates_is_found_once_and_named(
    name: str, check: checks.SetCheck, file: str, resource: str, words: str
) -> None:
    templates = [load(path) for path in sorted((BAD / "sets" / name).rglob("*.yaml"))]
    found = findings(templates)
    assert found == list(check(templates))
    assert [(finding.file.rsplit("/", 1)[-1], finding.resource) for finding in found] == [(file, resource)]
    assert words in found[0].reason


def test_every_check_has_a_planted_fault() -> None:
    assert {fault[1] for fault in FAULTS} == set(CHECKS)
    assert {fault[1] for fault in SET_FAULTS} == set(SET_CHECKS)


def test_every_planted_fault_is_in_the_table() -> None:
    files = {path.relative_to(BAD).as_posix() for path in BAD.glob("*-account/*.yaml")}
    assert files == {name.replace("/", "-account/") + ".yaml" for name, *_ in FAULTS}
    assert {path.name for path in (BAD / "sets").iterdir()} == {name for name, *_ in SET_FAULTS}


@pytest.mark.parametrize("place", WHOLE_SERVICE, ids=lambda place: place[1])
def test_everything_of_a_service_is_for_one_resource_alone(place: tuple[str, str]) -> None:
    template = load(ROOT / place[0])
    assert list(checks.wildcards(template)) == []
    body = json.loads(
        json.dumps(template.body).replace("/StackSet-account-aws-backup-lambda-s3-bucket-*", "/*")
    )
    (found,) = checks.wildcards(Template(template.path, "", body))
    assert str(found) == f"{place[0]}: Role: allows {place[1]}: name the actions"
    assert list(checks.wildcards(Template("templates/home-account/another.yaml", "", template.body)))


def test_a_function_without_a_queue_is_one_that_the_pipeline_waits_for() -> None:
    pipeline = load(ROOT / "templates/home-account/aws-backup-codepipeline.yaml")
    stages = pipeline.resources[pipeline.only("AWS::CodePipeline::Pipeline")]["Properties"]["Stages"]
    actions = [action for stage in stages for action in stage["Actions"]]
    invoked = {
        action["Configuration"]["FunctionName"]
        for action in actions
        if action["ActionTypeId"]["Provider"] == "Lambda"
    }
    assert set(checks.ANSWERING) == invoked


def test_the_command_names_the_fault_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    fault = BAD / "home-account" / "keys-rotation.yaml"
    assert main([str(fault)]) == 1
    expected = "tests/templates/bad/home-account/keys-rotation.yaml: Key: EnableKeyRotation has to be true\n"
    assert capsys.readouterr().out == expected


def test_a_finding_reads_as_file_resource_reason() -> None:
    assert (
        str(Finding("templates/x.yaml", "Key", "does not rotate")) == "templates/x.yaml: Key: does not rotate"
    )
