"""The table of what the extensions use in ministack is complete and checked at start."""

import ast
from pathlib import Path

import pytest

from rehearsal.emulator import hooks
from rehearsal.emulator.errors import UnsupportedEmulatorError

SOURCES = sorted(Path(hooks.__file__).parent.rglob("*.py"))
MODULES = {  # the name that hooks.py gives a module → its name in the table
    name: module.__name__.removeprefix("ministack.")
    for name, module in vars(hooks).items()
    if getattr(module, "__name__", "").startswith("ministack.")
}


def uses(source: Path) -> set[tuple[str, str]]:
    """(module, name) for every `hooks.<module>.<name>` in a file, local aliases of a module too."""
    tree = ast.parse(source.read_text())
    aliases = {
        target.id: node.value.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Attribute)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "hooks"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        if (
            isinstance(owner, ast.Attribute)
            and isinstance(owner.value, ast.Name)
            and owner.value.id == "hooks"
        ):
            found.add((owner.attr, node.attr))
        elif isinstance(owner, ast.Name) and owner.id in aliases:
            found.add((aliases[owner.id], node.attr))
    return found


def test_the_table_lists_exactly_what_the_extensions_use() -> None:
    used = {(MODULES[module], name) for source in SOURCES for module, name in uses(source)}
    listed = {(module, name) for module, names in hooks.TABLE.items() for name in names}
    assert used == listed


def test_nothing_but_the_hooks_module_imports_ministack() -> None:
    importers = [
        source.name for source in SOURCES if "ministack." in source.read_text() and source.name != "hooks.py"
    ]
    assert importers == []


def test_the_installed_version_has_every_hook() -> None:
    hooks.check()


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedEmulatorError, match=r"ministack 1\.5\.0 is needed, 1\.5\.33 is installed"):
        hooks.check(expected="1.5.0")


def test_missing_hooks_are_named() -> None:
    table = {"services.iam": ("_roles", "_gone"), "app": ("missing",)}
    with pytest.raises(UnsupportedEmulatorError, match=r"services\.iam\._gone, app\.missing"):
        hooks.check(table)
