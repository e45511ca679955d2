"""The .yml files: what they name is in the published zip, and no command fails unnoticed."""

import re
import shlex
import shutil
import stat
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildspecs import names, role_stack_set
from buildspecs.names import ARCHIVE, PREFIX_PATH, REGIONS_PATH
from buildspecs.packaging.archive import PACKAGES
from buildspecs.packaging.parameters import RECORDED
from buildspecs.paths import ROOT
from buildspecs.stackset_templates import BODIES

VALIDATE = "validate-templates.yml"
SCAN = "scan-templates.yml"
FIND = "find-role-stack-set.yml"
PACKAGING = {
    "test-package-tagonrestore.yml": "tag_on_restore",
    "test-package-orgpolicymanager.yml": "backup_org_policy_manager",
}
REPORT = "report-rollout.yml"
BUILDSPECS = [VALIDATE, SCAN, *PACKAGING, FIND, REPORT]
TAG_ON_RESTORE = "test-package-tagonrestore.yml"


def loaded(name: str) -> dict[str, Any]:
    buildspec = yaml.safe_load((ROOT / "buildspecs" / name).read_text())
    assert isinstance(buildspec, dict)
    return buildspec


def commands(name: str, phase: str) -> list[str]:
    return list(loaded(name)["phases"][phase]["commands"])


def all_commands() -> list[str]:
    return [line for name in BUILDSPECS for phase in ("install", "build") for line in commands(name, phase)]


def test_every_file_is_known_here() -> None:
    assert sorted(path.name for path in (ROOT / "buildspecs").glob("*.yml")) == sorted(BUILDSPECS)


@pytest.mark.parametrize("name", BUILDSPECS)
def test_nothing_runs_after_a_failed_build_phase(name: str) -> None:
    """A post_build phase runs even if build has failed; so does a finally block."""
    phases = loaded(name)["phases"]
    assert list(phases) == ["install", "build"]
    for phase in phases.values():
        assert phase["on-failure"] == "ABORT"
        assert "finally" not in phase


@pytest.mark.parametrize("name", BUILDSPECS)
def test_commands_share_one_shell(name: str) -> None:
    """Since version 0.2; a variable that one command exports is still set at the end."""
    assert loaded(name)["version"] == 0.2


def test_the_pipeline_gets_its_variables() -> None:
    exported = loaded(VALIDATE)["env"]["exported-variables"]
    assert sorted(exported) == sorted([*BODIES, "PACKAGE_REGIONS", *RECORDED])


def test_the_artifact_is_the_folder_of_the_templates() -> None:
    assert loaded(VALIDATE)["artifacts"] == {"base-directory": ".build/deployment", "files": ["**/*"]}


@pytest.mark.parametrize("name", PACKAGING)
def test_packaging_builds_read_regions_and_prefix_from_ssm_and_export_the_package(name: str) -> None:
    assert loaded(name)["env"] == {
        "parameter-store": {
            "TARGET_REGIONS": REGIONS_PATH,
            "PACKAGE_BUCKET_PREFIX": PREFIX_PATH,
        },
        "exported-variables": ["PACKAGE", *([role_stack_set.VARIABLE] if name == TAG_ON_RESTORE else [])],
    }


@pytest.mark.parametrize(
    ("name", "stack_set"),
    [
        (TAG_ON_RESTORE, names.TAG_ROLE_SET),
        (FIND, names.MEMBER_ROLE_SET),
    ],
)
def test_the_arn_of_the_stack_set_of_a_role_is_exported(name: str, stack_set: str) -> None:
    last = commands(name, "build")[-1]
    assert last == f"python -m buildspecs.role_stack_set {stack_set} && . .build/pipeline-variables.sh"
    assert stack_set in role_stack_set.ROLE_STACK_SETS
    assert role_stack_set.VARIABLE in loaded(name)["env"]["exported-variables"]


@pytest.mark.parametrize(("name", "package"), PACKAGING.items())
def test_a_package_is_tested_before_it_is_published(name: str, package: str) -> None:
    assert commands(name, "build")[:2] == [
        f"python -m pytest --quiet tests/lambdas/{package}",
        f"python -m buildspecs.packaging publish {package} && . .build/pipeline-variables.sh",
    ]


@pytest.mark.parametrize("name", [REPORT, SCAN])
def test_what_only_passes_or_fails_exports_nothing(name: str) -> None:
    assert set(loaded(name)) == {"version", "phases"}


