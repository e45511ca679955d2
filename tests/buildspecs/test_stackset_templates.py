"""Each template gets a key from its content; the variables reach the shell that sources them."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from buildspecs import stackset_templates
from buildspecs.names import SSM_TEMPLATE
from buildspecs.packaging.parameters import RECORDED
from buildspecs.stackset_templates import BODIES
from buildspecs.targets import FILE
from tests.buildspecs.conftest import HOME_REGION, Aws, client

MEMBER = "MEMBER_ACCOUNT_TEMPLATE_KEY"


@pytest.fixture
def templates(repository: Path) -> Path:
    """The repository with every template that is read, and targets without the home Region."""
    for number, name in enumerate([*BODIES.values(), SSM_TEMPLATE]):
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Description: body {number}\n")
    targets = {"Parameters": {"TargetRegions": "us-west-2,  eu-west-1"}}
    (repository / FILE).write_text(json.dumps(targets))
    return repository


@pytest.fixture
def run(aws: Aws, templates: Path) -> Callable[[], int]:
    """The command of the buildspec; returns its exit code."""
    return lambda: stackset_templates.main([], session=aws.session, root=templates)


def exported(root: Path) -> dict[str, str]:
    """The environment of a plain shell that has sourced the file, without what it had before."""
    output = subprocess.run(
        ["sh", "-c", ". .build/pipeline-variables.sh && env"],  # noqa: S607 - whichever sh the machine has
        cwd=root,
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    variables = dict(line.split("=", 1) for line in output.splitlines())
    return {name: value for name, value in variables.items() if name not in {"PWD", "SHLVL", "_", "OLDPWD"}}


def test_every_body_is_where_its_key_says(run: Callable[[], int], templates: Path) -> None:
    assert run() == 0
    variables = exported(templates)
    for variable, name in BODIES.items():
        content = (templates / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        assert variables[variable] == f"deployment/{digest}/{Path(name).name}"
        assert (templates / ".build" / variables[variable]).read_bytes() == content


def test_the_artifact_holds_the_bodies_and_nothing_else(run: Callable[[], int], templates: Path) -> None:
    run()
    (templates / BODIES[MEMBER]).write_text("Description: edited\n")
    run()
    files = [path for path in (templates / ".build" / "deployment").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == sorted(Path(name).name for name in BODIES.values())


def test_an_edited_body_gets_another_key_and_the_others_keep_theirs(
    run: Callable[[], int], templates: Path
) -> None:
    run()
    before = exported(templates)
    (templates / BODIES[MEMBER]).write_text("Description: edited\n")
    run()
    after = exported(templates)
    assert {name for name in before if before[name] != after[name]} == {MEMBER}


def test_the_same_bodies_again_give_the_same_variables(run: Callable[[], int], templates: Path) -> None:
    run()
    before = exported(templates)
    run()
    assert exported(templates) == before


def test_package_regions_are_the_targets_and_the_home_region(run: Callable[[], int], templates: Path) -> None:
    run()
    assert exported(templates)["PACKAGE_REGIONS"] == "eu-west-1,us-east-1,us-west-2"


def test_the_order_of_the_targets_does_not_count(run: Callable[[], int], templates: Path) -> None:
    run()
    before = exported(templates)
    targets = {"Parameters": {"TargetRegions": "eu-west-1,us-west-2,us-east-1"}}
    (templates / FILE).write_text(json.dumps(targets))
    run()
    assert exported(templates) == before


def test_what_the_targets_stack_is_given_is_exported(run: Callable[[], int], templates: Path) -> None:
    ssm = client("ssm", HOME_REGION)
    for variable, each in RECORDED.items():
        ssm.put_parameter(Name=each.ssm_name, Value=f"value of {variable}", Overwrite=True)
    run()
    variables = exported(templates)
    assert {name: variables[name] for name in RECORDED} == {name: f"value of {name}" for name in RECORDED}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "InternalServerError"])
@pytest.mark.parametrize("call", ["GetParameters", "DescribeStacks"])
def test_an_error_that_says_nothing_about_the_values_fails_the_command(
    aws: Aws,
    run: Callable[[], int],
    templates: Path,
    capsys: pytest.CaptureFixture[str],
    code: str,
    call: str,
) -> None:
    """To take it for "none" would reset what the targets stack holds."""
    error = ClientError({"Error": {"Code": code, "Message": "injected"}}, call)
    aws.fail(lambda number, made: error if made.endswith(call) else None)
    assert run() == 1
    assert code in capsys.readouterr().err
    assert not (templates / ".build" / "pipeline-variables.sh").exists()


def test_a_failed_run_leaves_no_variables_of_an_earlier_one(
    aws: Aws, run: Callable[[], int], templates: Path
) -> None:
    run()
    (templates / BODIES[MEMBER]).unlink()
    assert run() == 1
    assert not (templates / ".build" / "pipeline-variables.sh").exists()


def test_a_missing_template_is_named(
    run: Callable[[], int], templates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (templates / BODIES[MEMBER]).unlink()
    assert run() == 1
    assert f"template {BODIES[MEMBER]} cannot be read" in capsys.readouterr().err


def test_every_variable_is_printed(
    run: Callable[[], int], templates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    printed = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert printed == exported(templates)
