"""Commits that go well: what is rolled out is what they change, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator
from typing import Final

from buildspecs import names
from rehearsal.checks.outcomes import PACKAGES
from rehearsal.errors import OutcomeError, UnsupportedError
from rehearsal.pipeline.execution import Execution, Progress
from rehearsal.readme.workspace import TARGETS
from rehearsal.scenarios.deployed_organization import Rollout
from rehearsal.scenarios.snapshot import Change, Facts, changes, stack_of

MEMBER_TEMPLATE: Final = "templates/member-account/aws-backup-member-account.yaml"
PIPELINE_TEMPLATE: Final = "templates/home-account/aws-backup-codepipeline.yaml"
TAGS: Final = "templates/tags.json"
TAG_KEY: Final = "Owner"
_KEY_DESCRIPTION: Final = "Encrypts the recovery points"
_FUNCTION_SOURCE: Final = "lambdas/tag_on_restore/__init__.py"
_PACKAGE: Final = PACKAGES[names.TAG_FUNCTION]
_ANALYSIS: Final = "TestBackupRecoveryWithAWSBackup"
_FUNCTIONS: Final = "DeployLambdaFunctions"
_PACKAGED: Final = 3  # the run order of the last of its packaging builds
_edits = itertools.count(1)


def first_rollout(rollout: Rollout) -> None:
    """What the README's commands have made, before anything else happens to it."""
    rollout.is_consistent()


def same_commit(rollout: Rollout) -> None:
    with rollout.unchanged("no stack, no StackSet operation, no package, no parameter has changed"):
        rollout.start_again()
        rollout.run()


def readme_only(rollout: Rollout) -> None:
    with rollout.unchanged("no stack, no StackSet operation, no package, no parameter has changed"):
        _commit_a_sentence(rollout)
        rollout.run()


def begin_with_a_commit(rollout: Rollout) -> None:
    """The pipeline's creation has started it once: only a commit shows that its rule does. No further than
    the source: scenario readme-only carries such an execution out.
    """
    _commit_a_sentence(rollout)
    rollout.begin()


def _commit_a_sentence(rollout: Rollout) -> None:
    rollout.files.write("README.md", rollout.files.read("README.md") + "\nOne more sentence.\n")
    rollout.commit("A sentence in the README")


def member_template(rollout: Rollout) -> None:
    before = rollout.snapshot()
    marker = edit_member_template(rollout)
    rollout.commit("Another description of the member vault's key")
    rollout.run(analysed=True)
    rollout.check("every member's key in every region is described anew", lambda: _described(rollout, marker))
    rollout.only(
        "the member vaults' stacks were updated, and nothing else",
        before,
        member_update(rollout) | new_body(rollout, before),
    )


def edit_member_template(rollout: Rollout) -> str:
    """Change a property of the member vaults' keys; returns what their descriptions begin with then."""
    marker = f"Edit {next(_edits)}."
    text = rollout.files.read(MEMBER_TEMPLATE)
    lines = [line for line in text.splitlines() if _KEY_DESCRIPTION in line]
    if len(lines) != 1:
        raise UnsupportedError(f"{MEMBER_TEMPLATE} has {len(lines)} lines with {_KEY_DESCRIPTION!r}, not one")
    rollout.files.edit(
        MEMBER_TEMPLATE, lines[0], f"      Description: {marker} {_KEY_DESCRIPTION} in the vault."
    )
    return marker


def _described(rollout: Rollout, marker: str) -> str | None:
    for account, region in rollout.everywhere:
        kms = rollout.client("kms", account, region)
        description = kms.describe_key(KeyId=names.MEMBER_KEY_ALIAS)["KeyMetadata"]["Description"]
        if not description.startswith(marker):
            return f"the key of account {account} in {region} is still described as {description!r}."
    return None


def member_update(rollout: Rollout) -> set[Change]:
    """The member vaults' stacks, and what the home account does to update them."""
    return (
        changes("changed", "stack", rollout.everywhere, stack_of(names.MEMBER_SET))
        | changes("changed", "stack", rollout.at_home, names.wrapper(names.MEMBER_SET))
        | changes("changed", "StackSet operation", rollout.at_home, names.MEMBER_SET)
    )


def new_body(rollout: Rollout, before: Facts) -> set[Change]:
    """The one StackSet body that has been put into the deployment bucket since then."""
    found = {thing for thing in rollout.snapshot().keys() - before.keys() if thing.kind == "StackSet body"}
    if len(found) != 1:
        raise OutcomeError(f"{len(found)} new StackSet bodies instead of one: {', '.join(map(str, found))}")
    return {Change("created", thing) for thing in found}


