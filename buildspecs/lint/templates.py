"""CloudFormation templates as data, parsed by cfn-lint's loader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from cfnlint.decode import decode

from buildspecs.errors import LintError
from buildspecs.paths import ROOT

T = TypeVar("T")
FOLDERS = ("templates", "codebuild")  # each .yaml below them is a template


class Part(dict[str, Any]):
    """A part of a template. A missing key is reported with its place; a KeyError would name the key alone."""

    def __init__(self, where: str, items: Mapping[str, Any]) -> None:
        super().__init__(items)
        self.where = where

    def __missing__(self, key: str) -> Any:
        raise LintError(f"{self.where} has no {key}" + (f", only {', '.join(self)}" if self else ""))


def one(found: Iterable[T], what: str) -> T:
    """The only item found. `what` says what it is and where it should be."""
    listed = list(found)
    if len(listed) != 1:
        raise LintError(f"there must be one {what}, not {len(listed)}")
    return listed[0]


@dataclass(frozen=True)
class Template:
    """One template. `path` is relative to the repository, `body` is plain data with long-form intrinsics."""

    path: str
    text: str
    body: Mapping[str, Any]

    @property
    def account(self) -> str:
        """The account of the template's folder: management, home, central or member."""
        folders = Path(self.path).parts[:-1]
        for account in ("central", "home", "management", "member"):
            if f"{account}-account" in folders:
                return account
        # Service control policies belong to the organization; CodeBuild projects are with their pipeline.
        return "management" if "service-control-policies" in folders else "home"

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """Logical ID → resource."""
        return self._section("Resources")

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Parameter name → definition."""
        return self._section("Parameters")

    def _section(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        section: Mapping[str, Mapping[str, Any]] = self.body.get(name, Part(f"{self.path}: {name}", {}))
        return section

    def of_type(self, *types: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(logical ID, Properties) of each resource of one of the types."""
        for name, resource in self.resources.items():
            if resource.get("Type") in types:
                yield name, resource.get("Properties", {})

    def only(self, *types: str) -> str:
        """The logical ID of the only resource of one of the types."""
        return one((name for name, _ in self.of_type(*types)), f"{' or '.join(types)} in {self.path}")


def parsed(file: str) -> Mapping[str, Any]:
    """A template as cfn-lint parses it. LintError: the file is missing or is not YAML."""
    body, faults = decode(file)
    if body is None or faults:
        raise LintError(f"{file}: {faults[0].message if faults else 'is not a template'}")
    return cast(Mapping[str, Any], body)


@cache
def load(path: Path) -> Template:
    """One template of the repository. Raises LintError as `parsed` does."""
    body = parsed(str(path))
    name = path.relative_to(ROOT).as_posix()
    return Template(name, path.read_text(encoding="utf-8"), plain(body, name))


def template_files(root: Path) -> list[Path]:
    """The file of every template below a repository's root."""
    return [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.yaml"))]


def repository_templates() -> list[Template]:
    """Every template of the repository."""
    return [load(path) for path in template_files(ROOT)]


def documents() -> list[Template]:
    """The JSON files that AWS gets in addition to the templates: service control policies and stack tags."""
    return [load(path) for path in sorted((ROOT / "templates").rglob("*.json"))]


def plain(value: Any, where: str) -> Any:
    """The same data without cfn-lint's subclasses, which keep positions; `where` names it.

    A key without a value is left out: CloudFormation accepts none.
    """
    if isinstance(value, dict):
        kept = {str(key): item for key, item in value.items() if item is not None}
        return Part(where, {key: plain(item, f"{where}: {key}") for key, item in kept.items()})
    if isinstance(value, list):
        return [plain(item, where) for item in value]
    return str(value) if isinstance(value, str) else value
