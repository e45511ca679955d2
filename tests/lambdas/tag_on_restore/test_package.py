"""The package that Lambda gets: only the standard library and botocore, and no side effects at import."""

import ast
import importlib
import sys
from pathlib import Path

import botocore.session
import pytest
import tag_on_restore.handler

from buildspecs.paths import ROOT

PACKAGE = ROOT / "lambdas" / "tag_on_restore"
MODULES = sorted(PACKAGE.glob("*.py"))
PURE = ("arn.py", "event.py", "tags.py", "errors.py", "settings.py", "result.py")


def imports(module: Path) -> set[str]:
    """The top-level packages that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_no_aws_sdk(name: str) -> None:
    assert not imports(PACKAGE / name) & {"boto3", "botocore"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_only_python_and_botocore_are_needed(module: Path) -> None:
    assert imports(module) <= sys.stdlib_module_names | {"botocore"}


def test_the_handler_is_short() -> None:
    tree = ast.parse((PACKAGE / "handler.py").read_text())
    (handler,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "handler")
    assert handler.end_lineno is not None
    assert handler.end_lineno - handler.lineno < 30


def test_importing_needs_no_region_and_no_credentials_and_creates_no_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE.name]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):  # tests/conftest.py
        monkeypatch.delenv(name)
    monkeypatch.setattr(botocore.session, "get_session", None)
    monkeypatch.setattr(botocore.session, "Session", None)
    handler = importlib.import_module(f"{PACKAGE.name}.handler")
    assert handler is not tag_on_restore.handler
