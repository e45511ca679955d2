"""What CloudFormation is answered, and crhelper, which answers.

crhelper answers exactly once, whatever happens in the function. Its constructor is used here only, once per
container, without the three clients it would make for polling, which this function does not use.
"""

import json
import logging
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from crhelper import CfnResource

from .request import POLICY_TYPE, Request, Wanted

# A response object may have 4,096 bytes:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-customresource.html
MAX_RESPONSE_BYTES = 4_096

# The physical id of a Create that left nothing: the Delete that follows does nothing.
NOTHING_CREATED = "policy-not-created"
# Of one whose CreatePolicy had no clear answer and whose look-up failed, too: the Delete looks again.
PERHAPS_CREATED = "policy-perhaps-created"

# crhelper sets the level before it knows whom to answer: an unknown one would leave CloudFormation waiting.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

Handler = Callable[[dict[str, Any], Any], str]


class Answer(NamedTuple):
    """`physical_id` is what Ref returns, `data` what GetAtt does."""

    physical_id: str
    data: dict[str, Any]


def helper(manage: Handler) -> CfnResource:
    """crhelper with one function for all three kinds of request."""
    level = os.environ.get("LOG_LEVEL", "INFO")
    # AWS SAM's own switch is crhelper's only way to leave out clients that every cold start would pay for.
    before = os.environ.get("AWS_SAM_LOCAL")
    os.environ["AWS_SAM_LOCAL"] = "true"
    try:
        resource = CfnResource(log_level=level if level in LOG_LEVELS else "INFO", sleep_on_delete=0)
    finally:
        if before is None:
            del os.environ["AWS_SAM_LOCAL"]
        else:
            os.environ["AWS_SAM_LOCAL"] = before
    # At DEBUG crhelper logs the whole event, and with it the address that anybody could answer to.
    logging.getLogger("crhelper").setLevel(logging.INFO)
    for register in (resource.create, resource.update, resource.delete):
        register(manage)
    return resource


def compose(request: Request, policy_id: str, wanted: Wanted, effective: str) -> Answer:
    """The answer to a Create or Update, with as many targets as fit into 4,096 bytes."""
    data = {
        "PolicyId": policy_id,
        "PolicyName": wanted.name,
        "PolicyType": POLICY_TYPE,
        "PolicyTargets": list(wanted.targets),
        "PolicyTargetCount": str(len(wanted.targets)),
        "EffectivePolicy": effective,
    }
    while _size(request, policy_id, data) > MAX_RESPONSE_BYTES and data["PolicyTargets"]:
        targets = data["PolicyTargets"]
        data["PolicyTargets"] = targets[: len(targets) - max(1, len(targets) // 20)]
    return Answer(policy_id, data)


def _size(request: Request, policy_id: str, data: dict[str, Any]) -> int:
    """Bytes of the body that crhelper sends."""
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
