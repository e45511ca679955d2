"""Commits that succeed: exactly what they change is deployed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from buildspecs import names
from rehearsal.readme.workspace import TARGETS
from rehearsal.scenarios import edits
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.snapshot import changes

TAG_KEY: Final = "Owner"
_PIPELINE_TEMPLATE: Final = f"{names.HOME}/{names.PIPELINE_STACK}.yaml"
_TAGS: Final = "templates/tags.json"
_NOTHING: Final = "no stack, no StackSet operation, no package, no parameter has changed"


def first_rollout(deployed: DeployedOrganization) -> None:
    """What the README's commands have made, before anything else happens to it."""
    deployed.check_outcomes()


def same_commit(deployed: DeployedOrganization) -> None:
    with deployed.expect_no_change(_NOTHING):
        deployed.start_again()
        deployed.run()


def readme_only(deployed: DeployedOrganization) -> None:
    with deployed.expect_no_change(_NOTHING):
        _commit_a_sentence(deployed)
        deployed.run()


def start_by_a_commit(deployed: DeployedOrganization) -> None:
    """Show that a commit starts the pipeline: until now only its creation has. The source stage is enough;
    the scenario readme-only runs the others.
    """
    _commit_a_sentence(deployed)
    deployed.run_source()


def _commit_a_sentence(deployed: DeployedOrganization) -> None:
    deployed.files.write("README.md", deployed.files.read("README.md") + "\nOne more sentence.\n")
    deployed.commit("A sentence in the README")


def member_template(deployed: DeployedOrganization) -> None:
    before = deployed.snapshot()
    mark = edits.edit_member_template(deployed)
    deployed.commit("Another description of the member vault's key")
    deployed.run()
    deployed.check(
        "the key of every member account in every Region has the new description",
        lambda: edits.key_fault(deployed, mark),
    )
    deployed.expect_only(
        "the stacks of the member vaults were updated, and nothing else",
        before,
        edits.member_update(deployed) | edits.new_template(deployed, before),
    )


def function(deployed: DeployedOrganization) -> None:
    before = deployed.snapshot()
    edits.edit_function(deployed)
    deployed.commit("A comment in TagOnRestore")
    deployed.run()
    package = edits.recorded_package(deployed)
    deployed.check("SSM was written after every upload", lambda: _early_record(deployed, package))
    deployed.expect_only(
        "a new package in every Region, the functions updated, and nothing else",
        before,
        edits.function_update(deployed, package),
    )


def _early_record(deployed: DeployedOrganization, package: str) -> str | None:
    """S3 gives the second of an upload, not its fractions."""
    recorded = min(_recorded_at(deployed))
    for place in deployed.package_places:
        bucket = deployed.package_bucket(place.region)
        head = deployed.client("s3", place).head_object(Bucket=bucket, Key=package)
        if head["LastModified"].timestamp() > recorded:
            return f"package {package} was uploaded to {bucket} only after SSM had named it."
    return None


def _recorded_at(deployed: DeployedOrganization) -> Iterator[float]:
    for name in edits.PACKAGE_PARAMETERS:
        parameter = deployed.client("ssm").get_parameter(Name=name)
        yield parameter["Parameter"]["LastModifiedDate"].timestamp()


def stack_tags(deployed: DeployedOrganization) -> None:
    """CloudFormation updates every resource then, also the parameters that the packaging builds write."""
    held, value = deployed.parameters("/backup"), edits.marker()
    for path in (TARGETS, _TAGS):
        deployed.files.add_tag(path, TAG_KEY, value)
    deployed.commit("A tag for every stack")
    for progress in deployed.next_execution().steps():
        if progress.stage == names.TARGETS_STAGE:
            deployed.check(
                "every parameter has kept its value, before the builds could write it again",
                lambda: parameter_fault(held, deployed.parameters("/backup")),
            )
    deployed.check(
        "every stack of the pipeline and of its StackSets has the tag", lambda: _untagged(deployed, value)
    )
    with deployed.expect_no_change("the same commit again changes nothing"):
        deployed.start_again()
        deployed.run()


def parameter_fault(before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    """Which parameters have lost the value that they had."""
    changed = [
        f"{name}: {after.get(name)}, was {value}"
        for name, value in before.items()
        if after.get(name) != value
    ]
    return "; ".join(changed) or None


def _untagged(deployed: DeployedOrganization, value: str) -> str | None:
    pipeline = deployed.client("codepipeline").get_pipeline(name=names.PIPELINE)["pipeline"]
    actions = [action for stage in pipeline["stages"] for action in stage["actions"]]
    stacks = {action["configuration"].get("StackName") for action in actions}
    for place in [*deployed.package_places, *deployed.member_places]:
        cloudformation = deployed.client("cloudformation", place)
        for page in cloudformation.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                name = stack["StackName"]
                if not (name.startswith("StackSet-") or name in stacks):
                    continue
                if {"Key": TAG_KEY, "Value": value} not in stack["Tags"]:
                    return f"stack {name} in {place} does not have the tag."
    return None


def pipeline_template(deployed: DeployedOrganization) -> None:
    before, known = deployed.snapshot(), len(deployed.executions())
    deployed.files.edit(
        _PIPELINE_TEMPLATE,
        "              Namespace: StaticAnalysis\n",
        "              TimeoutInMinutes: 45\n              Namespace: StaticAnalysis\n",
    )
    deployed.commit("A time limit for the static analysis")
    execution = deployed.run()
    statuses = [entry["status"] for entry in deployed.executions()[known:]]
    deployed.check(
        "the pipeline has updated itself and has started again from the source",
        lambda: (
            None
            if execution.restarted and statuses == ["Cancelled", "Succeeded"]
            else f"its executions ended as {', '.join(statuses)} instead of Cancelled, Succeeded."
        ),
    )
    deployed.expect_only(
        "the pipeline has a new version, and nothing else has changed",
        before,
        changes("changed", "stack", deployed.home_places, names.PIPELINE_STACK)
        | changes("changed", "pipeline", deployed.home_places, names.PIPELINE),
    )
