"""Every check can fail: each template in bad/ has one planted fault, which exactly one finding names."""

from __future__ import annotations

import json

import pytest

from buildspecs.lint import rules
from buildspecs.lint.rules import CHECKS, SET_CHECKS, WHOLE_SERVICE, Finding, findings, main
from buildspecs.lint.templates import Template, load
from buildspecs.paths import ROOT
from tests.templates.planted import BAD

# fixture (below bad/, without -account and .yaml), the check that finds it, the resource, words of the reason
FAULTS = [
    ("home/layout-sections", rules.layout, "template", "sections have to be in the order"),
    ("home/layout-version", rules.layout, "template", "AWSTemplateFormatVersion"),
    ("home/layout-attributes", rules.layout, "Topic", "attributes have to be in the order"),
    ("home/layout-late-resources", rules.layout, "Resources", "not within the first third"),
    ("home/description-account", rules.description, "Description", "'Home account: '"),
    ("home/description-parameter", rules.description, "Days", "needs a Description"),
    ("home/parameters-pattern", rules.parameters, "Owner", "needs AllowedPattern or AllowedValues"),
    ("home/parameters-constraint", rules.parameters, "Owner", "needs a ConstraintDescription"),
    ("home/parameters-letter", rules.parameters, "pDays", "without a type letter"),
    ("home/parameters-resource-letter", rules.parameters, "rTopic", "without a type letter"),
    ("home/spelling-long-form", rules.spelling, "line 9", "short form"),
    ("home/spelling-boolean", rules.spelling, "line 8", "true or false"),
    ("home/spelling-commented-out", rules.spelling, "line 8", "commented-out YAML"),
    ("home/spelling-long-line", rules.spelling, "line 8", "110 at most"),
    ("home/ascii-only-dash", rules.ascii_only, "line 2", "U+2013 (EN DASH): write it in ASCII"),
    ("home/partition-arn", rules.partition, "line 8", "${AWS::Partition}"),
    ("home/partition-url", rules.partition, "line 8", "${AWS::URLSuffix}"),
    ("home/retention-deletion", rules.retention, "Key", "DeletionPolicy has to be Retain"),
    ("home/retention-replacement", rules.retention, "Key", "UpdateReplacePolicy has to be Retain"),
    ("central/vaults-retention", rules.retention, "Vault", "DeletionPolicy has to be Retain"),
    ("home/organization-key", rules.organization, "Key", "aws:PrincipalOrgID"),
    ("home/organization-topic", rules.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("home/organization-queue", rules.organization, "QueuePolicy", "aws:PrincipalOrgID"),
    ("home/organization-bucket", rules.organization, "BucketPolicy", "aws:PrincipalOrgID"),
    ("home/organization-any-value", rules.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("home/organization-function", rules.organization, "Permission", "PrincipalOrgID"),
    ("home/invocation-source", rules.invocations, "Permission", "SourceArn or SourceAccount"),
    ("home/organization-in-one-branch", rules.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("central/vaults-organization", rules.organization, "Vault", "aws:PrincipalOrgID"),
    ("home/version-missing", rules.version, "Role", "Version: '2012-10-17'"),
    ("home/wildcards-service", rules.wildcards, "Role", "allows iam:*"),
    ("home/wildcards-not-action", rules.wildcards, "Role", "NotAction"),
    ("home/pass-role-any", rules.pass_role, "Role", "Resource *"),
    ("home/pass-role-service", rules.pass_role, "Role", "iam:PassedToService"),
    ("home/trust-source", rules.trust, "Role", "aws:SourceAccount"),
    ("home/trust-function", rules.trust, "Role", "aws:SourceAccount"),
    ("home/named-roles-reason", rules.named_roles, "Role", "W28"),
    ("home/named-roles-description", rules.named_roles, "Role", "needs a Description"),
    ("home/keys-rotation", rules.keys, "Key", "EnableKeyRotation"),
    ("home/keys-decrypt-for-organization", rules.keys, "Key", "opens kms:Decrypt to everybody"),
    ("home/keys-grants", rules.keys, "Key", "kms:GrantIsForAWSResource"),
    ("home/buckets-public", rules.buckets, "Bucket", "all four ways"),
    ("home/buckets-encryption", rules.buckets, "Bucket", "default encryption"),
    ("home/buckets-versioning", rules.buckets, "Bucket", "needs versioning"),
    ("home/buckets-tls-objects", rules.buckets, "Bucket", "without TLS"),
    ("central/vaults-key", rules.vaults, "Vault", "EncryptionKeyArn"),
    ("central/vaults-resource", rules.vaults, "Vault", "names the vault as Resource"),
    ("central/vaults-deletion", rules.vaults, "Vault", "backup:DeleteRecoveryPoint"),
    ("member/log-groups-missing", rules.log_groups, "Function", "AWS::Logs::LogGroup"),
    ("member/log-groups-retention", rules.log_groups, "LogGroup", "RetentionInDays"),
    ("home/handlers-module", rules.handlers, "Function", "no module tag_on_restore.handlr (lambdas/tag_on"),
    ("home/handlers-function", rules.handlers, "Function", "no function handlr in lambdas/tag_on_restore/"),
    ("home/dead-letters-target", rules.dead_letters, "Rule", "target It needs a DeadLetterConfig"),
    ("home/dead-letters-alarm", rules.dead_letters, "Failures", "of which nobody is told"),
    ("home/dead-letters-policy", rules.dead_letters, "Failures", "does not let Rule send"),
    ("home/dead-letters-function", rules.dead_letters, "Function", "needs an EventInvokeConfig"),
    ("home/dead-letters-subscription", rules.dead_letters, "Subscription", "needs a RedrivePolicy"),
    ("home/dead-letters-topic", rules.dead_letters, "Topic", "subscribes https: make it an AWS::SNS::Subs"),
    ("member/alone-import", rules.member_alone, "Topic", "imports nothing"),
    ("member/alone-ssm", rules.member_alone, "Prefix", "not SSM parameters"),
    ("member/alone-resolve", rules.member_alone, "Topic", "resolves nothing"),
    ("member/alone-principal", rules.member_alone, "Key", "aws:PrincipalArn"),
    ("home/builds-run-order", rules.builds_in_turn, "Pipeline", "One and Two share run order 1"),
    ("home/suppressions-reason", rules.suppressions, "Topic", "cfn-nag W47 without a reason"),
    ("home/suppressions-comment", rules.suppressions, "Topic", "checkov CKV_AWS_26 without a reason"),
]

# set (folder below bad/sets), the check that finds it, the file and the resource, words of the reason
SET_FAULTS = [
    ("import-misspelt", rules.unmatched_imports, "reader.yaml", "Topic", "example-topci"),
    (
        "import-other-account",
        rules.unmatched_imports,
        "reader.yaml",
        "Topic",
        "no template of the account exports",
    ),
    ("export-twice", rules.unmatched_imports, "two.yaml", "Topic", "already exported"),
    (
        "variable-dropped",
        rules.unexported_variables,
        "pipeline.yaml",
        "Pipeline",
        "uses ROLE_STACK_SET, which buildspecs/test-package-orgpolicymanager.yml does not export",
    ),
    (
        "namespace-misspelt",
        rules.unexported_variables,
        "pipeline.yaml",
        "Pipeline",
        "action Stack uses PACKAGE of namespace Fuond, which no action has",
    ),
    ("ssm-misspelt", rules.unmatched_ssm, "reader.yaml", "Bucket", "/backup/buckets"),
    ("two-definitions", rules.one_definition, "two.yaml", "Days", "Default 31 differs from 30"),
    ("one-file-name", rules.one_file, "example.yaml", "template", "same file name"),
    ("name-misspelt", rules.names, "reader.yaml", "line 8", "AWSBackupSolutionVualt"),
]


@pytest.mark.parametrize(("name", "check", "resource", "words"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_found_once_and_named(
    name: str, check: rules.Check, resource: str, words: str
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
    name: str, check: rules.SetCheck, file: str, resource: str, words: str
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
    assert list(rules.wildcards(template)) == []
    body = json.loads(
        json.dumps(template.body).replace("/StackSet-account-aws-backup-lambda-s3-bucket-*", "/*")
    )
    (found,) = rules.wildcards(Template(template.path, "", body))
    assert str(found) == f"{place[0]}: Role: allows {place[1]}: name the actions"
    assert list(rules.wildcards(Template("templates/home-account/another.yaml", "", template.body)))


def test_a_function_without_a_queue_is_one_that_the_pipeline_waits_for() -> None:
    pipeline = load(ROOT / "templates/home-account/aws-backup-codepipeline.yaml")
    stages = pipeline.resources[pipeline.only("AWS::CodePipeline::Pipeline")]["Properties"]["Stages"]
    actions = [action for stage in stages for action in stage["Actions"]]
    invoked = {
        action["Configuration"]["FunctionName"]
        for action in actions
        if action["ActionTypeId"]["Provider"] == "Lambda"
    }
    assert set(rules.ANSWERING) == invoked


def test_the_command_names_the_fault_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    fault = BAD / "home-account" / "keys-rotation.yaml"
    assert main([str(fault)]) == 1
    expected = "tests/templates/bad/home-account/keys-rotation.yaml: Key: EnableKeyRotation has to be true\n"
    assert capsys.readouterr().out == expected


def test_a_finding_reads_as_file_resource_reason() -> None:
    assert (
        str(Finding("templates/x.yaml", "Key", "does not rotate")) == "templates/x.yaml: Key: does not rotate"
    )
