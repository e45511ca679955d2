"""A CodeBuild buildspec, version 0.2, as data. Pure.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
What the rehearsal does not support is refused by name, not ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from rehearsal.errors import UnsupportedError

PHASES: Final = ("install", "pre_build", "build", "post_build")


@dataclass(frozen=True)
class Phase:
    name: str
    commands: tuple[str, ...]
    finally_commands: tuple[str, ...]
    continues_on_failure: bool
    runtime_versions: Mapping[str, str]


@dataclass(frozen=True)
class Artifacts:
    """The files of the build's output artifact: glob patterns below `base`."""

    files: tuple[str, ...]
    base: str


@dataclass(frozen=True)
class Buildspec:
    variables: Mapping[str, str]
    parameter_store: Mapping[str, str]  # environment variable → name of the SSM parameter
    exported: tuple[str, ...]
    phases: tuple[Phase, ...]  # in the order of PHASES
    artifacts: Artifacts | None


def parse(text: str, name: str) -> Buildspec:
    """The buildspec in `text`; `name` is its path, for messages. Raises UnsupportedError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UnsupportedError(f"{name} is not YAML: {error}") from None
    document = _mapping(document, name)
    _only(document, ("version", "env", "phases", "artifacts", "reports", "cache"), name)
    if str(document.get("version")) != "0.2":
        raise UnsupportedError(f"{name}: version must be 0.2.")
    environment = _mapping(document.get("env", {}), f"{name}: env")
    _only(environment, ("shell", "variables", "parameter-store", "exported-variables"), f"{name}: env")
    if environment.get("shell", "bash") != "bash":
        raise UnsupportedError(f"{name}: env.shell must be bash.")
    phases = _mapping(document.get("phases"), f"{name}: phases")
    _only(phases, PHASES, f"{name}: phases")
    return Buildspec(
        variables=_strings(environment, "variables", name),
        parameter_store=_strings(environment, "parameter-store", name),
        exported=_list(environment.get("exported-variables", []), f"{name}: exported-variables"),
        phases=tuple(_phase(key, phases[key], name) for key in PHASES if key in phases),
        artifacts=_artifacts(document["artifacts"], name) if "artifacts" in document else None,
    )


def _phase(key: str, value: object, name: str) -> Phase:
    where = f"{name}: phases.{key}"
    phase = _mapping(value, where)
    _only(phase, ("commands", "finally", "on-failure", "runtime-versions"), where)
    on_failure = phase.get("on-failure", "ABORT")
    if on_failure not in ("ABORT", "CONTINUE"):
        raise UnsupportedError(f"{where}: on-failure must be ABORT or CONTINUE, not {on_failure!r}.")
    return Phase(
        name=key,
        commands=_list(phase.get("commands", []), f"{where}.commands"),
        finally_commands=_list(phase.get("finally", []), f"{where}.finally"),
        continues_on_failure=on_failure == "CONTINUE",
        runtime_versions=_strings(phase, "runtime-versions", where),
    )


def _artifacts(value: object, name: str) -> Artifacts:
    where = f"{name}: artifacts"
    artifacts = _mapping(value, where)
    # CodePipeline names and packs the artifact itself, so name has no effect.
    _only(artifacts, ("files", "base-directory", "name"), where)
    files = artifacts.get("files")
    return Artifacts(
        files=_list([files] if isinstance(files, str) else files, f"{where}.files"),
        base=str(artifacts.get("base-directory", ".")),
    )


def _only(mapping: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in mapping:
        if key not in known:
            raise UnsupportedError(f"{where}: the rehearsal does not know {key!r}.")


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnsupportedError(f"{where} must be a mapping.")
    return {str(key): item for key, item in value.items()}


def _strings(parent: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    return {name: str(value) for name, value in _mapping(parent.get(key, {}), f"{where}: {key}").items()}


def _list(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UnsupportedError(f"{where} must be a list of strings (quote a command that contains ': ').")
    return tuple(value)
