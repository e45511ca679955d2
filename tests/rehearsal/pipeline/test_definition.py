"""Pipelines as get-pipeline returns them, and what is refused by name."""

from typing import Any

import pytest

from rehearsal.errors import UnsupportedError
from rehearsal.pipeline import actions, definition
from rehearsal.pipeline.definition import Action


def response(**changes: Any) -> dict[str, Any]:
    pipeline = {
        "name": "p",
        "version": 3,
        "roleArn": "arn:aws:iam::222222222222:role/p",
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "b", "encryptionKey": {"id": "k", "type": "KMS"}},
        "stages": [
            {"name": "Source", "actions": [action("Files", category="Source", provider="CodeCommit")]},
            {
                "name": "Deploy",
                "actions": [action("Late", runOrder=2), action("One"), action("Two", runOrder=1)],
            },
        ],
        **changes,
    }
    return {
        "pipeline": pipeline,
        "metadata": {"pipelineArn": "arn:aws:codepipeline:us-east-1:222222222222:p"},
    }


def action(
    name: str, category: str = "Deploy", provider: str = "CloudFormation", **changes: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": {"StackName": "s"},
        **changes,
    }


def test_a_pipeline_is_read() -> None:
    read = definition.parse(response())
    assert (read.name, read.version, read.bucket, read.encryption_key) == ("p", 3, "b", "k")
    assert read.stage("Source").actions[0].type_id == ("Source", "AWS", "CodeCommit")


def test_actions_run_in_groups_by_run_order() -> None:
    groups = definition.parse(response()).stage("Deploy").run_orders
    assert [[each.name for each in group] for group in groups] == [["One", "Two"], ["Late"]]


def test_a_missing_stage_is_named_with_the_existing_ones() -> None:
    with pytest.raises(UnsupportedError, match=r"no stage Misspelt\. Stages: Source, Deploy"):
        definition.parse(response()).stage("Misspelt")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"triggers": [{}]}, "'triggers'"),
        ({"artifactStore": None, "artifactStores": {"us-east-1": {}}}, "'artifactStores'"),
        ({"artifactStore": {"type": "S3"}}, "artifactStore must be one S3 bucket"),
        ({"stages": [{"name": "S", "actions": [], "onFailure": {"result": "ROLLBACK"}}]}, "'onFailure'"),
        ({"stages": [{"name": "S", "actions": [action("A", commands=["ls"])]}]}, "action A.*'commands'"),
    ],
)
def test_what_is_not_supported_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        definition.parse(response(**changes))


def test_empty_settings_are_ignored() -> None:
    assert definition.parse(response(triggers=[], variables=None)).name == "p"


def test_an_unsupported_action_type_is_named() -> None:
    approval = Action("Ask", "Approval", "AWS", "Manual", 1, {}, (), (), None, None)
    with pytest.raises(UnsupportedError, match=r"action Ask.*Approval/AWS/Manual"):
        actions.check_types([approval])
