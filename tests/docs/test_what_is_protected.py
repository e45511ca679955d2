"""docs/what-is-protected.md: a row for every type, a page of AWS in every cell, a right key policy."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.loaders import Loader
from tag_on_restore.arn import Arn
from tag_on_restore.taggers import tagger_for

from buildspecs.paths import ROOT
from rehearsal.readme import runbook
from tests.markdown import Page
from tests.templates.policies import Request, decide

PAGE = Page.read("docs/what-is-protected.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COLUMNS = [
    "resource",
    "opted in by the README",
    "backed up",
    "copied to another account, same Region",
    "copied to another account, another Region",
    "restored and retagged",
    "prerequisite",
]
WORDS = {"yes", "no", "with prerequisite", "unclear"}


ROWS = PAGE.table("resource")
DETAILS = [
    json.loads(file.read_text())["detail"]
    for file in sorted((ROOT / "tests/events").glob("restore-job-*.json"))
]
RESTORES = [detail for detail in DETAILS if "createdResourceArn" in detail]
EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["resource"])


def name(row: dict[str, str]) -> str:
    """The name that AWS Backup has for the row's type."""
    found = re.match(r"\[`([^`]+)`\]\[supported\] ", row["resource"])
    assert found, f"no name of AWS Backup begins {row['resource']}"
    return found[1]


def word(row: dict[str, str], column: str) -> str:
    found = re.fullmatch(r"\[([^\]]+)\]\[[\w-]+\]", row[column])
    assert found, f"{row['resource']}, {column}: not one word with its page, but {row[column]}"
    return found[1]


def test_the_columns_are_those_that_a_program_may_read() -> None:
    assert list(ROWS[0]) == COLUMNS


@EVERY_ROW
def test_every_cell_says_one_of_the_four_words(row: dict[str, str]) -> None:
    assert {column: word(row, column) for column in COLUMNS[1:-1] if word(row, column) not in WORDS} == {}
    assert word(row, "opted in by the README") in ("yes", "no")


@EVERY_ROW
def test_every_cell_names_its_page_of_aws(row: dict[str, str]) -> None:
    for column, cell in row.items():
        pages = [PAGE.definitions.get(page, "") for page in re.findall(r"\]\[([\w-]+)\]", cell)]
        assert pages, f"{column} has no page"
        assert all(page.startswith("https://docs.aws.amazon.com/") for page in pages), f"{column}: {cell}"


@EVERY_ROW
def test_a_prerequisite_is_said_where_a_cell_asks_for_one(row: dict[str, str]) -> None:
    asked = any(word(row, column) == "with prerequisite" for column in COLUMNS[1:-1])
    said = not row["prerequisite"].startswith("[none]")
    assert said or not asked, f"{row['resource']} asks for a prerequisite and names none"


def test_no_row_is_there_twice() -> None:
    assert len({row["resource"] for row in ROWS}) == len(ROWS)


CLAIM = re.compile(
    r"\b(cop(y|ies) of (every|each|all) backups?|(every|each) backup is copied|all backups are copied)\b"
)


def test_nothing_claims_that_every_backup_is_copied() -> None:
    read = [ROOT / "README.md", *(ROOT / "docs").rglob("*.*"), *(ROOT / "templates").rglob("*.yaml")]
    claims = {file.relative_to(ROOT): CLAIM.findall(file.read_text(encoding="utf-8")) for file in read}
    assert {file: found for file, found in claims.items() if found} == {}
    assert "](docs/what-is-protected.md)" in README.split("\n## ")[0]


def test_no_page_has_two_names() -> None:
    assert len(set(PAGE.definitions.values())) == len(PAGE.definitions)


def test_the_rows_are_the_types_that_tag_on_restore_is_tested_with() -> None:
    """Its event files hold a restore of every type that AWS Backup has (tests/events)."""
    assert {name(row) for row in ROWS} == {detail["resourceType"] for detail in RESTORES}


@EVERY_ROW
def test_what_tag_on_restore_cannot_tag_is_not_called_retagged(row: dict[str, str]) -> None:
    created = [detail["createdResourceArn"] for detail in RESTORES if detail["resourceType"] == name(row)]
    tagged = any(tagger_for(Arn.parse(arn)) for arn in created)
    said = word(row, "restored and retagged")
    assert tagged == (said != "no"), f"{row['resource']}: {said!r}, but TagOnRestore's table says {tagged}"


