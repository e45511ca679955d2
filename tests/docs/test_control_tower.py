"""docs/control-tower.md: what it says of this solution's own parts is what those parts do."""

from __future__ import annotations

import re

import pytest
from tag_on_restore.tags import Exclusions

from tests.markdown import Page
from tests.templates.policies import Request, decide
from tests.templates.test_service_control_policies import policy

PAGE = Page.read("docs/control-tower.md")
TEXT = PAGE.text
CONTROL_TOWERS_VAULT = (
    "arn:aws:backup:us-east-1:666666666666:backup-vault:aws-controltower-central-backupvault-1"
)
BACKUP_ROLE = "arn:aws:iam::444444444444:role/aws-controltower-BackupRole"


@pytest.mark.parametrize("row", PAGE.table(""), ids=lambda row: row[""])
def test_what_control_tower_does_has_its_page(row: dict[str, str]) -> None:
    assert re.search(r"\]\[[\w-]+\]", row["Control Tower's option"])


def test_the_exclusion_that_it_names_keeps_control_towers_tags_from_a_restored_resource() -> None:
    (pattern,) = re.findall(r"add `([^`]+)` to the option", TEXT)
    (tag,) = re.findall(r"copies `([\w-]+)` as it does", TEXT)
    assert Exclusions.parse(pattern).match(tag)
    assert not Exclusions.parse(pattern).match("backup")


@pytest.mark.parametrize(
    ("name", "decision"),
    [("copy-to-central-vault-only.json", "Deny"), ("copy-inside-organization-only.json", "")],
)
def test_the_samples_deny_control_towers_copies_where_it_says_so(name: str, decision: str) -> None:
    copy = Request(
        BACKUP_ROLE,
        "backup:CopyFromBackupVault",
        context={
            "backup:CopyTargets": [CONTROL_TOWERS_VAULT],
            "backup:CopyTargetOrgPaths": ["o-exampleorgid/r-exam/ou-exam-12345678/"],
        },
    )
    assert name in TEXT
    assert decide(policy(name), copy) == decision
