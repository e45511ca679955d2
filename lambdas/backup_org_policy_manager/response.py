"""The response to CloudFormation, and crhelper, which sends it.

crhelper sends exactly one response, even after an unexpected error. Only this module constructs it, once
per container and without the three clients for polling: they need a Region, cost 130 to 240 ms in each cold
start and serve nothing here. crhelper 2.0.12 leaves them out only where AWS_SAM_LOCAL is set. It also drops
the beginning of a reason longer than 240 characters (see errors.py).
"""

import json
import logging
import os
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

from crhelper import CfnResource

from .request import POLICY_TYPE, DesiredPolicy, Request

# The size limit of a response object:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-customresource.html
MAX_RESPONSE_BYTES = 4_096

# The physical ID after a Create that left nothing behind: the Delete that follows makes no call.
NOTHING_CREATED = "policy-not-created"
# The physical ID after a Create with an unknown outcome: the Delete that follows looks for the policy.
PERHAPS_CREATED = "policy-perhaps-created"

# crhelper sets the level before it can respond: with an unknown level CloudFormation would wait for an hour.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

Handler = Callable[[dict[str, Any], Any], str]


class Response(NamedTuple):
    """`physical_id` is the value of Ref; `data` holds the values of GetAtt."""

    physical_id: str
    data: dict[str, Any]


def custom_resource(manage: Handler) -> CfnResource:
    """crhelper with one function for Create, Update and Delete."""
    level = os.environ.get("LOG_LEVEL", "INFO")
    before = os.environ.get("AWS_SAM_LOCAL")
    os.environ["AWS_SAM_LOCAL"] = "true"
    try:
        resource = CfnResource(log_level=level if level in LOG_LEVELS else "INFO", sleep_on_delete=0)
    finally:
        if before is None:
            del os.environ["AWS_SAM_LOCAL"]
        else:
            os.environ["AWS_SAM_LOCAL"] = before
    # At DEBUG crhelper logs the whole event, with the URL to which anyone could send a response.
    logging.getLogger("crhelper").setLevel(logging.INFO)
    for register in (resource.create, resource.update, resource.delete):
        register(manage)
    return resource


def compose(request: Request, policy_id: str, desired: DesiredPolicy, effective: str) -> Response:
    """The response to a Create or Update, with as many targets as fit."""
    targets = list(desired.targets)
    data = {
        "PolicyId": policy_id,
        "PolicyName": desired.name,
        "PolicyType": POLICY_TYPE,
        "PolicyTargetCount": str(len(targets)),
        "EffectivePolicy": effective,
    }

    def size(count: int) -> int:
        return _size(request, policy_id, {**data, "PolicyTargets": targets[:count]})

    fitting = bisect_right(range(len(targets) + 1), MAX_RESPONSE_BYTES, key=size) - 1
    return Response(policy_id, {**data, "PolicyTargets": targets[: max(0, fitting)]})


def _size(request: Request, policy_id: str, data: dict[str, Any]) -> int:
    """The size of the body that crhelper sends."""
    body = {
        "Status": "SUCCESS",
        "PhysicalResourceId": policy_id,
        "StackId": request.owner.stack,
        "RequestId": request.owner.request,
        "LogicalResourceId": request.owner.resource,
        "Reason": "",
        "Data": data,
        "NoEcho": False,
    }
    return len(json.dumps(body))
