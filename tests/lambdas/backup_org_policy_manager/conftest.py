"""The function with crhelper and the real boto3 clients; only HTTP and the clock are replaced."""

import copy
import json
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from backup_org_policy_manager import handler, patience

from . import fakes

STACK = (
    "arn:aws:cloudformation:us-east-1:222222222222:stack/aws-backup-org-policy/0a1b2c3d-1111-2222-3333-444"
)
RESPONSE_URL = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer?secret"
MANAGEMENT, OTHER_MANAGEMENT = "111111111111", "999999999999"
ROOT, OU_1, OU_2, OU_3 = "r-root", "ou-root-11111111", "ou-root-22222222", "ou-root-33333333"
ACCOUNT = "444444444444"


def plan(name: str = "Daily", days: str = "35", **rule: Any) -> dict[str, Any]:
    """A small correct backup policy."""
    return {
        "plans": {
            name: {
                "rules": {
                    "Rule": {
                        "schedule_expression": {"@@assign": "cron(0 5 ? * * *)"},
                        "start_backup_window_minutes": {"@@assign": "60"},
                        "target_backup_vault_name": {"@@assign": "Vault"},
                        "lifecycle": {"delete_after_days": {"@@assign": days}},
                        **rule,
                    }
                },
                "selections": {
                    "tags": {
                        "Selection": {
                            "iam_role_arn": {"@@assign": "arn:aws:iam::$account:role/Role"},
                            "tag_key": {"@@assign": "backup"},
                            "tag_value": {"@@assign": ["daily"]},
                        }
                    }
                },
            }
        }
    }


def properties(**changed: Any) -> dict[str, Any]:
    """Correct resource properties, as CloudFormation sends them; None removes one."""
    given = {
        "ServiceToken": "arn:aws:lambda:us-east-1:222222222222:function:BackupOrgPolicyManager",
        "PolicyName": "daily",
        "PolicyDescription": "Daily backups",
        "PolicyType": "BACKUP_POLICY",
        "PolicyTargets": [OU_1, OU_2],
        "PolicyRegions": ["us-east-1", "us-east-2"],
        "OrgManagementAccount": MANAGEMENT,
        "PolicyContent": plan(),
        **changed,
    }
    return {name: value for name, value in given.items() if value is not None}


def event(kind: str, given: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request of CloudFormation."""
    return {
        "RequestType": kind,
        "ResponseURL": RESPONSE_URL,
        "StackId": STACK,
        "RequestId": f"request-{kind}",
        "LogicalResourceId": "DailyPolicy",
        "ResourceType": "Custom::OrgPolicy",
        "ResourceProperties": given,
        **fields,
    }


@dataclass
class Function:
    """The deployed function: invoke it, see what CloudFormation is answered."""

    aws: fakes.FakeAws
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clients(self) -> dict[tuple[str, str | None], Any]:
        """The clients that the function asked for, by service and access key."""
        asked: dict[tuple[str, str | None], Any] = boto3.DEFAULT_SESSION.asked
        return asked

    @property
    def organization(self) -> fakes.FakeOrganization:
        return self.aws.organizations[MANAGEMENT]

    def invoke(self, request: dict[str, Any], *faults: fakes.Fault) -> dict[str, Any] | None:
        """The one answer to this request; None if the process was killed before it answered."""
        self._new_process(faults)
        before = len(self.sent)
        killed = False
        try:
            # Lambda hands over its own copy: nothing that the function does to it comes back.
            handler.handler(copy.deepcopy(request), self.context())
        except fakes.ProcessKilled:
            killed = True
        given = self.sent[before:]
        assert len(given) == (0 if killed else 1), "exactly one answer unless the process was killed"
        return None if killed else _received(given[0])

    @property
    def last_answer(self) -> dict[str, Any]:
        return _received(self.sent[-1])

    def create(self, **changed: Any) -> str:
        """Create without trouble; the policy's id."""
        answer = self.invoke(event("Create", properties(**changed)))
        assert answer
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return str(answer["PhysicalResourceId"])

    def context(self) -> Any:
        return SimpleNamespace(
            get_remaining_time_in_millis=self.aws.clock.remaining_ms,
            aws_request_id="11111111-2222-3333-4444-555555555555",
            function_name="BackupOrgPolicyManager",
            invoked_function_arn="arn:aws:lambda:us-east-1:222222222222:function:BackupOrgPolicyManager",
        )

    def _new_process(self, faults: tuple[fakes.Fault, ...]) -> None:
        clock = self.aws.clock
        clock.now, clock.slept[:] = 0.0, []
        self.aws.start(*faults)


def _received(sent: dict[str, Any]) -> dict[str, Any]:
    """The answer, if it is one that CloudFormation would take."""
    assert sent["to"] == f"PUT {RESPONSE_URL}"
    assert len(sent["body"].encode()) <= 4096
    assert sent["headers"]["content-length"] == str(len(sent["body"].encode()))
    answer: dict[str, Any] = json.loads(sent["body"])
    return answer


class FakeConnection:
    """CloudFormation's end of the answer; crhelper's own code sends it, and would repeat what raises here."""

    sent: list[dict[str, Any]]

    def __init__(self, host: str, context: Any) -> None:
        self._host = host

    def request(self, method: str, url: str, body: str, headers: dict[str, str]) -> None:
        self.sent.append({"to": f"{method} https://{self._host}{url}", "body": body, "headers": headers})

    def getresponse(self) -> Any:
        return SimpleNamespace(reason="OK")


@contextmanager
def deployed() -> Iterator[Function]:
    """The function with an empty organization, for one test or one hypothesis example."""
    clock = fakes.Clock()
    targets = [ROOT, OU_1, OU_2, OU_3, ACCOUNT]
    organizations = {
        account: fakes.FakeOrganization(account, list(targets)) for account in (MANAGEMENT, OTHER_MANAGEMENT)
    }
    aws = fakes.FakeAws(clock, organizations)
    function = Function(aws)
    connection = type("Connection", (FakeConnection,), {"sent": function.sent})
    level = logging.root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORG_ADMIN_ROLE_NAME", fakes.ADMIN_ROLE)
        patch.setattr(boto3, "DEFAULT_SESSION", fakes.session_over(aws))
        # Only what the package waits with: other threads of the test process sleep too.
        patch.setattr(patience, "time", SimpleNamespace(sleep=clock.sleep))
        patch.setattr("crhelper.utils.HTTPSConnection", connection)
        # crhelper loads every certificate authority for each answer: 15 ms that no test needs.
        patch.setattr(ssl, "create_default_context", lambda *_: None)
        yield function
    logging.root.setLevel(level)


@pytest.fixture
def quiet() -> Iterator[None]:
    """No log, for tests that make thousands of requests: pytest would keep every traceback of each."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def function() -> Iterator[Function]:
    with deployed() as function:
        yield function