def test_the_report_is_one_command() -> None:
    assert commands(REPORT, "build") == ["python -m buildspecs.rollout_report"]


def test_the_first_build_first_checks_that_the_projects_exist() -> None:
    assert commands(VALIDATE, "build")[0] == "python -m buildspecs.projects"


def test_only_the_build_that_can_write_nothing_uses_rubygems() -> None:
    """The versions of what a gem depends on are not pinned."""
    assert [name for name in BUILDSPECS if "gem install" in " ".join(commands(name, "install"))] == [SCAN]
    assert commands(SCAN, "install") == ["gem install cfn-nag --version 0.8.10 --no-document"]


def test_every_package_has_a_build() -> None:
    assert sorted(PACKAGING.values()) == sorted(PACKAGES)


# What a build may download: exact versions, with hashes if pip installs them (environments.py requires them).
DOWNLOADS = (
    r"python -m pip install --quiet --require-hashes --no-deps --requirement requirements/build\.txt",
    r"python -m buildspecs\.lint\.environments checkov",
    r"gem install cfn-nag --version [0-9]+\.[0-9]+\.[0-9]+ --no-document",
)


@pytest.mark.parametrize("name", BUILDSPECS)
def test_installed_tools_have_exact_versions(name: str) -> None:
    for line in commands(name, "install"):
        assert any(re.fullmatch(download, line) for download in DOWNLOADS), line


@pytest.mark.parametrize("name", BUILDSPECS)
def test_nothing_is_downloaded_after_the_install_phase(name: str) -> None:
    """pip runs again only for the locked dependencies of a package."""
    for line in commands(name, "build"):
        assert not re.search(r"\b(pip|gem|curl|wget|npm|git|environments)\b", line), line


def test_every_gate_runs_before_anything_is_deployed() -> None:
    checks = commands(VALIDATE, "build")[:-1]
    assert 'python -m buildspecs.lint --suppressions --home-region "$AWS_DEFAULT_REGION"' in checks


def test_the_functions_are_tested_before_anything_is_deployed() -> None:
    """The packaging builds test them again, but stacks and the pipeline itself change before that."""
    *checks, last = commands(VALIDATE, "build")
    assert "python -m pytest --quiet --numprocesses 2 --dist worksteal tests/lambdas" in checks
    assert "buildspecs.stackset_templates" in last


def test_cfn_nag_scans_every_template_and_warnings_fail() -> None:
    scans = [shlex.split(line) for line in commands(SCAN, "build")]
    assert [scan[scan.index("--input-path") + 1] for scan in scans] == ["templates", "codebuild"]
    for scan in scans:
        assert "--fail-on-warnings" in scan
        assert "--blacklist-path" not in scan
        assert "--deny-list-path" not in scan
        pattern = scan[scan.index("--template-pattern") + 1]
        assert re.search(pattern, "templates/home-account/aws-backup-s3-bucket.yaml")
        assert not re.search(pattern, "templates/tags.json")