def test_every_type_that_the_aws_sdk_knows_has_a_row() -> None:
    shapes = Loader().load_service_model("backup", "service-2")["shapes"]
    documentation = shapes["ListBackupJobsInput"]["members"]["ByResourceType"]["documentation"]
    documented = set(re.findall(r"<code>([^<]+)</code> for ", documentation))
    assert len(documented) >= 17
    assert documented <= {name(row) for row in ROWS}


def test_what_the_readme_opts_in_is_what_the_table_says() -> None:
    (command,) = [c for c in runbook.parse(README) if "update-region-settings" in c.text]
    opted_in = {name(row) for row in ROWS if word(row, "opted in by the README") == "yes"}
    assert opted_in == set(re.findall(r"(\w+)=true", command.text))


def test_what_contradicts_itself_is_named_with_two_pages() -> None:
    for row in PAGE.table("about"):
        assert re.search(r"\]\[[\w-]+\]", row["one page"])
        assert re.search(r"\]\[[\w-]+\]|\]\(https://docs\.", row["another page"])


@pytest.mark.parametrize("row", [row for row in ROWS if "[unclear]" in "".join(row.values())], ids=name)
def test_what_is_unclear_is_among_the_contradictions(row: dict[str, str]) -> None:
    about = [contradiction["about"] for contradiction in PAGE.table("about")]
    assert any(name(row) in what for what in about), f"{name(row)} is unclear, but none of {about}"


# -- the key of a workload -----------------------------------------------------------------------------------

MEMBER, CENTRAL, OTHER = "4" * 12, "3" * 12, "5" * 12
SERVICE_LINKED = "aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
BACKUP_ROLE = f"arn:aws:iam::{MEMBER}:role/AWSBackupSolutionRole"
COPYING_ROLE = f"arn:aws:iam::{CENTRAL}:role/{SERVICE_LINKED}"
VIA_EC2 = {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}
FOR_AWS = {"kms:GrantIsForAWSResource": "true"}
NOT_FOR_AWS = {"kms:GrantIsForAWSResource": "false"}
# What AWS's policies of the two roles call on a key
# (AWSBackupServiceRolePolicyForBackup v30, AWSBackupServiceLinkedRolePolicyForBackup v31).
CALLED = {
    BACKUP_ROLE: [
        "Decrypt",
        "DescribeKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    ],
    COPYING_ROLE: ["DescribeKey", "GenerateDataKeyWithoutPlaintext", "ListGrants", "ReEncryptFrom"],
}
STRANGERS = [
    f"arn:aws:iam::{MEMBER}:role/Engineer",
    f"arn:aws:iam::{CENTRAL}:role/Engineer",
    f"arn:aws:iam::{CENTRAL}:role/AWSServiceRoleForBackup",
    f"arn:aws:iam::{CENTRAL}:role/AWSBackupSolutionRole",
    f"arn:aws:iam::{OTHER}:role/AWSBackupSolutionRole",
    f"arn:aws:iam::{OTHER}:role/{SERVICE_LINKED}",
]


def key_policy() -> dict[str, Any]:
    (block,) = PAGE.blocks("json")
    filled = block.replace("<member-account-id>", MEMBER).replace("<central-account-id>", CENTRAL)
    return {"Version": "2012-10-17", "Statement": json.loads(filled)}


@pytest.mark.parametrize(
    ("who", "action"), [(who, f"kms:{action}") for who, actions in CALLED.items() for action in actions]
)
def test_both_roles_may_do_with_the_key_what_their_policies_call(who: str, action: str) -> None:
    assert decide(key_policy(), Request(who, action, context=VIA_EC2)) == "Allow"


@pytest.mark.parametrize("who", CALLED)
@pytest.mark.parametrize(("context", "decision"), [(FOR_AWS, "Allow"), (NOT_FOR_AWS, ""), ({}, "")])
def test_a_grant_is_for_a_resource_of_aws_only(who: str, context: dict[str, str], decision: str) -> None:
    assert decide(key_policy(), Request(who, "kms:CreateGrant", context=VIA_EC2 | context)) == decision


@pytest.mark.parametrize("who", CALLED)
@pytest.mark.parametrize(
    "action", ["Encrypt", "PutKeyPolicy", "RetireGrant", "RevokeGrant", "ScheduleKeyDeletion"]
)
def test_neither_role_may_do_more_with_the_key(who: str, action: str) -> None:
    assert decide(key_policy(), Request(who, f"kms:{action}", context=VIA_EC2 | FOR_AWS)) == ""


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize(
    "action", ["CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey", "ReEncryptFrom"]
)
def test_nobody_else_may_do_anything_with_the_key(who: str, action: str) -> None:
    assert decide(key_policy(), Request(who, f"kms:{action}", context=VIA_EC2 | FOR_AWS)) == ""
