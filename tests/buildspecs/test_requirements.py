"""Packages are pinned exactly, with hashes and without an address, and tested at the packaged versions."""

import re
from pathlib import Path

import pytest

from buildspecs.packaging.archive import PACKAGES
from buildspecs.paths import ROOT

FOLDER = ROOT / "requirements"
LAMBDAS = [ROOT / "lambdas" / folder / "requirements.txt" for folder in PACKAGES]
COMPILED = [FOLDER / "build.txt", FOLDER / "dev.txt", FOLDER / "checkov.txt", *LAMBDAS]
EVERY_FILE = [*COMPILED, FOLDER / "build.in", FOLDER / "dev.in", FOLDER / "checkov.in"]
REQUIREMENT = re.compile(
    r"^([a-z0-9.-]+)==([a-z0-9.]+)( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+$", re.M
)


def text_of(path: Path) -> str:
    return "".join(
        line for line in path.read_text().splitlines(keepends=True) if not line.strip().startswith("#")
    )


def pins(path: Path) -> dict[str, set[tuple[str, frozenset[str]]]]:
    """Versions with their hashes by name; a name can have two versions, for different Pythons."""
    found: dict[str, set[tuple[str, frozenset[str]]]] = {}
    for match in REQUIREMENT.finditer(text_of(path)):
        hashes = frozenset(re.findall(r"sha256:([0-9a-f]{64})", match[0]))
        found.setdefault(match[1], set()).add((match[2], hashes))
    return found


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", COMPILED, ids=label)
def test_every_requirement_is_exact_and_has_hashes(path: Path) -> None:
    assert REQUIREMENT.sub("", text_of(path)).strip() == ""


@pytest.mark.parametrize("path", EVERY_FILE, ids=label)
def test_no_file_names_an_address_or_a_path_on_a_machine(path: Path) -> None:
    assert (
        re.findall(r"://|--(?:extra-)?index|--find-links|--trusted|@ ?file|(?<![\w.])/\w", path.read_text())
        == []
    )


@pytest.mark.parametrize("name", ["build", "dev", "checkov"])
def test_the_compiled_file_has_what_the_source_requires(name: str) -> None:
    asked = re.findall(r"^([\w-]+)==([\w.]+)$", (FOLDER / f"{name}.in").read_text(), re.M)
    assert asked
    compiled = pins(FOLDER / f"{name}.txt")
    for package, version in asked:
        assert {found for found, _ in compiled[package.lower()]} == {version}


def test_a_developer_has_what_the_builds_have() -> None:
    build, dev = pins(FOLDER / "build.txt"), pins(FOLDER / "dev.txt")
    assert {name: dev.get(name) for name in build} == build


@pytest.mark.parametrize("path", LAMBDAS, ids=label)
def test_what_is_packaged_is_what_was_tested(path: Path) -> None:
    build = pins(FOLDER / "build.txt")
    packaged = pins(path)
    assert {name: build.get(name) for name in packaged} == packaged


def test_every_file_of_requirements_is_tested_here() -> None:
    assert {*FOLDER.iterdir(), *(ROOT / "lambdas").rglob("requirements*")} == set(EVERY_FILE)


def test_the_policy_manager_includes_crhelper() -> None:
    assert set(pins(ROOT / "lambdas" / "backup_org_policy_manager" / "requirements.txt")) == {"crhelper"}


INSTALLING = [ROOT / "Makefile", *(ROOT / "buildspecs").glob("*.yml"), *(ROOT / "buildspecs").rglob("*.py")]


def test_pip_resolves_nothing_so_a_new_release_of_a_package_changes_nothing() -> None:
    lines = [line for path in INSTALLING for line in path.read_text().splitlines()]
    installing = [line.strip() for line in lines if "--require-hashes" in line and "`" not in line]
    assert len(installing) >= 5
    assert [line for line in installing if "--no-deps" not in line] == []
