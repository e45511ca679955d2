"""CodePipeline: pipelines that CloudFormation creates and that can be read back; ministack does not have the
service.

Emulated: the checks of structure.py, GetPipeline and ListPipelines in the API's shape, the version
that each update raises.

Not emulated: executions (the rehearsal's runner carries the stages out), triggers,
webhooks.
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
    base.resource_type("AWS::CodePipeline::Pipeline", _create, _update, _delete, tags=True)
    base.serve_json("codepipeline", "CodePipeline_20150709", _OPERATIONS)


def roles_in_use() -> list[tuple[str, str]]:
    """(pipeline ARN, role ARN) of every pipeline and of every action that has a role of its own."""
    return [
        (stored["metadata"]["pipelineArn"], role)
        for stored in _pipelines.all_values()
        for role in (
            stored["pipeline"].get("roleArn"),
            *(action.get("roleArn") for stage in stored["pipeline"]["stages"] for action in stage["actions"]),
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
    stored = _pipelines[physical_id]
    version = stored["pipeline"]["version"]
    if {**old, "Tags": None} != {**new, "Tags": None}:
        version += 1
    _store(physical_id, new, version, stored["metadata"]["created"])
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
    """A template's value in the API's spelling: keys start in lower case, but for those of Configuration."""
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


def _get_pipeline(request: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] | None = _pipelines.get(request["name"])
    if stored is None:
        raise ApiError(
            "PipelineNotFoundException",
            f"Account '{base.account()}' does not have a pipeline with name '{request['name']}'",
        )
    return stored


def _list_pipelines(_request: dict[str, Any]) -> dict[str, Any]:
    summaries = [
        {
            **{key: stored["pipeline"][key] for key in ("name", "version", "pipelineType", "executionMode")},
            **{key: stored["metadata"][key] for key in ("created", "updated")},
        }
        for stored in _pipelines.values()
    ]
    return {"pipelines": summaries}


_OPERATIONS: dict[str, base.Operation] = {"GetPipeline": _get_pipeline, "ListPipelines": _list_pipelines}
