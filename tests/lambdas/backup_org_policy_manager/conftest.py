"""The deployed function, with crhelper: invoke it and see what CloudFormation receives."""

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
from backup_org_policy_manager import handler, retrier

from . import fakes

STACK = (
    "arn:aws:cloudformation:us-east-1:222222222222:stack/aws-backup-org-policy/0a1b2c3d-1111-2222-3333-444"
)
RESPONSE_URL = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/response?secret"
MANAGEMENT, OTHER_MANAGEMENT = "111111111111", "999999999999"
ROOT, OU_1, OU_2, OU_3 = "r-root", "ou-root-11111111", "ou-root-22222222", "ou-root-33333333"
ACCOUNT = "444444444444"
ANOTHER_STACK = {
    "backup-org-policy-manager:stack": "arn:aws:cloudformation:us-east-1:222222222222:stack/another-stack/1a",
    "backup-org-policy-manager:resource": "DailyPolicy",
}


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
    """A request from CloudFormation."""
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
class Deployment:
    """The function with its environment; `sent` is what crhelper sends to CloudFormation."""

    clock: fakes.Clock = field(default_factory=fakes.Clock)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The one response to this request; None if the process was killed before it responded."""
        before = len(self.sent)
        killed = False
        try:
            # As Lambda passes it: nothing that the function does to the event comes back.
            handler.handler(json.loads(json.dumps(request)), self.context())
        except fakes.ProcessKilled:
            killed = True
        given = self.sent[before:]
        assert len(given) == (0 if killed else 1), "exactly one response unless the process was killed"
        return None if killed else _received(given[0])

    def succeed(self, request: dict[str, Any]) -> dict[str, Any]:
        response = self.invoke(request)
        assert response
        assert response["Status"] == "SUCCESS", response["Reason"]
        return response

    def fail(self, request: dict[str, Any]) -> str:
        """The reason of the failure."""
        response = self.invoke(request)
        assert response
        assert response["Status"] == "FAILED"
        assert len(response["Reason"]) <= 240
        return str(response["Reason"])

    def create(self, **changed: Any) -> str:
        """Create a policy; its ID."""
        return str(self.succeed(event("Create", properties(**changed)))["PhysicalResourceId"])

    @property
    def last_response(self) -> dict[str, Any]:
        return _received(self.sent[-1])

    def context(self) -> Any:
        return SimpleNamespace(
            get_remaining_time_in_millis=self.clock.remaining_ms,
            aws_request_id="11111111-2222-3333-4444-555555555555",
            function_name="BackupOrgPolicyManager",
            invoked_function_arn="arn:aws:lambda:us-east-1:222222222222:function:BackupOrgPolicyManager",
        )


@dataclass
class Function(Deployment):
    """The function over the fake of AWS."""

    aws: fakes.FakeAws = field(kw_only=True)

    @property
    def organization(self) -> fakes.FakeOrganization:
        return self.aws.organizations[MANAGEMENT]

    def invoke(self, request: dict[str, Any], *faults: fakes.Fault) -> dict[str, Any] | None:
        self.aws.start(*faults)
        return super().invoke(request)


def _received(sent: dict[str, Any]) -> dict[str, Any]:
    """The response, if CloudFormation would accept it."""
    assert sent["to"] == f"PUT {RESPONSE_URL}"
    assert len(sent["body"].encode()) <= 4096
    assert sent["headers"]["content-length"] == str(len(sent["body"].encode()))
    response: dict[str, Any] = json.loads(sent["body"])
    return response


class NoTimer:
    def __init__(self, seconds: float, action: Any) -> None: ...
    def start(self) -> None: ...
    def cancel(self) -> None: ...


class FakeConnection:
    """CloudFormation's end of the connection on which crhelper sends the response."""

    sent: list[dict[str, Any]]

    def __init__(self, host: str, context: Any) -> None:
        self._host = host

    def request(self, method: str, url: str, body: str, headers: dict[str, str]) -> None:
        self.sent.append({"to": f"{method} https://{self._host}{url}", "body": body, "headers": headers})

    def getresponse(self) -> Any:
        return SimpleNamespace(reason="OK")


@contextmanager
def environment_of(deployment: Deployment, session: Any) -> Iterator[None]:
    """What Lambda gives the function; its clients come from this session."""
    connection = type("Connection", (FakeConnection,), {"sent": deployment.sent})
    level = logging.root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORG_ADMIN_ROLE_NAME", fakes.ADMIN_ROLE)
        patch.setattr(boto3, "DEFAULT_SESSION", session)
        # Only the package's own waits: other threads of the test process sleep too.
        patch.setattr(retrier, "time", SimpleNamespace(sleep=deployment.clock.sleep))
        patch.setattr("crhelper.utils.HTTPSConnection", connection)
        # crhelper's timer runs on real time, so it would never fire here: no thread for each request.
        patch.setattr("crhelper.resource_helper.threading", SimpleNamespace(Timer=NoTimer))
        # crhelper loads every certificate authority for each response, which takes 15 ms.
        patch.setattr(ssl, "create_default_context", lambda *_: None)
        yield
    logging.root.setLevel(level)


@contextmanager
def deployed() -> Iterator[Function]:
    """The function with empty fake organizations, for one test or one hypothesis example."""
    clock = fakes.Clock()
    targets = [ROOT, OU_1, OU_2, OU_3, ACCOUNT]
    organizations = {
        account: fakes.FakeOrganization(account, list(targets)) for account in (MANAGEMENT, OTHER_MANAGEMENT)
    }
    function = Function(clock, aws=fakes.FakeAws(clock, organizations))
    with environment_of(function, function.aws):
        yield function


@pytest.fixture
def quiet() -> Iterator[None]:
    """No log, nor crhelper's set-up of it for each request, for tests that make thousands of requests."""
    logging.disable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crhelper.log_helper.setup", lambda *_, **__: None)
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def function() -> Iterator[Function]:
    with deployed() as function:
        yield function
