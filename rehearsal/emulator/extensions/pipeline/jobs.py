"""CodePipeline: the job with which an action invokes a function, and the result that the function puts.

Emulated: PutJobSuccessResult and PutJobFailureResult of jobs that exist and have no result yet. Control
operations: `pipeline-job` opens a job and returns its id, `pipeline-job-result` says how it ended. Not
emulated: continuation tokens, output variables, third-party jobs.
"""

import uuid
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.pipeline import codepipeline

_jobs: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    control.register("pipeline-job", _open)
    control.register("pipeline-job-result", _result)
    codepipeline._OPERATIONS.update(PutJobSuccessResult=_succeed, PutJobFailureResult=_fail)


def _open(account: str, region: str) -> str:
    with base.scope(account, region):
        identifier = str(uuid.uuid4())
        _jobs[identifier] = {}
        return identifier


def _result(account: str, region: str, identifier: str) -> dict[str, Any]:
    """{} while there is none, {"status": "Succeeded"}, or {"status": "Failed", "message": …}."""
    with base.scope(account, region):
        found: dict[str, Any] = _jobs[identifier]
        return found


def _succeed(request: dict[str, Any]) -> dict[str, Any]:
    _open_job(request["jobId"]).update(status="Succeeded")
    return {}


def _fail(request: dict[str, Any]) -> dict[str, Any]:
    _open_job(request["jobId"]).update(status="Failed", message=request["failureDetails"]["message"])
    return {}


def _open_job(identifier: str) -> dict[str, Any]:
    job: dict[str, Any] | None = _jobs.get(identifier)
    if job is None:
        raise ApiError("JobNotFoundException", f"there is no job {identifier}")
    if job:
        raise ApiError("InvalidJobStateException", f"job {identifier} has a result already")
    return job
