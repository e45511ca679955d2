"""Lambda handler of the custom resource Custom::OrgPolicy."""

import logging
import os
from dataclasses import replace
from functools import cache
from typing import Any

from crhelper import CfnResource

from . import answer, changes, readiness, verification
from .answer import Answer
from .aws import Aws
from .errors import InvalidRequestError, PolicyManagerError, RevertedError
from .patience import Patience
from .request import POLICY_TYPE, Request, Wanted, account_of, read_event, read_properties

log = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: Any) -> None:
    """Answers CloudFormation or CodePipeline. Raises NotARequestError only if there is nobody to answer."""
    if readiness.JOB in event:
        partition = context.invoked_function_arn.split(":")[1]
        readiness.answer(event[readiness.JOB], _aws(partition, context))
    else:
        read_event(event)
        _helper()(event, context)


def _aws(partition: str, context: Any) -> Aws:
    patience = Patience(context.get_remaining_time_in_millis)
    return Aws(os.environ.get("ORG_ADMIN_ROLE_NAME", ""), partition, patience)


@cache
def _helper() -> CfnResource:
    return answer.helper(manage)


def manage(event: dict[str, Any], context: Any) -> str:
    """The physical id. Raises the reason of a failure, at most 240 characters long; crhelper reports it."""
    request = read_event(event)
    aws = _aws(request.partition, context)
    # The id that a failure answers with; crhelper would make up one.
    _helper().PhysicalResourceId = request.physical_id or answer.NOTHING_CREATED
    try:
        given = delete(request, aws) if request.kind == "Delete" else put(request, aws)
    except PolicyManagerError as error:
        log.warning("action=%s resource=%s failed: %s", request.kind, request.owner.resource, error)
        if request.kind == "Create" and isinstance(error, RevertedError) and error.left:
            # The Delete that follows removes what could not be removed, or looks whether there is something.
            _helper().PhysicalResourceId = error.policy_id or answer.PERHAPS_CREATED
        raise PolicyManagerError(error.reason()) from error
    _helper().Data.update(given.data)
    return given.physical_id


def put(request: Request, aws: Aws) -> Answer:
    """Create or Update."""
    wanted, faults = read_properties(request.properties, aws.regions(), aws.read_object)
    if faults and not _has_nothing_to_take_back(request, wanted, aws):
        raise InvalidRequestError(faults)
    organization = aws.organization(wanted.management_account)
    if request.kind == "Create":
        policy_id = changes.create(request.owner, wanted, organization)
    else:
        policy_id = changes.update(request, wanted, organization, aws.organization)
    return answer.compose(request, policy_id, wanted, verification.verify(policy_id, wanted, organization))


def _has_nothing_to_take_back(request: Request, wanted: Wanted, aws: Aws) -> bool:
    """True for the rollback of an Update that changed nothing: what it asks for is in force.

    An earlier version of this function may have accepted what a newer rule refuses. The rollback of a later
    Update must not fail for that. An Update to what was wanted before is none: its faults are new.
    """
    is_ours = request.properties.get("PolicyType") == POLICY_TYPE
    if request.kind != "Update" or not is_ours or not wanted.management_account:
        return False
    try:
        old, refused = read_properties(request.old_properties, aws.regions(), aws.read_object)
        if not refused and replace(old, verify=wanted.verify, child=wanted.child) == wanted:
            return False
        return changes.is_in_force(request, wanted, aws.organization(wanted.management_account))
    except PolicyManagerError as error:
        log.warning("action=compare policy=%s result=not-possible reason=%s", request.policy_id, error)
        return False


def delete(request: Request, aws: Aws) -> Answer:
    """Success without a call if there is nothing of ours; no Delete is refused for its properties."""
    account, name = account_of(request.properties), request.properties.get("PolicyName")
    is_ours = request.properties.get("PolicyType", POLICY_TYPE) == POLICY_TYPE
    if not account or not is_ours or request.physical_id == answer.NOTHING_CREATED:
        log.info("action=Delete physical_id=%s result=nothing-to-delete", request.physical_id)
    elif request.policy_id:
        changes.delete(request, request.policy_id, aws.organization(account))
    elif isinstance(name, str):
        changes.delete_leftover(request, name, lambda: aws.organization(account))
    return Answer(request.physical_id, {})
