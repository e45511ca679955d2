"""The pipeline's question before its last stage: can the role in the management account be assumed?

While it cannot, the stage fails here, before stack aws-backup-org-policy exists; so no failed creation has to
be deleted before the stage is retried. CodePipeline invokes the function with a job, whose UserParameters
hold the management account's number ("Invoke an AWS Lambda function in a pipeline in CodePipeline", User
Guide), and waits for the job's result.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import boto3

from .aws import CONFIG, Aws
from .errors import Fault, InvalidRequestError, PolicyManagerError, shorten
from .request import ACCOUNT_ID

log = logging.getLogger(__name__)

JOB = "CodePipeline.job"


def answer(job: Mapping[str, Any], aws: Aws) -> None:
    """Tell CodePipeline the result; the reason of a failure names the role and is at most 240 characters."""
    codepipeline = boto3.client("codepipeline", config=CONFIG)
    reason = _obstacle(job, aws)
    if reason is None:
        aws.patience.persist(
            "PutJobSuccessResult", lambda: codepipeline.put_job_success_result(jobId=job["id"])
        )
    else:
        aws.patience.persist(
            "PutJobFailureResult",
            lambda: codepipeline.put_job_failure_result(
                jobId=job["id"], failureDetails={"type": "JobFailed", "message": reason}
            ),
        )


def _obstacle(job: Mapping[str, Any], aws: Aws) -> str | None:
    try:
        aws.organization(_account(job))
    except PolicyManagerError as error:
        log.warning("action=check-management-role failed: %s", error)
        return error.reason()
    except Exception as error:
        log.exception("action=check-management-role failed")
        return shorten(f"{type(error).__name__}: {error}")  # a job without a result waits for its time-out
    return None


def _account(job: Mapping[str, Any]) -> str:
    given = str(job["data"]["actionConfiguration"]["configuration"].get("UserParameters", ""))
    if not re.fullmatch(ACCOUNT_ID, given):
        raise InvalidRequestError(
            [Fault("UserParameters", f"{given or 'nothing'} is not an account number of 12 digits")]
        )
    return given
