"""CodePipeline: pipelines that CloudFormation creates and that can be read back; ministack does not have the
service.

AWS checks a pipeline's structure when it is created or updated: at least two stages, the first with source
actions only, unique names, every input artifact made by an earlier action, every `#{namespace.variable}` of
an earlier namespace. Emulated: these checks, GetPipeline and ListPipelines in the API's shape, the version
that each update raises. Not emulated: executions (the rehearsal's runner carries the stages out), triggers,
webhooks.
"""

import re
import time
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import ApiError

_pipelines: Any = hooks.responses.AccountRegionScopedDict()
_VARIABLE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.[^}]+\}")
_NOT_IN_THE_API = ("DisableInboundStageTransitions", "RestartExecutionOnUpdate", "Tags")
_ARTIFACT_LIMIT_STAGES = 2


def install() -> None:
    base.resource_type("AWS::CodePipeline::Pipeline", _create, _update, _delete, tags=True)
    base.serve_json("codepipeline", "CodePipeline_20150709", _OPERATIONS)


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
    check(pipeline)
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


def check(pipeline: dict[str, Any]) -> None:
    """Raise ValueError if AWS would refuse a pipeline (API shape) as badly structured."""
    stages = pipeline.get("stages") or []
    if len(stages) < _ARTIFACT_LIMIT_STAGES:
        raise ValueError("Pipeline should have at least two stages")
    _refuse_repeated("stage", [stage["name"] for stage in stages])
    made: set[str] = set()
    namespaces: set[str] = {"codepipeline", "variables"}
    for position, stage in enumerate(stages):
        actions = sorted(stage["actions"], key=lambda action: action.get("runOrder", 1))
        _refuse_repeated(f"action in stage {stage['name']}", [action["name"] for action in actions])
        for action in actions:
            where = f"action {action['name']} of stage {stage['name']}"
            _check_category(where, action, position)
            _check_action(where, action, made, namespaces)
        _refuse_repeated(
            "namespace",
            [action["namespace"] for s in stages for action in s["actions"] if "namespace" in action],
        )


def _check_category(where: str, action: dict[str, Any], position: int) -> None:
    is_source = action["actionTypeId"]["category"] == "Source"
    if is_source != (position == 0):
        raise ValueError(f"{where}: source actions belong into the first stage, and only they do")


def _check_action(where: str, action: dict[str, Any], made: set[str], namespaces: set[str]) -> None:
    for artifact in action.get("inputArtifacts") or []:
        if artifact["name"] not in made:
            raise ValueError(f"{where}: no earlier action makes the input artifact {artifact['name']}")
    for setting, value in (action.get("configuration") or {}).items():
        for namespace in _VARIABLE.findall(value):
            if namespace not in namespaces:
                raise ValueError(
                    f"{where}: {setting} uses the namespace {namespace}, which no earlier action has"
                )
    made.update(artifact["name"] for artifact in action.get("outputArtifacts") or [])
    if "namespace" in action:
        namespaces.add(action["namespace"])


def _refuse_repeated(kind: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"each {kind} needs a name of its own: {', '.join(repeated)}")


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