def stub(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("line", dict.fromkeys(all_commands()))
def test_a_failing_program_fails_its_command(line: str, tmp_path: Path) -> None:
    """Each program on the line fails in turn, and the shell that CodeBuild uses must notice it."""
    (tmp_path / ".build").mkdir()
    (tmp_path / ".build" / "pipeline-variables.sh").write_text("export STALE=1\n")
    programs = [name for name in ("python", "aws", "gem", "cfn_nag_scan") if re.search(rf"\b{name} ", line)]
    assert programs
    for failing in programs:
        for name in programs:
            stub(tmp_path, name, "exit 1" if name == failing else "echo 111122223333")
        run = subprocess.run(  # noqa: S603 - a line of a buildspec, with stubs in the place of its programs
            ["/bin/sh", "-c", line],
            cwd=tmp_path,
            env={"PATH": str(tmp_path)},
            capture_output=True,
            check=False,
        )
        assert run.returncode != 0, f"{failing} fails, `{line}` does not"


def test_the_targets_are_checked_against_the_account_of_the_build(tmp_path: Path) -> None:
    stub(tmp_path, "python", 'echo "$@"')
    variables = {
        "PATH": f"{tmp_path}:/bin:/usr/bin",
        "CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:111122223333:build/Validate:0a1b",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    run = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", commands(VALIDATE, "build")[1]],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[2:] == ["--account", "111122223333", "--home-region", "eu-west-1"]


def test_the_variables_are_in_the_shell_after_the_last_command(tmp_path: Path) -> None:
    stub(
        tmp_path,
        "python",
        "mkdir -p .build && echo 'export PACKAGE_REGIONS=us-east-1' > .build/pipeline-variables.sh",
    )
    script = f"{commands(VALIDATE, 'build')[-1]}\nenv"
    run = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PACKAGE_REGIONS=us-east-1" in run.stdout.splitlines()


# `zip -r aws-backup-solution.zip * -FS -x '*__pycache__*'`, as the README says it.
ZIP = ARCHIVE
ZIP_COMMAND = f"zip -r {ZIP} * -FS -x '*__pycache__*'"


def packed(root: Path) -> set[str]:
    """The files that the command packs: the shell's * leaves dotfiles out, but only at the top."""
    return {
        path.relative_to(root).as_posix()
        for top in root.iterdir()
        if not top.name.startswith(".") and top.name != ZIP
        for path in [top, *top.rglob("*")]
        if path.is_file() and not fnmatch(path.relative_to(root).as_posix(), "*__pycache__*")
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the zip packs, with leftovers of a developer's work."""
    for name in packed(ROOT):
        target = tmp_path / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    root = tmp_path / "checkout"
    for leftover in (".build/packages/old.zip", ".venv/bin/python", "buildspecs/__pycache__/targets.pyc"):
        path = root / leftover
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("leftover")
    return root


def zip_up(root: Path) -> set[str]:
    """Run the README's command, or do the same if zip is not installed; returns the files of the zip."""
    if shutil.which("zip"):
        subprocess.run(["/bin/sh", "-c", ZIP_COMMAND], cwd=root, capture_output=True, check=True)  # noqa: S603
    else:
        with zipfile.ZipFile(root / ZIP, "w") as made:
            for name in packed(root):
                made.write(root / name, name)
    with zipfile.ZipFile(root / ZIP) as made:
        return {name for name in made.namelist() if not name.endswith("/")}


@pytest.mark.parametrize("line", dict.fromkeys(all_commands()))
def test_what_a_command_names_is_in_the_published_zip(line: str) -> None:
    files = packed(ROOT)
    words = shlex.split(line)
    modules = [
        words[at + 1]
        for at, word in enumerate(words)
        if word == "-m" and words[at + 1].startswith("buildspecs.")
    ]
    for module in modules:
        path = module.replace(".", "/")
        assert {f"{path}.py", f"{path}/__main__.py"} & files
    paths = [
        word for word in words if re.fullmatch(r"(requirements|tests|templates|codebuild)(/[\w./-]+)?", word)
    ]
    for path in paths:
        assert any(name == path or name.startswith(f"{path}/") for name in files), path
    assert modules or paths or "gem" in words


def test_a_second_zip_holds_the_same_also_after_a_file_was_deleted(checkout: Path) -> None:
    first = zip_up(checkout)
    assert first == packed(checkout)
    assert zip_up(checkout) == first
    (checkout / "LICENSE").unlink()
    assert zip_up(checkout) == first - {"LICENSE"}


def test_no_dotfile_and_no_leftover_is_packed(checkout: Path) -> None:
    for name in zip_up(checkout):
        assert not name.startswith(".")
        assert "__pycache__" not in name
        assert not name.endswith(".zip")


def test_the_unpacked_zip_tests_and_packages(checkout: Path, tmp_path: Path) -> None:
    """The repository in CodeCommit holds only this: no build may need a dotfile."""
    zip_up(checkout)
    repository = tmp_path / "repository"
    with zipfile.ZipFile(checkout / ZIP) as made:
        made.extractall(repository)
    for line in (
        "-m pytest --quiet --collect-only tests/lambdas/tag_on_restore",
        "-m buildspecs.packaging build tag_on_restore",
    ):
        command = [sys.executable, *line.split()]
        run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)  # noqa: S603
        assert run.returncode == 0, run.stdout + run.stderr
    assert list((repository / ".build" / "packages").glob("aws-backup-tagonrestore-*.zip"))


ROLES = (
    "aws-backup-tagonrestore-role.yaml",
    "aws-backup-backuporgpolicymanager-role.yaml",
    "aws-backup-backuporgpolicymanager-mangement-role.yaml",
)


@pytest.mark.parametrize("package", PACKAGING.values())
def test_no_test_of_a_build_reads_the_template_of_a_role(package: str) -> None:
    """A missing permission has to show as the call that AWS refuses, not as a failed test in a build."""
    tests = (ROOT / "tests" / "lambdas" / package).glob("*.py")
    assert [test.name for test in tests if any(role in test.read_text() for role in ROLES)] == []
