"""The templates keep every published name, parameter, default, export and SSM parameter."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from buildspecs.lint.rules.sets import exports
from buildspecs.lint.templates import Part, load, one, repository_templates
from buildspecs.names import (
    BACKUP_POLICIES,
    BEFORE,
    COMPLETE_WINDOW_MINUTES,
    DEPLOYED,
    EXPORTS,
    FIND_ROLE_PROJECT,
    HAND_MADE,
    HOME,
    MEMBER_ROLE,
    MEMBER_ROLE_SET,
    MEMBER_SET,
    MEMBER_VAULT,
    NAMES,
    ORDERING_EXPORTS,
    ORG_POLICY,
    PACKAGE_BUCKET_PREFIX,
    PACKAGE_PARAMETERS,
    PACKAGE_POLICY_PROJECT,
    PACKAGE_TAG_PROJECT,
    PARAMETERS,
    PIPELINE,
    POLICY_FUNCTION,
    POLICY_STACK,
    SCAN_PROJECT,
    SSM_TEMPLATE,
    SSM_VALUES,
    STAGES,
    START_WINDOW_MINUTES,
    TAG_ROLE_SET,
    TAG_SET,
    TARGETS_FILE,
    TARGETS_KEYS,
    VALIDATE_PROJECT,
    BackupPolicy,
    Deployed,
    Name,
    Stack,
    wrapper,
)
from buildspecs.paths import ROOT
from buildspecs.targets import OPTIONS
from tests.templates.resolving import SSM, Resolver

TARGETS = json.loads((ROOT / TARGETS_FILE).read_text(encoding="utf-8"))


@pytest.mark.parametrize("stack", HAND_MADE, ids=lambda stack: stack.name)
def test_a_person_gives_exactly_the_published_parameters(stack: Stack) -> None:
    template = load(ROOT / stack.template)
    assert {name for name, item in template.parameters.items() if "Default" not in item} == set(stack.typed)
    assert template.account == stack.account


@pytest.mark.parametrize("stack", DEPLOYED, ids=lambda stack: stack.name)
def test_the_pipeline_passes_every_parameter_that_has_no_default(stack: Deployed) -> None:
    template = load(ROOT / stack.template)
    needed = {name for name, item in template.parameters.items() if "Default" not in item}
    configured = TARGETS_KEYS if stack.template == SSM_TEMPLATE else frozenset()
    assert needed <= stack.overrides | configured
    assert stack.overrides <= set(template.parameters)


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path, table in PARAMETERS.items() for name in table],
    ids=lambda v: v.split("/")[-1],
)
def test_a_published_parameter_keeps_its_type_and_default(path: str, name: str) -> None:
    kind, default = PARAMETERS[path][name]
    parameter = load(ROOT / path).parameters[name]
    assert parameter["Type"] == kind
    assert ("Default" in parameter) == (default is not None)
    assert default is None or str(parameter["Default"]) == default


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.value)
def test_a_physical_name_is_the_published_one(name: Name) -> None:
    template = load(ROOT / name.template)
    resolver = Resolver(template, {"PackageBucketPrefix": PACKAGE_BUCKET_PREFIX})
    found = [resolver.resolve(properties.get(name.property)) for _, properties in template.of_type(name.type)]
    assert name.value in found


def test_cloudformation_names_the_deployment_bucket() -> None:
    template = load(ROOT / f"{HOME}/aws-backup-s3-bucket.yaml")
    assert "BucketName" not in template.resources[template.only("AWS::S3::Bucket")]["Properties"]


def test_exports_are_the_published_ones_and_the_two_of_stack_sets() -> None:
    found = {name: template.path for template in repository_templates() for _, name in exports(template)}
    assert found == EXPORTS | ORDERING_EXPORTS


def test_ssm_parameters_have_the_published_names_types_and_values() -> None:
    template = load(ROOT / SSM_TEMPLATE)
    resolver = Resolver(template, TARGETS["Parameters"])
    parameters = [resolver.properties(name) for name, _ in template.of_type("AWS::SSM::Parameter")]
    assert {item["Name"]: (item["Type"], item["Value"]) for item in parameters} == SSM


def test_only_one_template_creates_ssm_parameters() -> None:
    creators = [
        template.path for template in repository_templates() if any(template.of_type("AWS::SSM::Parameter"))
    ]
    assert creators == [SSM_TEMPLATE]


@pytest.mark.parametrize(
    ("parameter", "path"),
    [
        (
            "BackupOrgPolicyManagerPackage",
            "/backup/lambda/aws-backup-backuporgpolicymanager/deployed-package",
        ),
        ("BackupOrgPolicyManagerHash", "/backup/lambda/aws-backup-backuporgpolicymanager/deployed-hash"),
        ("TagOnRestorePackage", "/backup/lambda/aws-backup-tagonrestore/deployed-package"),
        ("TagOnRestoreHash", "/backup/lambda/aws-backup-tagonrestore/deployed-hash"),
    ],
)
def test_an_update_of_the_targets_keeps_what_the_packaging_build_recorded(parameter: str, path: str) -> None:
    template = load(ROOT / SSM_TEMPLATE)
    resolver = Resolver(template, {**TARGETS["Parameters"], parameter: "recorded"})
    values = {
        item["Name"]: item["Value"]
        for item in map(resolver.properties, dict(template.of_type("AWS::SSM::Parameter")))
    }
    assert values[path] == "recorded"


def test_the_operator_s_file_has_the_published_keys_and_each_key_and_option_is_a_parameter() -> None:
    assert set(TARGETS) == {"Parameters", "Tags"}
    assert set(TARGETS["Parameters"]) == TARGETS_KEYS
    assert set(load(ROOT / SSM_TEMPLATE).parameters) == TARGETS_KEYS | set(OPTIONS) | PACKAGE_PARAMETERS


def test_spaces_after_commas_do_not_reach_the_lists() -> None:
    template = load(ROOT / SSM_TEMPLATE)
    resolver = Resolver(
        template, {**TARGETS["Parameters"], "TargetRegions": "eu-west-1,  eu-west-2 ,us-east-1"}
    )
    values = {
        item["Name"]: item["Value"]
        for item in map(resolver.properties, dict(template.of_type("AWS::SSM::Parameter")))
    }
    assert values["/backup/target/regions"] == "eu-west-1,eu-west-2,us-east-1"


# --- the pipeline ------------------------------------------------------------


def pipeline() -> Any:
    """The resolved properties of the pipeline."""
    template = load(ROOT / f"{HOME}/aws-backup-codepipeline.yaml")
    return Resolver(template).properties(template.only("AWS::CodePipeline::Pipeline"))


def actions() -> list[tuple[str, dict[str, Any]]]:
    """(stage, action) of each action."""
    return [(stage["Name"], action) for stage in pipeline()["Stages"] for action in stage["Actions"]]


def test_the_pipeline_has_the_published_name_and_stages() -> None:
    assert pipeline()["Name"] == PIPELINE
    assert tuple(stage["Name"] for stage in pipeline()["Stages"]) == STAGES


def test_the_pipeline_restarts_when_it_updates_itself_and_queues_executions() -> None:
    properties = pipeline()
    assert properties["PipelineType"] == "V2"
    assert properties["ExecutionMode"] == "QUEUED"
    assert properties["RestartExecutionOnUpdate"] is True


def test_the_source_is_the_main_branch_and_is_not_polled() -> None:
    ((_, source),) = [(stage, action) for stage, action in actions() if stage == STAGES[0]]
    assert source["ActionTypeId"]["Provider"] == "CodeCommit"
    assert source["Configuration"]["RepositoryName"] in (
        PIPELINE,
        "${ImportValue:aws-backup-codecommit-repo-name}",
    )
    assert source["Configuration"]["BranchName"] == "main"
    assert str(source["Configuration"]["PollForSourceChanges"]).lower() == "false"


def test_static_analysis_and_cfn_nag_come_before_anything_is_deployed() -> None:
    analysis, scan = [action for stage, action in actions() if stage == STAGES[1]]
    assert (analysis["Name"], analysis["Namespace"]) == ("Static_Analysis", "StaticAnalysis")
    assert analysis["Configuration"]["ProjectName"] == VALIDATE_PROJECT
    # The first build checks that the projects of the others exist.
    assert int(analysis["RunOrder"]) < int(scan["RunOrder"])
    assert scan["Configuration"]["ProjectName"] == SCAN_PROJECT
    assert not {"OutputArtifacts", "Namespace"} & scan.keys()


def buildspec(project: str) -> dict[str, Any]:
    """The buildspec of a CodeBuild project."""
    (path,) = {
        ROOT / properties["Source"]["BuildSpec"]
        for template in repository_templates()
        for _, properties in template.of_type("AWS::CodeBuild::Project")
        if properties["Name"] == project
    }
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("stack", "project", "role"),
    [
        (wrapper(TAG_SET), PACKAGE_TAG_PROJECT, TAG_ROLE_SET),
        (wrapper(MEMBER_SET), FIND_ROLE_PROJECT, MEMBER_ROLE_SET),
    ],
)
def test_a_stack_set_waits_for_the_arn_that_a_build_of_the_same_execution_exports(
    stack: str, project: str, role: str
) -> None:
    (build,) = [action for _, action in actions() if action["Configuration"].get("ProjectName") == project]
    _, action = deployed()[stack]
    overrides = json.loads(action["Configuration"]["ParameterOverrides"])
    assert overrides["RoleStackSetArn"] == f"#{{{build['Namespace']}.ROLE_STACK_SET_ARN}}"
    commands = buildspec(project)["phases"]["build"]["commands"]
    assert commands[-1] == f"python -m buildspecs.role_stack_set {role} && . .build/pipeline-variables.sh"


def test_the_stack_set_bodies_are_extracted_below_deployment() -> None:
    ((_, upload),) = [
        (stage, action) for stage, action in actions() if action["ActionTypeId"]["Provider"] == "S3"
    ]
    assert str(upload["Configuration"]["Extract"]).lower() == "true"
    assert upload["Configuration"]["ObjectKey"] == "deployment"


def deployed() -> dict[str, tuple[str, dict[str, Any]]]:
    """Stack name → (stage, action) of each CloudFormation action."""
    return {
        action["Configuration"]["StackName"]: (stage, action)
        for stage, action in actions()
        if action["ActionTypeId"]["Provider"] == "CloudFormation"
    }


def test_the_pipeline_deploys_the_published_stacks_and_no_others() -> None:
    assert sorted(deployed()) == sorted(stack.name for stack in DEPLOYED)


@pytest.mark.parametrize("stack", DEPLOYED, ids=lambda stack: stack.name)
def test_a_stack_is_deployed_in_its_stage_from_its_template(stack: Deployed) -> None:
    stage, action = deployed()[stack.name]
    configuration = action["Configuration"]
    assert stage == stack.stage
    assert configuration["TemplatePath"].split("::")[1] == stack.template
    overrides = json.loads(configuration.get("ParameterOverrides", "{}"))
    assert set(overrides) == stack.overrides
    expected = TARGETS_FILE if stack.template == SSM_TEMPLATE else "templates/tags.json"
    assert configuration["TemplateConfiguration"].split("::")[1] == expected


@pytest.mark.parametrize(("earlier", "later"), BEFORE)
def test_roles_come_before_packages_and_packages_before_functions(earlier: str, later: str) -> None:
    order = {
        action["Configuration"].get("StackName") or action["Configuration"].get("ProjectName"): (
            STAGES.index(stage),
            int(action.get("RunOrder", 1)),
        )
        for stage, action in actions()
    }
    assert order[earlier] < order[later]
    assert order[earlier][0] == order[later][0]


@pytest.mark.parametrize(
    ("stack", "project"),
    [
        ("aws-backup-backuporgpolicymanager", PACKAGE_POLICY_PROJECT),
        (wrapper(TAG_SET), PACKAGE_TAG_PROJECT),
    ],
)
def test_a_function_gets_the_package_that_the_same_execution_has_tested(stack: str, project: str) -> None:
    """Not the one that SSM has by then: the next execution may have restored an older value."""
    build = one(
        (action for _, action in actions() if action["Configuration"].get("ProjectName") == project),
        f"action of the pipeline with ProjectName {project}",
    )
    _, action = deployed()[stack]
    overrides = json.loads(action["Configuration"]["ParameterOverrides"])
    assert overrides["TestedPackage"] == f"#{{{build['Namespace']}.PACKAGE}}"


@pytest.mark.parametrize(("tested", "used"), [("aws-backup-x-0123456789abcdef.zip", None), ("", "none")])
@pytest.mark.parametrize("stack", ["aws-backup-backuporgpolicymanager", wrapper(TAG_SET)])
def test_without_a_tested_package_the_recorded_one_is_deployed(
    stack: str, tested: str, used: str | None
) -> None:
    template = load(ROOT / f"{HOME}/{stack}.yaml")
    resolver = Resolver(template, {"TestedPackage": tested, "TemplateKey": "key", "RoleStackSetArn": "arn"})
    name = template.only("AWS::Lambda::Function", "AWS::CloudFormation::StackSet")
    properties = resolver.properties(name)
    given = {item["ParameterKey"]: item["ParameterValue"] for item in properties.get("Parameters", [])}
    key = given["DeployedPackage"] if given else properties["Code"]["S3Key"]
    assert key == (used or tested)


def test_the_policies_stack_is_touched_only_when_the_management_role_can_be_assumed() -> None:
    """So in the published order its creation cannot fail, and no failed stack has to be deleted."""
    before, stack = [action for stage, action in actions() if stage == STAGES[-1]][:2]
    assert before["ActionTypeId"]["Provider"] == "Lambda"
    assert before["Configuration"]["FunctionName"] == POLICY_FUNCTION
    assert stack["Configuration"]["StackName"] == POLICY_STACK
    assert int(before["RunOrder"]) < int(stack["RunOrder"])
    namespace, output = re.fullmatch(r"#\{(\w+)\.(\w+)\}", before["Configuration"]["UserParameters"]).groups()  # type: ignore[union-attr]  # a mismatch is the failure
    _, owner = deployed()["aws-backup-backuporgpolicymanager-role"]
    assert owner["Namespace"] == namespace
    template = load(ROOT / f"{HOME}/aws-backup-backuporgpolicymanager-role.yaml")
    assert Resolver(template).resolve(template.body["Outputs"][output]["Value"]) == "777788889999"


# --- the backup policies ------------------------------------------------------------


def assigned(value: Any) -> Any:
    """A backup policy without its @@assign operators."""
    if isinstance(value, dict):
        return (
            assigned(value["@@assign"])
            if set(value) == {"@@assign"}
            else {k: assigned(v) for k, v in value.items()}
        )
    return value


def policy_properties(name: str) -> dict[str, Any]:
    """The resolved Custom::OrgPolicy with that policy name, and its content with the Variables replaced."""
    template = load(ROOT / ORG_POLICY)
    resolver = Resolver(template)
    found = [resolver.properties(logical) for logical, _ in template.of_type("Custom::OrgPolicy")]
    properties = one(
        (item for item in found if item["PolicyName"] == name), f"PolicyName {name} in {ORG_POLICY}"
    )
    content = properties["PolicyContent"]
    text = content if isinstance(content, str) else json.dumps(content)
    for variable in properties.get("Variables", []):
        for token, value in variable.items():
            text = text.replace(token, value)
    return Part(name, {**properties, "PolicyContent": assigned(json.loads(text))})


def test_there_are_exactly_the_two_published_policies() -> None:
    template = load(ROOT / ORG_POLICY)
    names = [
        Resolver(template).resolve(item["PolicyName"]) for _, item in template.of_type("Custom::OrgPolicy")
    ]
    assert sorted(names) == sorted(policy.name for policy in BACKUP_POLICIES)


@pytest.mark.parametrize("policy", BACKUP_POLICIES, ids=lambda policy: policy.name)
def test_a_backup_policy_has_the_published_plan(policy: BackupPolicy) -> None:
    properties = policy_properties(policy.name)
    plan = properties["PolicyContent"]["plans"][policy.plan]
    rule = plan["rules"][policy.rule]
    vault = SSM_VALUES["/backup/central-vault-arn"][1]
    assert rule["schedule_expression"] == policy.schedule
    assert rule["start_backup_window_minutes"] == START_WINDOW_MINUTES
    assert rule["complete_backup_window_minutes"] == COMPLETE_WINDOW_MINUTES
    assert rule["target_backup_vault_name"] == MEMBER_VAULT
    assert str(rule["lifecycle"]["delete_after_days"]) == policy.days
    assert list(rule["copy_actions"]) == [vault]
    assert rule["copy_actions"][vault]["target_backup_vault_arn"] == vault
    assert str(rule["copy_actions"][vault]["lifecycle"]["delete_after_days"]) == policy.days
    (selection,) = plan["selections"]["tags"].values()
    assert selection["iam_role_arn"].endswith(f":iam::$account:role/{MEMBER_ROLE}")
    assert (selection["tag_key"], selection["tag_value"]) == (policy.tag[0], [policy.tag[1]])


@pytest.mark.parametrize("policy", BACKUP_POLICIES, ids=lambda policy: policy.name)
def test_a_backup_policy_goes_to_the_targets_of_the_operator_s_file(policy: BackupPolicy) -> None:
    properties = policy_properties(policy.name)
    assert properties["ServiceToken"] == "${ImportValue:aws-backup-backuporgpolicymanager-lambda-arn}"
    assert properties["PolicyType"] == "BACKUP_POLICY"
    assert properties["PolicyTargets"] == ["ou-exam-ple11111"]
    assert properties["PolicyRegions"] == ["us-east-1", "us-east-2"]
    assert properties["OrgManagementAccount"] == "777788889999"
    assert properties["PolicyDescription"]
