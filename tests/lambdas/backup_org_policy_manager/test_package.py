"""The modules of the package: which are pure, and how long the handler's functions are."""

import ast

import pytest

from buildspecs.paths import ROOT

PACKAGE = ROOT / "lambdas" / "backup_org_policy_manager"
PURE = {"elements", "errors", "policy", "request"}


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_import_neither_an_aws_sdk_nor_a_module_that_does(name: str) -> None:
    others, ours = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            ours |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            others.add(str(node.module).partition(".")[0])
    assert not others & {"boto3", "botocore", "crhelper"}
    assert ours <= PURE


def test_every_function_of_the_handler_is_short() -> None:
    for node in ast.walk(ast.parse((PACKAGE / "handler.py").read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 30, node.name
