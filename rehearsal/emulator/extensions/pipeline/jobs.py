"""CodePipeline's jobs: with one, an action invokes a function, which returns the job's result.

Emulated: PutJobSuccessResult and PutJobFailureResult of jobs that exist and have no result yet. The control
operation `pipeline-job` opens a job and returns its ID, `pipeline-job-result` returns its result.

Not emulated: continuation tokens, output variables, third-party jobs.
"""

import uuid
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.pipeline import pipelines

_jobs: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    control.register("pipeline-job", _open)
    control.register("pipeline-job-result", _result)
    pipelines.add_operations(PutJobSuccessResult=_succeed, PutJobFailureResult=_fail)


def _open(account: str, region: str) -> str:
    with base.scope(account, region):
        identifier = str(uuid.uuid4())
        _jobs[identifier] = {}
        return identifier


def _result(account: str, region: str, identifier: str) -> dict[str, Any]:
    """{} as long as there is none, {"status": "Succeeded"}, or {"status": "Failed", "message": …}."""
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
