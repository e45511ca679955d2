"""What an account lacks is named."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.checks.outcomes import Outcomes
from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import DEFAULT, Organization

ORGANIZATION = Organization(DEFAULT, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")


class Iam:
    """An emulator, its session and its IAM client in one, with the given roles."""

    def __init__(self, *roles: str) -> None:
        self._roles = roles

    def session(self, account: str, region: str) -> "Iam":
        return self

    def client(self, service: str) -> "Iam":
        return self

    def get_role(self, RoleName: str) -> None:  # noqa: N803 - boto3's spelling
        if RoleName not in self._roles:
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": "not found"}}, "GetRole")


def test_a_missing_service_linked_role_is_named_with_the_command_for_it() -> None:
    emulator: Any = Iam("AWSBackupSolutionCentralAccountRole")
    with pytest.raises(OutcomeError) as caught:
        Outcomes(emulator, ORGANIZATION).central()
    assert str(caught.value).startswith(
        "central: role AWSServiceRoleForBackup, which `aws iam create-service-linked-role "
        "--aws-service-name backup.amazonaws.com` creates, does not exist ("
    )
