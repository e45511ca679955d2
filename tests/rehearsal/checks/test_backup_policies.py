"""What is wrong with the content of a backup policy."""

import copy
from typing import Any

import pytest

from buildspecs.names import BACKUP_POLICIES
from rehearsal.checks.backup_policies import assigned, content_faults
from rehearsal.organization.plan import DEFAULT, Organization

ORGANIZATION = Organization(DEFAULT, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")
VAULT = "arn:aws:backup:us-east-1:333333333333:backup-vault:AWSBackupSolutionCentralVault"
PUBLISHED = BACKUP_POLICIES[0]  # org-daily-backup-policy


def assign(value: object) -> dict[str, object]:
    return {"@@assign": value}


def content() -> dict[str, Any]:
    rule = {
        "schedule_expression": assign("cron(0 5 ? * * *)"),
        "start_backup_window_minutes": assign("60"),
        "complete_backup_window_minutes": assign("1200"),
        "target_backup_vault_name": assign("AWSBackupSolutionVault"),
        "lifecycle": {"delete_after_days": assign("35")},
        "copy_actions": {
            VAULT: {
                "target_backup_vault_arn": assign(VAULT),
                "lifecycle": {"delete_after_days": assign("35")},
            }
        },
    }
    selection = {"tag_key": assign("backup"), "tag_value": assign(["daily"]), "iam_role_arn": assign("r")}
    plan = {
        "regions": assign(["us-east-1", "us-east-2"]),
        "rules": {"OrgDailyBackupRule": rule},
        "selections": {"tags": {"OrgDailyBackupSelection": selection}},
    }
    return {"plans": {"OrgBackupPlanDaily": plan}}


def test_the_published_content_has_no_fault() -> None:
    assert list(content_faults(content(), PUBLISHED, ORGANIZATION)) == []


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("regions", "@@assign"), ["us-east-1"], "regions is ['us-east-1'] instead of"),
        (("rules", "OrgDailyBackupRule", "schedule_expression", "@@assign"), "cron(0 6 ? * * *)", "schedule"),
        (
            ("rules", "OrgDailyBackupRule", "lifecycle", "delete_after_days", "@@assign"),
            "30",
            "'30' instead of '35'",
        ),
        (("rules", "OrgDailyBackupRule", "copy_actions"), {}, "target_backup_vault_arn is None"),
        (
            ("selections", "tags", "OrgDailyBackupSelection", "tag_value", "@@assign"),
            ["weekly"],
            "backup=daily",
        ),
        (("selections", "tags"), {}, "selects by [] instead of the tag backup=daily"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(path: tuple[str, ...], value: object, named: str) -> None:
    wrong = copy.deepcopy(content())
    place = wrong["plans"]["OrgBackupPlanDaily"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    faults = list(content_faults(wrong, PUBLISHED, ORGANIZATION))
    assert any(named in fault for fault in faults), faults


def test_a_policy_without_plans_has_faults() -> None:
    assert list(content_faults({"plans": {}}, PUBLISHED, ORGANIZATION))
    assert assigned({"a": "text"}, ("a", "b")) is None
