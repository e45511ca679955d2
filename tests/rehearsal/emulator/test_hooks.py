"""ministack: the pinned version has every name that the extensions use, and no other version starts."""

import ast
from pathlib import Path

import pytest

from rehearsal.emulator import hooks
from rehearsal.emulator.errors import UnsupportedEmulatorError
from rehearsal.emulator.extensions.functions import runtime

SOURCES = sorted(Path(hooks.__file__).parent.rglob("*.py"))


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


USED = {use for source in SOURCES for use in uses(source)}


def test_the_installed_version_has_every_name_that_the_extensions_use() -> None:
    assert [use for use in sorted(USED) if not hasattr(getattr(hooks, use[0]), use[1])] == []


def test_every_module_that_is_imported_is_used() -> None:
    imported = {name for name, value in vars(hooks).items() if "ministack" in getattr(value, "__name__", "")}
    assert imported == {module for module, _ in USED}


def test_nothing_but_the_hooks_module_imports_ministack() -> None:
    importers = [source.name for source in SOURCES if "ministack." in source.read_text()]
    assert importers == ["hooks.py"]


def test_another_version_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks.check()
    monkeypatch.setattr(hooks, "SUPPORTED_VERSION", "1.5.0")
    with pytest.raises(UnsupportedEmulatorError, match=r"ministack 1\.5\.0 is needed, 1\.5\.33 is installed"):
        hooks.check()


@pytest.mark.parametrize("text", ["_ms_install_invoke_depth()", '"trace"'])
def test_a_worker_script_without_a_text_to_replace_is_refused(text: str) -> None:
    script = hooks.lambda_runtime._PYTHON_WORKER_SCRIPT
    assert runtime.prepared(script).endswith("run()\n")
    with pytest.raises(UnsupportedEmulatorError, match="0 times instead of once"):
        runtime.prepared(script.replace(text, "other"))
