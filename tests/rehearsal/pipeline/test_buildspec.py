"""Buildspecs as data, and what is refused by name."""

from pathlib import Path

import pytest

from buildspecs.paths import ROOT
from rehearsal.errors import UnsupportedError
from rehearsal.pipeline import buildspec

FULL = """
version: 0.2
env:
  shell: bash
  variables: {LEVEL: 3}
  parameter-store: {REGIONS: /backup/target/regions}
  exported-variables: [KEY]
phases:
  build:
    on-failure: CONTINUE
    commands: [make, "echo a: b"]
    finally: [echo end]
  install:
    runtime-versions: {python: 3.13}
    commands: [pip install x]
artifacts:
  base-directory: .build
  files: "**/*"
"""


def test_a_full_buildspec_is_read() -> None:
    spec = buildspec.parse(FULL, "x.yml")
    assert spec.variables == {"LEVEL": "3"}
    assert spec.parameter_store == {"REGIONS": "/backup/target/regions"}
    assert spec.exported == ("KEY",)
    assert spec.artifacts == buildspec.Artifacts(("**/*",), ".build")
    install, build = spec.phases
    assert (install.name, install.runtime_versions) == ("install", {"python": "3.13"})
    assert build.commands == ("make", "echo a: b")
    assert build.finally_commands == ("echo end",)
    assert build.continues_on_failure
    assert not install.continues_on_failure


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version: 0.1\nphases: {}", "version must be 0.2"),
        ("version: 0.2", "phases must be a mapping"),
        ("version: 0.2\nphases: {biuld: {commands: [a]}}", "'biuld'"),
        ("version: 0.2\nphases: {build: {comands: [a]}}", "'comands'"),
        ("version: 0.2\nphases: {build: {commands: a}}", r"phases.build.commands must be a list"),
        ("version: 0.2\nphases: {build: {commands: [{echo a: b}]}}", "quote a command"),
        ("version: 0.2\nphases: {build: {commands: [a], on-failure: RETRY}}", "'RETRY'"),
        ("version: 0.2\nphases: {}\nenv: {secrets-manager: {A: b}}", "'secrets-manager'"),
        ("version: 0.2\nphases: {}\nenv: {shell: /bin/sh}", "env.shell must be bash"),
        ("version: 0.2\nphases: {}\nartifacts: {secondary-artifacts: {}}", "'secondary-artifacts'"),
        ("version: 0.2\nphases: {}\nbatch: {}", "'batch'"),
        ("- a list", "must be a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_not_supported_is_named(text: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        buildspec.parse(text, "x.yml")


@pytest.mark.parametrize("path", sorted((ROOT / "buildspecs").glob("*.yml")), ids=lambda path: path.name)
def test_every_buildspec_of_the_repository_is_supported(path: Path) -> None:
    assert buildspec.parse(path.read_text(), path.name).phases
