"""What CodePipeline checks in the structure of a pipeline when it is created or updated.

At least two stages, source actions in the first stage and nowhere else, unique names, every input artifact
from an earlier action, every `#{namespace.variable}` of an earlier namespace ("CodePipeline pipeline
structure reference").
"""

import re
from typing import Any

_VARIABLE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.[^}]+\}")
_LEAST_STAGES = 2


def check(pipeline: dict[str, Any]) -> None:
    """Raise ValueError if AWS would refuse the structure of a pipeline (in the API's shape)."""
    stages = pipeline.get("stages") or []
    if len(stages) < _LEAST_STAGES:
        raise ValueError("Pipeline should have at least two stages")
    _refuse_repeated("stage", [stage["name"] for stage in stages])
    everywhere = [action for stage in stages for action in stage["actions"]]
    _refuse_repeated("namespace", [action["namespace"] for action in everywhere if "namespace" in action])
    made: set[str] = set()
    namespaces: set[str] = {"codepipeline", "variables"}
    for position, stage in enumerate(stages):
        actions = sorted(stage["actions"], key=lambda action: action.get("runOrder", 1))
        _refuse_repeated(f"action in stage {stage['name']}", [action["name"] for action in actions])
        for action in actions:
            where = f"action {action['name']} of stage {stage['name']}"
            _check_category(where, action, position)
            _check_action(where, action, made, namespaces)


def _check_category(where: str, action: dict[str, Any], position: int) -> None:
    is_source = action["actionTypeId"]["category"] == "Source"
    if is_source != (position == 0):
        raise ValueError(f"{where}: source actions belong in the first stage, and no other actions do")


def _check_action(where: str, action: dict[str, Any], made: set[str], namespaces: set[str]) -> None:
    for artifact in action.get("inputArtifacts") or []:
        if artifact["name"] not in made:
            raise ValueError(f"{where}: no earlier action has the output artifact {artifact['name']}")
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
        raise ValueError(f"each {kind} needs its own name: {', '.join(repeated)}")
