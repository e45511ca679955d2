"""Roles that AWS services assume, such as CodeBuild's, and AWS Backup's service-linked role.

A service can assume a role if the role's trust policy names the service and its conditions hold; the service
sets the confused deputy keys aws:SourceAccount and aws:SourceArn. ministack's trust check allows any
account's root where a service is named. Here the trust policy is evaluated for the service principal alone,
and the session's identity policies are enforced like any other's.

A service-linked role is created once, by CreateServiceLinkedRole; a second request fails with InvalidInput
(https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html). The wording of that,
and of the error for a service without such a role, is known from public reports. ministack uses a code that
AWS does not have there, and creates a role for any service name.

Not emulated: session policies of a service; service-linked roles of services other than AWS Backup; that AWS
Backup creates its role itself at the first backup or when cross-account backup is set up, which creating a
vault does not do
(https://docs.aws.amazon.com/aws-backup/latest/devguide/using-service-linked-roles-AWSServiceRoleForBackup.html).
"""

import secrets
from http import HTTPStatus
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Handler, Request, Response
from rehearsal.emulator.extensions.identity import authorization
from rehearsal.emulator.extensions.pipeline import pipelines

# Services that document no aws:SourceAccount for the roles they assume; a trust policy must not require it.
_NO_SOURCE_KEYS = ("lambda.amazonaws.com",)
# Service → its service-linked role.
_SERVICE_LINKED_ROLES = {"backup.amazonaws.com": "AWSServiceRoleForBackup"}


def install() -> None:
    control.register("assume-role-as-service", assume_role_as_service)
    _record_refused_assumptions()
    _refuse_second_service_linked_roles()


def why_not_assumable(role_arn: str, service: str, source: str | None = None) -> str | None:
    """Why a service principal cannot assume a role; None if it can."""
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    role = hooks.iam._roles.get_scoped(account, None, name)
    if role is None or role["Arn"] != role_arn:
        return f"the role {role_arn} does not exist"
    keys = {} if service in _NO_SOURCE_KEYS else {"aws:sourceaccount": account}
    if source is not None:
        keys["aws:sourcearn"] = source
    context = hooks.iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=account,
        action="sts:AssumeRole",
        resource_arn="*",
        region=base.region(),
        service_context=keys,
    )
    decision = hooks.iam_evaluator.evaluate_resource_policy(
        role["AssumeRolePolicyDocument"], context, service=service
    ).decision
    return (
        None
        if decision == "Allow"
        else f"the trust policy of {role_arn} does not allow {service} to assume it"
    )


def assume_role_as_service(role: str, service: str, source: str | None = None) -> dict[str, Any]:
    """Credentials of a role for what a service runs; RefusedError if the trust policy does not allow it."""
    account, name = role.split(":")[4], role.rpartition("/")[2]
    refusal = why_not_assumable(role, service, source or _source_of(role, service))
    if refusal is not None:
        with base.scope(account, base.region()):
            authorization.record_denial(service, "sts:AssumeRole", role, refusal)
        raise control.RefusedError(refusal)
    session = service.partition(".")[0]
    credentials = {
        "AccessKeyId": f"ASIA{secrets.token_hex(8).upper()}",
        "SecretAccessKey": secrets.token_hex(20),
        "SessionToken": secrets.token_hex(32),
    }
    hooks.sts.register_session(
        credentials["AccessKeyId"],
        {
            "Arn": f"arn:{PARTITION}:sts::{account}:assumed-role/{name}/{session}",
            "UserId": f"{name}:{session}",
            "SecretAccessKey": credentials["SecretAccessKey"],
            "SessionToken": credentials["SessionToken"],
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        },
    )
    return credentials


def _record_refused_assumptions() -> None:
    """STS evaluates the trust policy itself, without the evaluator that records other denials."""

    async def respond(request: Request, own: Handler) -> Response:
        response = await own(request)
        if response[0] == HTTPStatus.FORBIDDEN and request.form.get("Action") == "AssumeRole":
            role = request.form.get("RoleArn", "")
            caller = hooks.iam_evaluator.request_caller_arn(request.headers, request.query)
            reason = "no such role, or it does not trust the caller"
            authorization.record_denial(caller, "sts:AssumeRole", role, reason)
        return response

    base.wrap_requests(hooks.sts, respond)


def _refuse_second_service_linked_roles() -> None:
    async def respond(request: Request, own: Handler) -> Response:
        refused = None
        if request.form.get("Action") == "CreateServiceLinkedRole":
            refused = _service_linked_refusal(request.form.get("AWSServiceName", ""))
        return refused or await own(request)

    base.wrap_requests(hooks.iam, respond)


def _service_linked_refusal(service: str) -> Response | None:
    """AWS's error if no service-linked role can be created for a service; None if one can."""
    name = _SERVICE_LINKED_ROLES.get(service)
    refused: Response | None = None
    if name is None:
        message = f"Cannot find Service Linked Role template for {service}"
        refused = hooks.iam._error(403, "AccessDenied", message, ns="iam")
    elif hooks.iam._roles.get_scoped(base.account(), None, name):
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        refused = hooks.iam._error(400, "InvalidInput", message, ns="iam")
    return refused


def _source_of(role: str, service: str) -> str | None:
    """The project or pipeline that uses a role, if the caller names no source."""
    if service == "codebuild.amazonaws.com":
        users = [(p["arn"], p["serviceRole"]) for p in hooks.codebuild._projects.all_values()]
    elif service == "codepipeline.amazonaws.com":
        users = pipelines.roles_in_use()
    else:
        users = []
    return next((arn for arn, used in users if used == role), None)
