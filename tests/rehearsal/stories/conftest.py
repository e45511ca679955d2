"""What the tests of restores share: a member account, and a short wait for what should not happen."""

import json

import pytest

from buildspecs.names import MEMBER_ROLE, MEMBER_VAULT
from rehearsal.emulator import Emulator
from rehearsal.stories import restore_jobs
from rehearsal.stories.member import Member

MEMBER = "444444444444"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "backup.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture(scope="session")
def member(emulator: Emulator) -> Member:
    """A member account with a vault and the role for backups, but without TagOnRestore."""
    made = Member(MEMBER, "us-east-2", emulator)
    made.client("backup").create_backup_vault(BackupVaultName=MEMBER_VAULT)
    made.client("iam").create_role(RoleName=MEMBER_ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    return made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_jobs, "_WAIT_SECONDS", 0.2)