def function(rollout: Rollout) -> None:
    before = rollout.snapshot()
    edit_function(rollout)
    rollout.commit("A comment in TagOnRestore")
    rollout.run()
    package = recorded_package(rollout)
    rollout.check("SSM was written after every upload", lambda: _recorded_too_early(rollout, package))
    rollout.only(
        "a new package in every region, the functions updated, and nothing else",
        before,
        function_update(rollout, package),
    )


def edit_function(rollout: Rollout) -> None:
    """Change the code of TagOnRestore, not what it does."""
    source = rollout.files.read(_FUNCTION_SOURCE)
    rollout.files.write(_FUNCTION_SOURCE, f"{source}# Edit {next(_edits)}.\n")


def recorded_package(rollout: Rollout) -> str:
    """The package of TagOnRestore that SSM names."""
    parameter = rollout.client("ssm").get_parameter(Name=f"/backup/lambda/{_PACKAGE}/deployed-package")
    return str(parameter["Parameter"]["Value"])


def package_parameters(rollout: Rollout) -> set[Change]:
    return changes(
        "changed",
        "parameter",
        rollout.at_home,
        f"/backup/lambda/{_PACKAGE}/deployed-package",
        f"/backup/lambda/{_PACKAGE}/deployed-hash",
    )


def function_update(rollout: Rollout, package: str) -> set[Change]:
    """A new package of TagOnRestore in every region, and everything that follows from it."""
    return (
        changes("created", "package", rollout.package_places, package)
        | package_parameters(rollout)
        | changes("changed", "function", rollout.everywhere, names.TAG_FUNCTION)
        | changes("changed", "stack", rollout.everywhere, stack_of(names.TAG_SET))
        | changes("changed", "stack", rollout.at_home, names.wrapper(names.TAG_SET))
        | changes("changed", "StackSet operation", rollout.at_home, names.TAG_SET)
    )


def _recorded_too_early(rollout: Rollout, package: str) -> str | None:
    """S3 tells the second of an upload, not its fractions."""
    recorded = min(_recorded_at(rollout))
    for account, region in rollout.package_places:
        bucket = rollout.package_bucket(region)
        head = rollout.client("s3", account, region).head_object(Bucket=bucket, Key=package)
        if head["LastModified"].timestamp() > recorded:
            return f"package {package} came into {bucket} only after SSM had named it."
    return None


def _recorded_at(rollout: Rollout) -> Iterator[float]:
    for name in ("deployed-package", "deployed-hash"):
        parameter = rollout.client("ssm").get_parameter(Name=f"/backup/lambda/{_PACKAGE}/{name}")
        yield parameter["Parameter"]["LastModifiedDate"].timestamp()


def stack_tags(rollout: Rollout) -> None:
    """CloudFormation touches every resource then, also the parameters that the packaging builds write."""
    held, value = rollout.parameters("/backup"), f"tag {next(_edits)}"
    for path in (TARGETS, TAGS):
        rollout.files.add_tag(path, TAG_KEY, value)
    rollout.commit("A tag for every stack")
    for progress in rollout.take().steps():
        if progress.stage == "DeployAWSBackupTargets":
            rollout.check(
                "every parameter has the value that it had, before the builds could write it again",
                lambda: _other_values(held, rollout.parameters("/backup")),
            )
    rollout.check(
        "every stack of the pipeline and of its StackSets has it", lambda: _untagged(rollout, value)
    )
    with rollout.unchanged("the same commit again changes nothing"):
        rollout.start_again()
        rollout.run()


def _other_values(before: dict[str, str], after: dict[str, str]) -> str | None:
    changed = [
        f"{name}: {after.get(name)}, was {value}"
        for name, value in before.items()
        if after.get(name) != value
    ]
    return "; ".join(changed) or None


def _untagged(rollout: Rollout, value: str) -> str | None:
    pipeline = rollout.client("codepipeline").get_pipeline(name=rollout.pipeline)["pipeline"]
    actions = [action for stage in pipeline["stages"] for action in stage["actions"]]
    deployed = {action["configuration"].get("StackName") for action in actions}
    places = [*rollout.package_places, *rollout.everywhere]
    for account, region in dict.fromkeys(places):
        cloudformation = rollout.client("cloudformation", account, region)
        for page in cloudformation.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                name = stack["StackName"]
                if not (name.startswith("StackSet-") or name in deployed):
                    continue
                if {"Key": TAG_KEY, "Value": value} not in stack["Tags"]:
                    return f"stack {name} in account {account}, {region} has not got the tag."
    return None


