"""What is wrong with a backup policy's content, word by word; what the central account lacks."""

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from buildspecs.names import BACKUP_POLICIES
from rehearsal.checks.outcomes import Outcomes, assigned, content_faults
from rehearsal.errors import OutcomeError
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


def test_a_policy_without_plans_has_faults_not_a_crash() -> None:
    assert list(content_faults({"plans": {}}, PUBLISHED, ORGANIZATION))
    assert assigned({"a": "text"}, ("a", "b")) is None


class IamOf:
    """An emulator, its sessions and its IAM in one: the roles that exist are given."""

    def __init__(self, *roles: str) -> None:
        self._roles = roles

    def session(self, account: str, region: str) -> "IamOf":
        return self

    def client(self, service: str) -> "IamOf":
        return self

    def get_role(self, RoleName: str) -> None:  # noqa: N803 - boto3's spelling
        if RoleName not in self._roles:
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": "not found"}}, "GetRole")


def test_a_missing_service_linked_role_is_told_with_the_command_that_makes_it() -> None:
    emulator: Any = IamOf("AWSBackupSolutionCentralAccountRole")
    with pytest.raises(OutcomeError) as told:
        Outcomes(emulator, ORGANIZATION).central()
    assert str(told.value).startswith(
        "central: role AWSServiceRoleForBackup, which "
        "`aws iam create-service-linked-role --aws-service-name backup.amazonaws.com` makes, does not exist ("
    )
