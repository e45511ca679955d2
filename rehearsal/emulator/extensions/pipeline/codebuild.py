"""CodeBuild: an account that may run one build at a time, and the quota that says so.

AWS documents that a build waits in a queue when the quota of concurrent builds is used up (CodeBuild User
Guide, "Builds in AWS CodeBuild"). In accounts with a quota of 1, which new ones have, users report that
StartBuild fails instead, with AccountLimitExceededException "Cannot have more than 1 builds in queue for the
account" (for example github.com/awslabs/landing-zone-accelerator-on-aws/issues/249). The quota is that of the
environment of our builds, "Concurrently running builds for Linux/Small environment" (CodeBuild User Guide,
"Quotas for AWS CodeBuild"); AWS's pages do not show its code, Service Quotas does.

Emulated: StartBuild refuses a second build of an account and Region; a build is in progress until the control
operation `build-ended`, with its status; GetServiceQuota of that one quota. Not emulated: queues, other
environments, other quotas, changes of quotas.
"""

import json
import time
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Answer
from rehearsal.emulator.extensions.errors import ApiError

MOST_BUILDS = 1
QUOTA = {
    "ServiceCode": "codebuild",
    "ServiceName": "AWS CodeBuild",
    "QuotaCode": "L-9D07B6EF",
    "QuotaName": "Concurrently running builds for Linux/Small environment",
    "Value": float(MOST_BUILDS),
    "Unit": "None",
    "Adjustable": True,
    "GlobalQuota": False,
}


def install() -> None:
    control.register("build-ended", _ended)
    base.serve_json("servicequotas", "ServiceQuotasV20190624", {"GetServiceQuota": _get_service_quota})
    ministacks_own = hooks.codebuild._start_build

    def start_build(request: dict[str, Any]) -> Answer:
        under_way = [build for build in hooks.codebuild._builds.values() if _is_under_way(build)]
        if len(under_way) >= MOST_BUILDS:
            message = f"Cannot have more than {MOST_BUILDS} builds in queue for the account"
            return base.json_error(ApiError("AccountLimitExceededException", message))
        status, headers, body = ministacks_own(request)
        if "build" not in (answer := json.loads(body)):
            return status, headers, body
        build = hooks.codebuild._builds[answer["build"]["id"]]
        build.update(buildStatus="IN_PROGRESS", currentPhase="SUBMITTED")
        del build["endTime"]
        return base.json_answer({"build": build})

    hooks.codebuild._start_build = start_build


def _is_under_way(build: dict[str, Any]) -> bool:
    return bool(build["buildStatus"] == "IN_PROGRESS")


def _ended(account: str, region: str, identifier: str, status: str) -> None:
    """A build that the rehearsal has carried out has ended (SUCCEEDED, FAILED)."""
    with base.scope(account, region):
        hooks.codebuild._builds[identifier].update(
            buildStatus=status, currentPhase="COMPLETED", endTime=int(time.time())
        )


def _get_service_quota(request: dict[str, Any]) -> dict[str, Any]:
    if (request["ServiceCode"], request["QuotaCode"]) != (QUOTA["ServiceCode"], QUOTA["QuotaCode"]):
        raise ApiError("NoSuchResourceException", f"quota {request['QuotaCode']} is not emulated")
    return {"Quota": {**QUOTA, "QuotaArn": base.arn("servicequotas", f"codebuild/{QUOTA['QuotaCode']}")}}
