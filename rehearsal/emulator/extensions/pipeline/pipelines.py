"""CodePipeline's pipelines, created by CloudFormation; ministack does not have the service.

Emulated: the checks of structure.py, GetPipeline and ListPipelines in the API's shape, and the version, which
each update increments. executions.py and jobs.py add operations to the service.

Not emulated: webhooks, triggers other than rules of EventBridge.
"""

import time
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.pipeline import structure

_pipelines: Any = hooks.responses.AccountRegionScopedDict()
_NOT_IN_THE_API = ("DisableInboundStageTransitions", "RestartExecutionOnUpdate", "Tags")


def install() -> None:
    base.add_resource_type("AWS::CodePipeline::Pipeline", _create, _update, _delete)
    base.serve_json("codepipeline", "CodePipeline_20150709", _operations)


def add_operations(**operations: base.Operation) -> None:
    """Add operations to the service."""
    _operations.update(operations)


def stored(name: str) -> dict[str, Any]:
    """A pipeline and its metadata as GetPipeline returns them; ApiError if there is none."""
    found: dict[str, Any] | None = _pipelines.get(name)
    if found is None:
        message = f"Account '{base.account()}' does not have a pipeline with name '{name}'"
        raise ApiError("PipelineNotFoundException", message)
    return found


def roles_in_use() -> list[tuple[str, str]]:
    """(pipeline ARN, role ARN) of every pipeline and of every action with its own role."""
    return [
        (each["metadata"]["pipelineArn"], role)
        for each in _pipelines.all_values()
        for role in (
            each["pipeline"].get("roleArn"),
            *(action.get("roleArn") for stage in each["pipeline"]["stages"] for action in stage["actions"]),
        )
        if role
    ]


def _create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    name = properties.get("Name") or f"{stack}-{logical_id}"
    if name in _pipelines:
        raise ValueError(f"A pipeline with the name '{name}' already exists in account '{base.account()}'")
    _store(name, properties, version=1, created=time.time())
    return name, {"Version": "1"}


def _update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    if new.get("Name") and new["Name"] != physical_id:
        return _create(physical_id, new, stack)
    current = _pipelines[physical_id]
    version = current["pipeline"]["version"]
    if {**old, "Tags": None} != {**new, "Tags": None}:
        version += 1
    _store(physical_id, new, version, current["metadata"]["created"])
    return physical_id, {"Version": str(version)}


def _delete(physical_id: str, _properties: dict[str, Any]) -> None:
    _pipelines.pop(physical_id, None)


def _store(name: str, properties: dict[str, Any], version: int, created: float) -> None:
    shown = {key: value for key, value in properties.items() if key not in _NOT_IN_THE_API}
    pipeline = {"pipelineType": "V1", "executionMode": "SUPERSEDED", **_as_api(shown)}
    pipeline.update(name=name, version=version)
    if "artifactStores" in pipeline:
        pipeline["artifactStores"] = {
            each["region"]: each["artifactStore"] for each in pipeline["artifactStores"]
        }
    structure.check(pipeline)
    metadata = {"pipelineArn": base.arn("codepipeline", name), "created": created, "updated": time.time()}
    _pipelines[name] = {"pipeline": pipeline, "metadata": metadata}


def _as_api(value: Any) -> Any:
    """A template's value in the API's spelling: keys begin in lowercase, except those of Configuration."""
    if isinstance(value, list):
        return [_as_api(each) for each in value]
    if not isinstance(value, dict):
        return value
    shown: dict[str, Any] = {}
    for key, each in value.items():
        name = key[0].lower() + key[1:]
        if key == "Configuration":
            shown[name] = {setting: _as_text(setting, given) for setting, given in each.items()}
        elif key in ("RunOrder", "TimeoutInMinutes"):
            shown[name] = int(each)
        else:
            shown[name] = _as_api(each)
    return shown


def _as_text(setting: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"the value of Configuration {setting} must be text (ParameterOverrides: JSON text)")


def _list_pipelines(_request: dict[str, Any]) -> dict[str, Any]:
    summaries = [
        {
            **{key: each["pipeline"][key] for key in ("name", "version", "pipelineType", "executionMode")},
            **{key: each["metadata"][key] for key in ("created", "updated")},
        }
        for each in _pipelines.values()
    ]
    return {"pipelines": summaries}


_operations: dict[str, base.Operation] = {
    "GetPipeline": lambda request: stored(request["name"]),
    "ListPipelines": _list_pipelines,
}
