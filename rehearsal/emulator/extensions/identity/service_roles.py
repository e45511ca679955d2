"""Roles that AWS services assume: CodePipeline, CodeBuild and the like, and AWS Backup's service-linked role.

AWS lets a service assume a role if the role's trust policy names the service and its conditions hold; the
confused deputy keys aws:SourceAccount and aws:SourceArn are set by the service. ministack's own trust check
lets any account root through wherever a service is named, so it can't tell; here the trust policy is
evaluated for the service alone, and the session that comes out is held to the role's identity policies like
any other.

A service-linked role is made once, by CreateServiceLinkedRole; a second request is refused with InvalidInput
(https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html). The words of that and
of the refusal for a service without such a role are known from public reports. ministack answers the second
request with a code that AWS does not have there, and makes a role for any word that it is given.

Not emulated: session policies of a service; service-linked roles of services other than AWS Backup; that AWS
Backup makes its role by itself at the first backup or at the setup of cross-account backup, which creating a
vault does not do
(https://docs.aws.amazon.com/aws-backup/latest/devguide/using-service-linked-roles-AWSServiceRoleForBackup.html).
"""

import secrets
import urllib.parse
from http import HTTPStatus
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Answer
from rehearsal.emulator.extensions.identity import iam
from rehearsal.emulator.extensions.pipeline import codepipeline

# Services that document no aws:SourceAccount for the roles they assume: a trust that demands one fails on
# AWS.
_NO_SOURCE_KEYS = ("lambda.amazonaws.com",)
# Service → its service-linked role.
_SERVICE_LINKED_ROLES = {"backup.amazonaws.com": "AWSServiceRoleForBackup"}


def install() -> None:
    control.register("assume-role-as-service", assume_role_as_service)
    _record_refused_assumptions()
    _refuse_second_service_linked_roles()


def trusts_service(role_arn: str, service: str, source: str | None = None) -> str | None:
    """Why a role cannot be assumed by a service principal, or None when it can."""
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
    return None if decision == "Allow" else f"the trust policy of {role_arn} does not let {service} assume it"


def assume_role_as_service(role: str, service: str, source: str | None = None) -> dict[str, Any]:
    """Credentials of a role for what a service runs; refused with the reason if the trust policy says no."""
    account, name = role.split(":")[4], role.rpartition("/")[2]
    refusal = trusts_service(role, service, source or _source_of(role, service))
    if refusal is not None:
        with base.scope(account, base.region()):
            iam.record_denial(service, "sts:AssumeRole", role, refusal)
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
    """STS asks the trust policy by itself, past the evaluator that records the other refusals."""
    ministacks_own = hooks.sts.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Answer:
        answer: Answer = await ministacks_own(method, path, headers, body, query)
        request = urllib.parse.parse_qs(body.decode(errors="replace"))
        if answer[0] == HTTPStatus.FORBIDDEN and request.get("Action") == ["AssumeRole"]:
            role = request.get("RoleArn", [""])[0]
            caller = hooks.iam_evaluator.request_caller_arn(headers, query)
            iam.record_denial(caller, "sts:AssumeRole", role, "no such role, or it does not trust the caller")
        return answer

    hooks.sts.handle_request = handle_request


def _refuse_second_service_linked_roles() -> None:
    ministacks_own = hooks.iam.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Answer:
        request = urllib.parse.parse_qs(body.decode(errors="replace"))
        refused = None
        if request.get("Action") == ["CreateServiceLinkedRole"]:
            refused = _service_linked_refusal(request.get("AWSServiceName", [""])[0])
        answer: Answer = refused or await ministacks_own(method, path, headers, body, query)
        return answer

    hooks.iam.handle_request = handle_request


def _service_linked_refusal(service: str) -> Answer | None:
    """AWS's answer when no service-linked role can be made for a service, or None when one can."""
    name = _SERVICE_LINKED_ROLES.get(service)
    refused: Answer | None = None
    if name is None:
        message = f"Cannot find Service Linked Role template for {service}"
        refused = hooks.iam._error(403, "AccessDenied", message, ns="iam")
    elif hooks.iam._roles.get_scoped(base.account(), None, name):
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        refused = hooks.iam._error(400, "InvalidInput", message, ns="iam")
    return refused


def _source_of(role: str, service: str) -> str | None:
    """The project or pipeline that runs with a role, when the caller does not say on whose behalf it asks."""
    if service == "codebuild.amazonaws.com":
        users = [(p["arn"], p["serviceRole"]) for p in hooks.codebuild._projects.all_values()]
    elif service == "codepipeline.amazonaws.com":
        users = codepipeline.roles_in_use()
    else:
        users = []
    return next((arn for arn, used in users if used == role), None)
