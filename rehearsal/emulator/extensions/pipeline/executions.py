"""CodePipeline's executions, which the rehearsal's runner runs and reports here.

Emulated: StartPipelineExecution, called or through a rule of EventBridge, creates an execution in progress,
which waits for the runner; ListPipelineExecutions, GetPipelineExecution; RetryStageExecution with AWS's
refusals (only the failed stage of the latest execution can be retried; the runner then retries it). The
control operation `pipeline-execution` reports an execution's status.

Not emulated: source revisions, stopping, queues, action executions, rollbacks.
"""

import time
import uuid
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.pipeline import pipelines

_executions: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    control.register("pipeline-execution", _report)
    pipelines.add_operations(
        GetPipelineExecution=_get,
        ListPipelineExecutions=_list,
        RetryStageExecution=_retry,
        StartPipelineExecution=_start,
    )


def _report(
    account: str, region: str, pipeline: str, identifier: str, status: str, failed_stage: str | None
) -> None:
    """Record an execution or its new status (InProgress, Failed, Succeeded)."""
    with base.scope(account, region):
        version = _pipeline(pipeline)["version"]
        entry = _of(pipeline).setdefault(identifier, {"started": time.time(), "version": version})
        entry.update(status=status, failed_stage=failed_stage, updated=time.time())


def start(name: str, trigger: str, detail: str) -> str:
    """Create an execution in the request's account and Region and return its ID; trigger: its type."""
    identifier, now = str(uuid.uuid4()), time.time()
    _of(name)[identifier] = {
        "started": now,
        "updated": now,
        "version": _pipeline(name)["version"],
        "status": "InProgress",
        "failed_stage": None,
        "trigger": {"triggerType": trigger, "triggerDetail": detail},
    }
    return identifier


def _start(request: dict[str, Any]) -> dict[str, Any]:
    caller = hooks.iam_evaluator.caller_arn()
    return {"pipelineExecutionId": start(request["name"], "StartPipelineExecution", caller)}


def _pipeline(name: str) -> dict[str, Any]:
    found: dict[str, Any] = pipelines.stored(name)["pipeline"]
    return found


def _of(name: str) -> dict[str, dict[str, Any]]:
    """The executions of a pipeline, oldest first; a pipeline that is created again starts with none."""
    created = pipelines.stored(name)["metadata"]["created"]
    found: dict[str, dict[str, Any]] = _executions.setdefault((name, created), {})
    return found


def _list(request: dict[str, Any]) -> dict[str, Any]:
    summaries = [
        {
            "pipelineExecutionId": identifier,
            "status": entry["status"],
            "startTime": entry["started"],
            "lastUpdateTime": entry["updated"],
            **({"trigger": entry["trigger"]} if "trigger" in entry else {}),
        }
        for identifier, entry in reversed(_of(request["pipelineName"]).items())
    ]
    return {"pipelineExecutionSummaries": summaries}


def _get(request: dict[str, Any]) -> dict[str, Any]:
    identifier = request["pipelineExecutionId"]
    entry = _of(request["pipelineName"]).get(identifier)
    if entry is None:
        raise ApiError("PipelineExecutionNotFoundException", f"there is no execution {identifier}")
    return {
        "pipelineExecution": {
            "pipelineName": request["pipelineName"],
            "pipelineVersion": entry["version"],
            "pipelineExecutionId": identifier,
            "status": entry["status"],
        }
    }


def _retry(request: dict[str, Any]) -> dict[str, Any]:
    name, stage, identifier = request["pipelineName"], request["stageName"], request["pipelineExecutionId"]
    if stage not in [each["name"] for each in _pipeline(name)["stages"]]:
        raise ApiError("StageNotFoundException", f"pipeline {name} has no stage {stage}")
    executions = _of(name)
    if identifier != next(reversed(executions), None):
        raise ApiError(
            "NotLatestPipelineExecutionException", f"{identifier} is not the latest execution of {name}"
        )
    if executions[identifier]["failed_stage"] != stage:
        raise ApiError(
            "StageNotRetryableException", f"stage {stage} of execution {identifier} has not failed"
        )
    return {"pipelineExecutionId": identifier}
