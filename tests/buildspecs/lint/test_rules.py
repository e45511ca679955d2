"""Every rule can fail: each template in bad/ has one planted fault, which exactly one finding names."""

from __future__ import annotations

import json

import pytest

from buildspecs.lint.rules import CHECKS, SET_CHECKS, findings, main, policies, resources, sets, style
from buildspecs.lint.rules.finding import Check, SetCheck
from buildspecs.lint.rules.policies import WHOLE_SERVICE
from buildspecs.lint.templates import Template, load
from buildspecs.paths import ROOT
from tests.templates.planted import BAD

# fixture (below bad/, without -account and .yaml), rule that finds it, resource, words of the reason
FAULTS = [
    ("home/layout-sections", style.layout, "template", "sections must be in the order"),
    ("home/layout-version", style.layout, "template", "AWSTemplateFormatVersion"),
    ("home/layout-attributes", style.layout, "Topic", "attributes must be in the order"),
    ("home/layout-late-resources", style.layout, "Resources", "not within the first third"),
    ("home/layout-parameter", style.layout, "Days", "keys must be in the order Type, Default"),
    ("home/layout-action", style.layout, "Pipeline", "action One: keys must be in the order Name, RunOrder"),
    ("home/layout-action-type", style.layout, "Pipeline", "action One: keys must be in the order Category"),
    ("home/layout-configuration", style.layout, "Pipeline", "action One: keys must be in the order ActionM"),
    ("home/description-account", style.description, "Description", "'Home account: '"),
    ("home/description-parameter", style.description, "Days", "needs a Description"),
    ("home/parameters-pattern", style.parameters, "Owner", "needs AllowedPattern or AllowedValues"),
    ("home/parameters-constraint", style.parameters, "Owner", "needs a ConstraintDescription"),
    ("home/parameters-values", style.parameters, "Days", "AllowedValues needs a ConstraintDescription"),
    ("home/parameters-range", style.parameters, "Days", "MinValue and MaxValue need a ConstraintDescription"),
    ("home/parameters-list", style.parameters, "Regions", "a CommaDelimitedList parameter needs AllowedPat"),
    ("home/parameters-letter", style.parameters, "pDays", "without a type letter"),
    ("home/parameters-resource-letter", style.parameters, "rTopic", "without a type letter"),
    ("home/spelling-long-form", style.spelling, "line 9", "short form"),
    ("home/spelling-boolean", style.spelling, "line 8", "true or false"),
    ("home/spelling-block", style.spelling, "line 14", "write InputArtifacts in flow style, on one line"),
    ("home/spelling-commented-out", style.spelling, "line 8", "commented-out YAML"),
    ("home/spelling-long-line", style.spelling, "line 8", "110 at most"),
    ("home/quotes-double", style.quotes, "line 8", "use single quotes"),
    ("home/quotes-needless", style.quotes, "line 8", "backups needs no quotes"),
    ("home/ascii-only-dash", style.ascii_only, "line 2", "U+2013 (EN DASH): write it in ASCII"),
    ("home/partition-arn", style.partition, "line 8", "${AWS::Partition}"),
    ("home/partition-url", style.partition, "line 8", "${AWS::URLSuffix}"),
    ("home/retention-deletion", resources.retention, "Key", "DeletionPolicy must be Retain"),
    ("home/retention-replacement", resources.retention, "Key", "UpdateReplacePolicy must be Retain"),
    ("central/vaults-retention", resources.retention, "Vault", "DeletionPolicy must be Retain"),
    ("home/organization-key", policies.organization, "Key", "aws:PrincipalOrgID"),
    ("home/organization-topic", policies.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("home/organization-queue", policies.organization, "QueuePolicy", "aws:PrincipalOrgID"),
    ("home/organization-bucket", policies.organization, "BucketPolicy", "aws:PrincipalOrgID"),
    ("home/organization-any-value", policies.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("home/organization-function", policies.organization, "Permission", "PrincipalOrgID"),
    ("home/invocation-source", policies.invocations, "Permission", "SourceArn or SourceAccount"),
    ("home/organization-in-one-branch", policies.organization, "TopicPolicy", "aws:PrincipalOrgID"),
    ("central/vaults-organization", policies.organization, "Vault", "aws:PrincipalOrgID"),
    ("home/statement-sid", policies.statement_form, "Role", "a statement needs a Sid"),
    ("home/statement-order", policies.statement_form, "Role", "Order: elements must be in the order"),
    ("home/version-missing", policies.version, "Role", "Version: '2012-10-17'"),
    ("home/wildcards-service", policies.wildcards, "Role", "allows iam:*"),
    ("home/wildcards-not-action", policies.wildcards, "Role", "NotAction"),
    ("home/pass-role-any", policies.pass_role, "Role", "Resource *"),
    ("home/pass-role-service", policies.pass_role, "Role", "iam:PassedToService"),
    ("home/trust-source", policies.trust, "Role", "aws:SourceAccount"),
    ("home/trust-function", policies.trust, "Role", "aws:SourceAccount"),
    ("home/named-roles-reason", policies.named_roles, "Role", "W28"),
    ("home/named-roles-description", policies.named_roles, "Role", "needs a Description"),
    ("home/keys-rotation", resources.keys, "Key", "EnableKeyRotation"),
    ("home/keys-decrypt-for-organization", resources.keys, "Key", "allows kms:Decrypt to everybody"),
    ("home/keys-grants", resources.keys, "Key", "kms:GrantIsForAWSResource"),
    ("home/buckets-public", resources.buckets, "Bucket", "all four settings"),
    ("home/buckets-encryption", resources.buckets, "Bucket", "default encryption"),
    ("home/buckets-versioning", resources.buckets, "Bucket", "needs versioning"),
    ("home/buckets-tls-objects", resources.buckets, "Bucket", "without TLS"),
    ("central/vaults-key", resources.vaults, "Vault", "EncryptionKeyArn"),
    ("central/vaults-resource", resources.vaults, "Vault", "names the vault as Resource"),
    ("central/vaults-deletion", resources.vaults, "Vault", "backup:DeleteRecoveryPoint"),
    ("member/log-groups-missing", resources.log_groups, "Function", "AWS::Logs::LogGroup"),
    ("member/log-groups-retention", resources.log_groups, "LogGroup", "RetentionInDays"),
    ("home/handlers-module", resources.handlers, "Function", "no module tag_on_restore.handlr (lambdas/tag"),
    ("home/handlers-function", resources.handlers, "Function", "no function handlr in lambdas/tag_on_rest"),
    ("home/dead-letters-target", resources.dead_letters, "Rule", "target It needs a DeadLetterConfig"),
    ("home/dead-letters-alarm", resources.dead_letters, "Failures", "needs an alarm"),
    ("home/dead-letters-policy", resources.dead_letters, "Failures", "does not allow Rule to send"),
    ("home/dead-letters-function", resources.dead_letters, "Function", "needs an EventInvokeConfig"),
    ("home/dead-letters-subscription", resources.dead_letters, "Subscription", "needs a RedrivePolicy"),
    ("home/dead-letters-topic", resources.dead_letters, "Topic", "subscribes https: make it an AWS::SNS"),
    ("member/alone-import", resources.member_alone, "Topic", "imports nothing"),
    ("member/alone-ssm", resources.member_alone, "Prefix", "not SSM parameters"),
    ("member/alone-resolve", resources.member_alone, "Topic", "resolves nothing"),
    ("member/alone-principal", resources.member_alone, "Key", "aws:PrincipalArn"),
    ("home/builds-run-order", resources.builds_in_turn, "Pipeline", "One and Two share run order 1"),
    ("home/suppressions-reason", style.suppressions, "Topic", "cfn-nag W47 without a reason"),
    ("home/suppressions-comment", style.suppressions, "Topic", "checkov CKV_AWS_26 without a reason"),
]

# set (folder below bad/sets), rule that finds it, file and resource, words of the reason
SET_FAULTS = [
    ("import-misspelled", sets.unmatched_imports, "reader.yaml", "Topic", "example-topci"),
    (
        "import-other-account",
        sets.unmatched_imports,
        "reader.yaml",
        "Topic",
        "no template of the account exports",
    ),
    ("export-twice", sets.unmatched_imports, "two.yaml", "Topic", "already exported"),
    (
        "variable-dropped",
        sets.unexported_variables,
        "pipeline.yaml",
        "Pipeline",
        "uses ROLE_STACK_SET, which buildspecs/test-package-orgpolicymanager.yml does not export",
    ),
    (
        "namespace-misspelled",
        sets.unexported_variables,
        "pipeline.yaml",
        "Pipeline",
        "action Stack uses PACKAGE of namespace Fuond, which no action has",
    ),
    ("ssm-misspelled", sets.unmatched_ssm, "reader.yaml", "Bucket", "/backup/buckets"),
    ("two-definitions", sets.one_definition, "two.yaml", "Days", "Default 31 differs from 30"),
    ("one-file-name", sets.one_file, "example.yaml", "template", "same file name"),
    ("name-misspelled", sets.names, "reader.yaml", "line 8", "AWSBackupSolutionVualt"),
]


@pytest.mark.parametrize(("name", "check", "resource", "words"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_found_once_and_named(name: str, check: Check, resource: str, words: str) -> None:
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
    name: str, check: SetCheck, file: str, resource: str, words: str
) -> None:
    templates = [load(path) for path in sorted((BAD / "sets" / name).rglob("*.yaml"))]
    found = findings(templates)
    assert found == list(check(templates))
    assert [(finding.file.rsplit("/", 1)[-1], finding.resource) for finding in found] == [(file, resource)]
    assert words in found[0].reason


def test_a_service_control_policy_follows_the_rules_for_statements() -> None:
    statement = {"Effect": "Deny", "Action": "backup:DeleteBackupVault", "Resource": "*"}
    document = Template("policy.json", "", {"Version": "2012-10-17", "Statement": [statement]})
    assert list(map(str, findings([], [document]))) == ["policy.json: policy: a statement needs a Sid"]


def test_every_rule_has_a_planted_fault() -> None:
    assert {fault[1] for fault in FAULTS} == set(CHECKS)
    assert {fault[1] for fault in SET_FAULTS} == set(SET_CHECKS)


def test_every_planted_fault_is_in_the_table() -> None:
    files = {path.relative_to(BAD).as_posix() for path in BAD.glob("*-account/*.yaml")}
    assert files == {name.replace("/", "-account/") + ".yaml" for name, *_ in FAULTS}
    assert {path.name for path in (BAD / "sets").iterdir()} == {name for name, *_ in SET_FAULTS}


@pytest.mark.parametrize("place", WHOLE_SERVICE, ids=lambda place: place[1])
def test_every_action_of_a_service_is_allowed_on_one_resource_only(place: tuple[str, str]) -> None:
    template = load(ROOT / place[0])
    assert list(policies.wildcards(template)) == []
    body = json.loads(
        json.dumps(template.body).replace("/StackSet-account-aws-backup-lambda-s3-bucket-*", "/*")
    )
    (found,) = policies.wildcards(Template(template.path, "", body))
    assert str(found) == f"{place[0]}: Role: allows {place[1]}: name the actions"
    assert list(policies.wildcards(Template("templates/home-account/another.yaml", "", template.body)))


def test_only_functions_that_the_pipeline_waits_for_need_no_queue() -> None:
    pipeline = load(ROOT / "templates/home-account/aws-backup-codepipeline.yaml")
    stages = pipeline.resources[pipeline.only("AWS::CodePipeline::Pipeline")]["Properties"]["Stages"]
    actions = [action for stage in stages for action in stage["Actions"]]
    invoked = {
        action["Configuration"]["FunctionName"]
        for action in actions
        if action["ActionTypeId"]["Provider"] == "Lambda"
    }
    assert set(resources.AWAITED) == invoked


def test_nothing_is_found_in_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    """`make lint` runs these rules too, but `make test` runs no other gate over the repository."""
    assert (main([]), capsys.readouterr().out) == (0, "")


def test_the_command_reports_the_finding_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    fault = BAD / "home-account" / "keys-rotation.yaml"
    assert main([str(fault)]) == 1
    expected = "tests/templates/bad/home-account/keys-rotation.yaml: Key: EnableKeyRotation must be true\n"
    assert capsys.readouterr().out == expected
