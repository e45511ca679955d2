"""Checks, at the start of the pipeline's last stage, that the management account's role can be assumed.

Until it can, the stage fails here, before stack aws-backup-org-policy exists, so that no failed stack has to
be deleted before the stage is retried. CodePipeline invokes the function with a job whose UserParameters hold
the management account ID ("Invoke an AWS Lambda function in a pipeline in CodePipeline", User Guide) and
waits for the job's result.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import boto3

from .aws import CONFIG, Aws
from .errors import InvalidRequestError, PolicyManagerError, Problem, shorten
from .request import ACCOUNT_ID

log = logging.getLogger(__name__)

JOB = "CodePipeline.job"


def report(job: Mapping[str, Any], aws: Aws) -> None:
    """Send CodePipeline the result. The reason of a failure has at most 240 characters."""
    codepipeline = boto3.client("codepipeline", config=CONFIG)
    reason = _failure_reason(job, aws)
    if reason is None:
        aws.retrier.call("PutJobSuccessResult", lambda: codepipeline.put_job_success_result(jobId=job["id"]))
    else:
        aws.retrier.call(
            "PutJobFailureResult",
            lambda: codepipeline.put_job_failure_result(
                jobId=job["id"], failureDetails={"type": "JobFailed", "message": reason}
            ),
        )


def _failure_reason(job: Mapping[str, Any], aws: Aws) -> str | None:
    try:
        aws.organization(_account(job))
    except PolicyManagerError as error:
        log.warning("action=check-management-role failed: %s", error)
        return error.reason()
    except Exception as error:
        log.exception("action=check-management-role failed")
        # Without a result the job would wait until it times out.
        return shorten(f"{type(error).__name__}: {error}")
    return None


def _account(job: Mapping[str, Any]) -> str:
    given = str(job["data"]["actionConfiguration"]["configuration"].get("UserParameters", ""))
    if not re.fullmatch(ACCOUNT_ID, given):
        raise InvalidRequestError(
            [Problem("UserParameters", f"{given} is not a 12-digit account ID" if given else "missing")]
        )
    return given
