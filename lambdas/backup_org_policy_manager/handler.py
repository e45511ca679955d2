"""Lambda handler of the custom resource Custom::OrgPolicy."""

import logging
import os
from dataclasses import replace
from functools import cache
from typing import Any

from crhelper import CfnResource

from . import changes, management_role_check, verification
from .aws import Aws
from .errors import InvalidRequestError, PolicyManagerError, RevertedError
from .request import POLICY_TYPE, DesiredPolicy, Request, account_of, read_event, read_properties
from .response import NOTHING_CREATED, PERHAPS_CREATED, Response, compose, custom_resource
from .retrier import Retrier

log = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: Any) -> None:
    """Responds to CloudFormation or CodePipeline. Raises NotARequestError if the event came from neither."""
    if management_role_check.JOB in event:
        partition = context.invoked_function_arn.split(":")[1]
        management_role_check.report(event[management_role_check.JOB], _aws(partition, context))
    else:
        read_event(event)
        _resource()(event, context)


def _aws(partition: str, context: Any) -> Aws:
    retrier = Retrier(context.get_remaining_time_in_millis)
    return Aws(os.environ.get("ORG_ADMIN_ROLE_NAME", ""), partition, retrier)


@cache
def _resource() -> CfnResource:
    return custom_resource(manage)


def manage(event: dict[str, Any], context: Any) -> str:
    """The physical ID. Raises the reason of a failure, at most 240 characters, which crhelper sends."""
    request = read_event(event)
    aws = _aws(request.partition, context)
    # The physical ID of a failure; crhelper would invent one.
    _resource().PhysicalResourceId = request.physical_id or NOTHING_CREATED
    try:
        response = delete(request, aws) if request.type == "Delete" else create_or_update(request, aws)
    except PolicyManagerError as error:
        log.warning("action=%s resource=%s failed: %s", request.type, request.owner.resource, error)
        if request.type == "Create" and isinstance(error, RevertedError) and error.left:
            # The Delete that follows removes the policy, or looks for it.
            _resource().PhysicalResourceId = error.policy_id or PERHAPS_CREATED
        raise PolicyManagerError(error.reason()) from error
    _resource().Data.update(response.data)
    return response.physical_id


def create_or_update(request: Request, aws: Aws) -> Response:
    desired, problems = read_properties(request.properties, aws.regions(), aws.read_object)
    if problems and not _is_rollback_without_changes(request, desired, aws):
        raise InvalidRequestError(problems)
    organization = aws.organization(desired.management_account)
    if request.type == "Create":
        policy_id = changes.create(request.owner, desired, organization)
    else:
        policy_id = changes.update(request, desired, organization, aws.organization)
    return compose(request, policy_id, desired, verification.verify(policy_id, desired, organization))


def _is_rollback_without_changes(request: Request, desired: DesiredPolicy, aws: Aws) -> bool:
    """True for the rollback of an Update that changed nothing, so that its properties are in effect.

    An earlier version of this function may have accepted properties that a newer rule refuses, and the
    rollback of a later Update must not fail for that. An Update whose old properties describe the same policy
    without problems is not a rollback: its problems are new.
    """
    is_ours = request.properties.get("PolicyType") == POLICY_TYPE
    if request.type != "Update" or not is_ours or not desired.management_account:
        return False
    try:
        old, refused = read_properties(request.old_properties, aws.regions(), aws.read_object)
        if not refused and replace(old, verify=desired.verify, child=desired.child) == desired:
            return False
        return changes.is_in_effect(request, desired, aws.organization(desired.management_account))
    except PolicyManagerError as error:
        log.warning("action=compare policy=%s result=not-possible reason=%s", request.policy_id, error)
        return False


def delete(request: Request, aws: Aws) -> Response:
    """Succeeds without a call if there is nothing of ours. Wrong properties never fail a Delete."""
    account, name = account_of(request.properties), request.properties.get("PolicyName")
    is_ours = request.properties.get("PolicyType", POLICY_TYPE) == POLICY_TYPE
    if not account or not is_ours or request.physical_id == NOTHING_CREATED:
        log.info("action=Delete physical_id=%s result=nothing-to-delete", request.physical_id)
    elif request.policy_id:
        changes.delete(request, request.policy_id, aws.organization(account))
    elif isinstance(name, str):
        changes.delete_leftover(request, name, lambda: aws.organization(account))
    return Response(request.physical_id, {})
