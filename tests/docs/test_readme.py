"""The README is the runbook: commands, order table, tree and links are compared with names and files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buildspecs import names
from buildspecs.names import BUILDS_QUOTA
from buildspecs.paths import ROOT
from buildspecs.targets import DELEGATION_REGIONS
from rehearsal.readme import runbook
from tests.markdown import Page, pages

README = Page.read("README.md")
REFERENCE = Page.read("docs/reference.md")
COMMANDS = runbook.parse(README.text)
TAGS = '"Key"="Application","Value"="Backup and Recovery with AWS Backup Solution"'


def create_stack_commands() -> list[tuple[runbook.Command, runbook.AwsCall]]:
    return [
        (command, call)
        for command in runbook.select(COMMANDS, ["Deploy"])
        for call in runbook.aws_calls(command.text.replace("<", "").replace(">", ""))
        if (call.service, call.operation) == ("cloudformation", "create-stack")
    ]


def test_a_person_creates_the_published_stacks_in_the_published_order() -> None:
    created = [
        (
            command.account,
            call.options["--stack-name"],
            call.options["--template-body"].removeprefix("file://"),
            tuple(re.findall(r"ParameterKey=(\w+)", command.text)),
        )
        for command, call in create_stack_commands()
    ]

    assert created == [(stack.account, stack.name, stack.template, stack.typed) for stack in names.HAND_MADE]


@pytest.mark.parametrize(
    ("command", "call"),
    [pytest.param(*pair, id=pair[1].options["--stack-name"]) for pair in create_stack_commands()],
)
def test_every_stack_is_created_with_tags_capability_and_region(
    command: runbook.Command, call: runbook.AwsCall
) -> None:
    assert f"--tags {TAGS}" in command.text
    assert call.options["--capabilities"] == "CAPABILITY_NAMED_IAM"
    assert "--region <home-region>" in command.text


def test_the_order_table_says_what_the_commands_do() -> None:
    rows = [row for row in README.table("#") if row["#"].isdigit()]

    assert [
        (row["account"], row["stack"], row["template"], tuple(row["typed by hand"].split())) for row in rows
    ] == [(stack.account, stack.name, stack.template, stack.typed) for stack in names.HAND_MADE]


def test_the_role_that_copies_into_the_central_vault_is_created_before_the_vault_and_shown_at_the_end() -> (
    None
):
    central = [
        (command.section, call.operation)
        for command in COMMANDS
        for call in runbook.aws_calls(command.text.replace("<", "").replace(">", ""))
        if command.account == "central" and call.service in ("iam", "cloudformation")
    ]

    assert central == [
        ("Deploy", "create-service-linked-role"),
        ("Deploy", "create-stack"),
        ("Deploy", "create-stack"),
        ("Verify", "get-role"),
    ]


def test_every_file_that_a_command_names_exists() -> None:
    named = {path for command in COMMANDS for path in command.files}

    assert named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_placeholder_is_explained_in_the_table() -> None:
    explained = {code.strip("<>") for code in README.code if code.startswith("<")}

    assert {name for command in COMMANDS for name in command.placeholders} <= explained


def test_the_home_region_may_be_named_as_the_check_has_it() -> None:
    (sentence,) = re.findall(r"^The home Region must be one .*$", README.text, re.MULTILINE)

    assert set(re.findall(r"\b[a-z]{2}(?:-[a-z]+)+-\d\b", sentence)) == set(DELEGATION_REGIONS)


def test_every_key_of_the_targets_file_is_explained() -> None:
    import json

    keys = json.loads((ROOT / "aws-backup-ssm-targets.json").read_text(encoding="utf-8"))["Parameters"]

    assert [row["key"] for row in README.table("key")] == list(keys)


def test_the_prerequisites_show_the_quota_of_builds() -> None:
    shown = [
        (command.account, call.options["--service-code"], call.options["--quota-code"])
        for command in runbook.select(COMMANDS, ["Prerequisites"])
        for call in runbook.aws_calls(command.text.replace("<", "").replace(">", ""))
        if (call.service, call.operation) == ("service-quotas", "get-service-quota")
    ]

    assert shown == [("home", "codebuild", BUILDS_QUOTA)]  # Linux/Small, which the projects use


def test_the_archive_command_is_the_published_one() -> None:
    assert any(command.text.startswith("zip -r aws-backup-solution.zip *") for command in COMMANDS)


EVERY_PAGE = pytest.mark.parametrize("page", pages(), ids=str)


@EVERY_PAGE
def test_every_relative_link_leads_somewhere(page: Page) -> None:
    for target, section in page.links:
        if not re.match(r"[a-z]+:", target):
            file = page.file.parent / target if target else page.file
            assert file.exists(), target
            assert not section or section in Page.read(file).anchors, f"{target}#{section}"


@EVERY_PAGE
def test_every_reference_is_defined_and_every_definition_is_used(page: Page) -> None:
    assert re.findall(r"\]\[[\w-]+\]", page.prose) == []
    assert page.labels == page.definitions.keys()


PLANS = [name for policy in names.BACKUP_POLICIES for name in (policy.plan, policy.rule)]


@pytest.mark.parametrize("name", [*(name.value for name in names.NAMES), *names.EXPORTS, *PLANS])
def test_the_reference_names_what_is_deployed(name: str) -> None:
    readable = re.sub(r"\$\{\w+::\w+\}|\$\{\w+\}", "", name).rstrip("-")

    assert readable in REFERENCE.text


def test_the_reference_names_every_stage_in_its_order() -> None:
    assert [row["stage"] for row in REFERENCE.table("stage")] == list(names.STAGES)


def tree() -> dict[str, str]:
    """Path → annotation of each entry of the README's tree; a folder's path ends with a slash."""
    (block,) = README.blocks("text")
    entries, folder = {}, ""
    for line in block.splitlines():
        indent, name, annotation = re.fullmatch(r"( *)(\S+) +(.*)", line).groups()  # type: ignore[union-attr]
        folder = folder if indent else name
        entries[f"{folder}{name}" if indent else name] = annotation
    return entries


def test_the_tree_shows_every_folder_of_the_first_two_levels() -> None:
    folders = {
        f"{path.relative_to(ROOT).as_posix()}/"
        for pattern in ("*/", "*/*/")
        for path in ROOT.glob(pattern)
        if path.is_dir() and any(path.rglob("*.*"))
        if not any(part.startswith((".", "__")) for part in path.relative_to(ROOT).parts)
    }

    assert {entry for entry in tree() if entry.endswith("/")} == folders


def test_the_files_of_the_tree_exist_and_every_entry_is_annotated() -> None:
    assert [entry for entry in tree() if not (ROOT / entry).exists()] == []
    assert [entry for entry, annotation in tree().items() if not annotation] == []


def test_every_decision_record_is_in_the_index() -> None:
    records = {path.name for path in (ROOT / "docs/decisions").iterdir()} - {"README.md"}

    assert {target for target, _ in Page.read("docs/decisions/README.md").links} == records


@pytest.mark.parametrize(
    "record", sorted((ROOT / "docs/decisions").glob("[a-z]*.md")), ids=lambda path: path.stem
)
def test_a_decision_record_has_context_decision_and_consequences(record: Path) -> None:
    assert Page.read(record).headings[1:] == ["Context", "Decision", "Consequences"]


def test_every_page_is_two_clicks_from_the_readme() -> None:
    clicked = [README.file, *((ROOT / target).resolve() for target, _ in README.links)]
    linked = [Page.read(page) for page in clicked if page.suffix == ".md" and page.exists()]
    reached = [(page.file.parent / target).resolve() for page in linked for target, _ in page.links]

    assert [page for page in pages() if page.file not in [*clicked, *reached]] == []


@EVERY_PAGE
def test_every_file_that_a_page_names_exists(page: Page) -> None:
    form = re.compile(
        r"(?:templates|codebuild|buildspecs|lambdas|rehearsal|tests|benchmarks|requirements|docs)/[\w./-]+"
    )
    named = {code for code in page.code if form.fullmatch(code)}

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_a_row_with_a_missing_cell_is_found() -> None:
    page = Page("| a | b |\n|---|---|\n| 1 |\n", README.file)

    with pytest.raises(AssertionError, match=r"README\.md: 2 columns, 1 cells: \| 1 \|"):
        page.table("a")
