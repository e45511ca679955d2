"""A pipeline's definition, as codepipeline get-pipeline returns it. Pure.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
What the rehearsal does not support is refused by name, not ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rehearsal.errors import UnsupportedError


@dataclass(frozen=True)
class Action:
    name: str
    category: str
    owner: str
    provider: str
    run_order: int
    configuration: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    namespace: str | None
    role_arn: str | None

    @property
    def type_id(self) -> tuple[str, str, str]:
        return (self.category, self.owner, self.provider)


@dataclass(frozen=True)
class Stage:
    name: str
    actions: tuple[Action, ...]

    @property
    def run_orders(self) -> list[list[Action]]:
        """The actions by run order; those of one run order run at the same time."""
        ordered = sorted(self.actions, key=lambda action: action.run_order)
        return [list(group) for _, group in groupby(ordered, key=lambda action: action.run_order)]


@dataclass(frozen=True)
class Definition:
    name: str
    arn: str
    version: int
    role_arn: str
    bucket: str
    encryption_key: str | None
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise UnsupportedError(f"pipeline {self.name} has no stage {name}. Stages: {names}.")


def parse(response: Mapping[str, Any]) -> Definition:
    """`response` is get-pipeline's: pipeline and metadata. Raises UnsupportedError."""
    pipeline = response["pipeline"]
    where = f"pipeline {pipeline.get('name')}"
    _only(
        pipeline,
        ("name", "roleArn", "artifactStore", "stages", "version", "pipelineType", "executionMode"),
        where,
    )
    store = pipeline.get("artifactStore") or {}
    if store.get("type") != "S3" or "location" not in store:
        raise UnsupportedError(f"{where}: artifactStore must be one S3 bucket.")
    return Definition(
        name=pipeline["name"],
        arn=response["metadata"]["pipelineArn"],
        version=int(pipeline["version"]),
        role_arn=pipeline["roleArn"],
        bucket=store["location"],
        encryption_key=(store.get("encryptionKey") or {}).get("id"),
        stages=tuple(_stage(stage, where) for stage in pipeline["stages"]),
    )


def _stage(stage: Mapping[str, Any], where: str) -> Stage:
    where = f"{where}, stage {stage.get('name')}"
    _only(stage, ("name", "actions"), where)
    return Stage(stage["name"], tuple(_action(action, where) for action in stage["actions"]))


def _action(action: Mapping[str, Any], where: str) -> Action:
    where = f"{where}, action {action.get('name')}"
    known = (
        "name", "actionTypeId", "runOrder", "configuration", "inputArtifacts", "outputArtifacts", "namespace",
        "roleArn", "region", "timeoutInMinutes",
    )  # fmt: skip
    _only(action, known, where)
    type_id = action["actionTypeId"]
    return Action(
        name=action["name"],
        category=type_id["category"],
        owner=type_id["owner"],
        provider=type_id["provider"],
        run_order=int(action.get("runOrder", 1)),
        configuration={key: str(value) for key, value in (action.get("configuration") or {}).items()},
        inputs=tuple(artifact["name"] for artifact in action.get("inputArtifacts") or []),
        outputs=tuple(artifact["name"] for artifact in action.get("outputArtifacts") or []),
        namespace=action.get("namespace"),
        role_arn=action.get("roleArn"),
    )


def _only(mapping: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key, value in mapping.items():
        if key not in known and value:
            raise UnsupportedError(f"{where}: the rehearsal does not know {key!r}.")
