"""The check of the management account's role fails with a reason, and every job gets one result."""

from typing import Any

import pytest
from backup_org_policy_manager import handler

from . import fakes
from .conftest import MANAGEMENT, Function

ROLE = f"arn:aws:iam::{MANAGEMENT}:role/BackupOrgPolicyManagerOrgAdmin"


def job(user_parameters: str | None = MANAGEMENT) -> dict[str, Any]:
    """A CodePipeline job, as the User Guide shows it."""
    configuration = {"FunctionName": "BackupOrgPolicyManager"}
    if user_parameters is not None:
        configuration["UserParameters"] = user_parameters
    return {
        "CodePipeline.job": {
            "id": "11111111-abcd-1111-abcd-111111abcdef",
            "accountId": "222222222222",
            "data": {
                "actionConfiguration": {"configuration": configuration},
                "inputArtifacts": [],
                "outputArtifacts": [],
                "artifactCredentials": {},
            },
        }
    }


def results(function: Function, event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    handler.handler(event, function.context())
    return function.aws.job_results


def message(function: Function, event: dict[str, Any]) -> str:
    ((operation, given),) = results(function, event)
    assert operation == "PutJobFailureResult"
    assert given["jobId"] == event["CodePipeline.job"]["id"]
    assert given["failureDetails"]["type"] == "JobFailed"
    assert len(given["failureDetails"]["message"]) <= 240
    return str(given["failureDetails"]["message"])


def test_a_missing_role_is_named_with_the_stack_that_creates_it(function: Function) -> None:
    del function.aws.organizations[MANAGEMENT]
    reason = message(function, job())
    assert ROLE in reason
    assert "aws-backup-backuporgpolicymanager-mangement-role" in reason


@pytest.mark.parametrize("given", [None, "", "12345", "#{PolicyManagerRole.OrgManagementAccount}"])
def test_a_job_without_an_account_fails(function: Function, given: str | None) -> None:
    assert "UserParameters" in message(function, job(given))
    assert function.aws.calls == ["PutJobFailureResult"]


def test_an_unexpected_error_still_ends_the_job(function: Function) -> None:
    """A job without a result would hold the pipeline until the action times out."""

    def once() -> None:
        function.aws.after_call = lambda: None
        raise RuntimeError("unexpected")

    function.aws.after_call = once
    assert message(function, job()) == "RuntimeError: unexpected"


def test_a_throttled_result_is_sent_again(function: Function) -> None:
    function.aws.start(fakes.Fault("throttled once", 1))
    handler.handler(job(), function.context())
    assert function.aws.calls == ["AssumeRole", "PutJobSuccessResult", "PutJobSuccessResult"]


def test_the_role_is_in_the_functions_partition(function: Function) -> None:
    del function.aws.organizations[MANAGEMENT]
    context = function.context()
    context.invoked_function_arn = "arn:aws-us-gov:lambda:us-gov-west-1:222222222222:function:X"
    handler.handler(job(), context)
    ((_, given),) = function.aws.job_results
    assert ROLE.replace("arn:aws:", "arn:aws-us-gov:") in given["failureDetails"]["message"]