def pipeline_template(rollout: Rollout) -> None:
    before, known = rollout.snapshot(), len(rollout.executions())
    rollout.files.edit(
        PIPELINE_TEMPLATE,
        "              Namespace: StaticAnalysis\n",
        "              TimeoutInMinutes: 45\n              Namespace: StaticAnalysis\n",
    )
    rollout.commit("A time limit for the static analysis")
    execution = rollout.run()
    statuses = [entry["status"] for entry in rollout.executions()[known:]]
    rollout.check(
        "the pipeline has updated itself and has started again from the source",
        lambda: (
            None
            if execution.restarted and statuses == ["Cancelled", "Succeeded"]
            else f"its executions ended as {', '.join(statuses)} instead of Cancelled, Succeeded."
        ),
    )
    rollout.only(
        "the pipeline has a new version, and nothing else has changed",
        before,
        changes("changed", "stack", rollout.at_home, names.PIPELINE_STACK)
        | changes("changed", "pipeline", rollout.at_home, rollout.pipeline),
    )


def two_commits(rollout: Rollout) -> None:
    """CodePipeline locks one stage for an execution, so the second one follows a stage behind the first.

    The worst moment for the recorded packages: the first has packaged and not deployed yet when the second
    updates the stack that owns them, with what it has read before.
    """
    known, before = len(rollout.executions()), _operations(rollout)
    targets = rollout.parameters("/backup/target")
    marker, first = _commit_everything(rollout, "the first of two commits")
    running = first.steps()
    _until(running, "SourceStageCodeCommit")
    later, second = _commit_everything(rollout, "the second of two commits")
    following = second.steps()
    _until(following, "SourceStageCodeCommit")
    _until(running, _ANALYSIS)
    _until(following, _ANALYSIS)
    _until(running, _FUNCTIONS, _PACKAGED)
    package = recorded_package(rollout)
    _until(following, "DeployLambdaS3Bucket")
    _until(running, _FUNCTIONS)
    rollout.check(
        "the first execution has deployed the package that it has tested", lambda: _runs(rollout, package)
    )
    for progress in running:
        if progress.left:
            if progress.stage == "DeployBackupRecoveryMemberAccounts":
                rollout.check("the first commit is rolled out", lambda: _described(rollout, marker))
            _until(following, progress.stage)
    for _ in following:
        pass
    latest = recorded_package(rollout)
    rollout.check("the second commit is rolled out", lambda: _described(rollout, later))
    rollout.check(
        "SSM names the second one's package, and every function runs it",
        lambda: (
            _runs(rollout, latest) if latest != package else f"SSM still names the first one's, {package}."
        ),
    )
    statuses = [entry["status"] for entry in rollout.executions()[known:]]
    done = {name: count - before[name] for name, count in _operations(rollout).items()}
    rollout.check(
        "both executions have succeeded, with two operations of each StackSet",
        lambda: (
            None
            if statuses == ["Succeeded"] * 2 and set(done.values()) == {2}
            else f"executions: {', '.join(statuses)}; operations: {done}."
        ),
    )
    rollout.check(
        "the targets are what they were",
        lambda: _other_values(targets, rollout.parameters("/backup/target")),
    )
    rollout.is_consistent()


def _commit_everything(rollout: Rollout, name: str) -> tuple[str, Execution]:
    """Commit a member template, a function and the targets' tags; the execution is to be carried out."""
    marker = edit_member_template(rollout)
    edit_function(rollout)
    rollout.files.add_tag(TARGETS, TAG_KEY, name)
    rollout.commit(name.capitalize())
    return marker, rollout.take()


def _until(steps: Iterator[Progress], stage: str, run_order: int | None = None) -> None:
    """Carry out an execution until it has left a stage, or has done a run order of it."""
    for progress in steps:
        if progress.stage == stage and (
            progress.left if run_order is None else progress.run_order == run_order
        ):
            return
    raise OutcomeError(f"the execution has ended before stage {stage}")


def _runs(rollout: Rollout, package: str) -> str | None:
    """What is wrong if not every function TagOnRestore runs this package."""
    for account, region in rollout.everywhere:
        stored = rollout.client("s3", rollout.home.account, region).get_object(
            Bucket=rollout.package_bucket(region), Key=package
        )["Body"]
        wanted = base64.b64encode(hashlib.sha256(stored.read()).digest()).decode()
        function = rollout.client("lambda", account, region).get_function_configuration(
            FunctionName=names.TAG_FUNCTION
        )
        if function["CodeSha256"] != wanted:
            return f"the function of account {account} in {region} does not run {package}."
    return None


def _operations(rollout: Rollout) -> dict[str, int]:
    """How many operations the StackSets have had that both commits change."""
    return {
        name: sum(
            len(page["Summaries"])
            for page in rollout.client("cloudformation")
            .get_paginator("list_stack_set_operations")
            .paginate(StackSetName=name, CallAs="DELEGATED_ADMIN")
        )
        for name in names.REGIONAL_SETS
    }
