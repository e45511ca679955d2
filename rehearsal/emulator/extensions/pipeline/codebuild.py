"""CodeBuild in an account that may run one build at a time, and the quota.

AWS documents that a build waits in a queue when the quota of concurrent builds is used up (CodeBuild User
Guide, "Builds in AWS CodeBuild"). With a quota of 1, which new accounts have, users report that StartBuild
fails instead, with AccountLimitExceededException "Cannot have more than 1 builds in queue for the account"
(for example github.com/awslabs/landing-zone-accelerator-on-aws/issues/249). The quota is that of our builds'
environment, "Concurrently running builds for Linux/Small environment" (CodeBuild User Guide, "Quotas for AWS
CodeBuild"); its code is in Service Quotas only.

Emulated: StartBuild refuses a second build in an account and Region; a build is in progress until the control
operation `build-ended` reports its status; GetServiceQuota of that quota.

Not emulated: queues, other environments and quotas, increases.
"""

import json
import time
from typing import Any

from buildspecs.names import BUILDS_QUOTA
from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Response
from rehearsal.emulator.extensions.errors import ApiError

_MOST_BUILDS = 1
_QUOTA = {
    "ServiceCode": "codebuild",
    "ServiceName": "AWS CodeBuild",
    "QuotaCode": BUILDS_QUOTA,
    "QuotaName": "Concurrently running builds for Linux/Small environment",
    "Value": float(_MOST_BUILDS),
    "Unit": "None",
    "Adjustable": True,
    "GlobalQuota": False,
}


def install() -> None:
    control.register("build-ended", _ended)
    base.serve_json("servicequotas", "ServiceQuotasV20190624", {"GetServiceQuota": _get_service_quota})
    ministacks_own = hooks.codebuild._start_build

    def start_build(request: dict[str, Any]) -> Response:
        builds = hooks.codebuild._builds.values()
        if sum(build["buildStatus"] == "IN_PROGRESS" for build in builds) >= _MOST_BUILDS:
            message = f"Cannot have more than {_MOST_BUILDS} builds in queue for the account"
            return base.json_error(ApiError("AccountLimitExceededException", message))
        status, headers, body = ministacks_own(request)
        if "build" not in (started := json.loads(body)):
            return status, headers, body
        build = hooks.codebuild._builds[started["build"]["id"]]
        build.update(buildStatus="IN_PROGRESS", currentPhase="SUBMITTED")
        del build["endTime"]
        return base.json_response({"build": build})

    hooks.codebuild._start_build = start_build


def _ended(account: str, region: str, identifier: str, status: str) -> None:
    """Record how a build that the rehearsal has run ended: SUCCEEDED or FAILED."""
    with base.scope(account, region):
        hooks.codebuild._builds[identifier].update(
            buildStatus=status, currentPhase="COMPLETED", endTime=int(time.time())
        )


def _get_service_quota(request: dict[str, Any]) -> dict[str, Any]:
    if (request["ServiceCode"], request["QuotaCode"]) != (_QUOTA["ServiceCode"], _QUOTA["QuotaCode"]):
        raise ApiError("NoSuchResourceException", f"quota {request['QuotaCode']} is not emulated")
    return {"Quota": {**_QUOTA, "QuotaArn": base.arn("servicequotas", f"codebuild/{_QUOTA['QuotaCode']}")}}
