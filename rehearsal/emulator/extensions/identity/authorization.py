"""IAM: every request is evaluated on all resources that AWS evaluates it on, and denials are recorded.

ministack evaluates one ARN per request. Here a request that names several resources needs an Allow for each,
and one that creates a policy with tags also needs organizations:TagResource. aws:PrincipalArn is the role's
ARN in a session too, aws:PrincipalIsAWSService is false for callers; organizations:PolicyType and
ServicePrincipal are known. (organization.py has the keys of the organization.)

Not emulated: iam:PassRole, except for the role of a stack operation (stack_roles.py); the permissions of the
roles that CloudFormation and StackSets run with.
"""

import time
from collections.abc import Iterable
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Request
from rehearsal.emulator.extensions.identity import resource_arns
from rehearsal.emulator.extensions.organizations import organization

_denials: list[dict[str, Any]] = []


def install() -> None:
    _enforce_every_resource()
    _add_request_keys()
    _add_principal_keys()
    control.register("denied", lambda: list(_denials))


def record_denial(principal: str, action: str, resource: str, reason: str) -> None:
    """Keep a denial for the control operation `denied`."""
    _denials.append(
        {
            "time": time.time(),
            "account": base.account(),
            "principal": principal,
            "action": action,
            "resource": resource,
            "reason": reason,
        }
    )


def _enforce_every_resource() -> None:
    enforce_one = hooks.iam_evaluator.enforce

    def enforce(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        resources = (resource_arn, *resource_arns.take_further())
        for checked, resource in _checks(action, resources, service_context or {}):
            refused = enforce_one(access_key, checked, service, region, resource, service_context)
            if refused is not None:
                _record(refused, checked, resource)
                return refused
        return None

    hooks.iam_evaluator.enforce = enforce


def _checks(action: str, resources: tuple[str, ...], context: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """The (action, resource) pairs that a request needs."""
    yield from ((action, resource) for resource in resources)
    if action == "organizations:CreatePolicy" and "aws:TagKeys" in context:
        policy_type = str(context.get("organizations:policytype", ""))
        yield "organizations:TagResource", organization.new_policy_arn(policy_type)


def _record(refused: Any, action: str, resource: str) -> None:
    if isinstance(refused, hooks.iam_evaluator.EvalResult):
        reason = "explicit deny" if refused.decision == "Deny" else "no policy allows it"
        record_denial(refused.principal_arn, action, resource, reason)
    else:
        record_denial("", action, resource, f"{refused.code}: {refused.message}")


def role_allows(role_arn: str, action: str, resource: str, keys: dict[str, str] | None = None) -> bool:
    """Whether a role's identity policies allow an action on a resource; keys: lowercase condition keys."""
    evaluator = hooks.iam_evaluator
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    with base.scope(account, base.region()):
        policies = evaluator._gather_role_policies(name, account)
    context = evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=base.region(),
        service_context=keys or {},
    )
    return bool(evaluator.evaluate(context, policies).decision == "Allow")


# -- condition keys ------------------------------------------------------------------------------------------


def _add_request_keys() -> None:
    tag_keys = hooks.iam_actions.request_tag_context

    def request_context(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        keys: dict[str, Any] = tag_keys(service, action, body, parameters)
        if service == "organizations":
            keys |= _organizations_keys(Request("POST", "/", {}, body, {}).json)
        return keys

    hooks.iam_actions.request_tag_context = request_context


def _add_principal_keys() -> None:
    others = hooks.iam_evaluator._resolve_condition_key

    def resolve(key: str, context: Any) -> Any:
        match key.lower():
            case "aws:principalarn":
                return role_of(context.principal_arn)
            case "aws:principalisawsservice":
                return str(context.principal_type == "Service").lower()
            case _:
                return others(key, context)

    hooks.iam_evaluator._resolve_condition_key = resolve


def role_of(principal: str) -> str:
    """The ARN of the role of a session's ARN; any other ARN as it is."""
    account, _, resource = principal.partition("::")[2].partition(":")
    kind, _, name = resource.partition("/")
    if kind != "assumed-role":
        return principal
    role = hooks.iam._roles.get_scoped(account, None, name.partition("/")[0])
    return str(role["Arn"]) if role else principal


def _organizations_keys(body: dict[str, Any]) -> dict[str, str]:
    """organizations:PolicyType, given or of the policy that is named, and organizations:ServicePrincipal."""
    policy = organization.record(str(body.get("PolicyId") or body.get("ResourceId"))) or {}
    types = (body.get("PolicyType"), body.get("Filter"), body.get("Type"), policy.get("Type"))
    keys = {"organizations:policytype": next((str(each) for each in types if each), "")}
    keys["organizations:serviceprincipal"] = str(body.get("ServicePrincipal") or "")
    return {key: value for key, value in keys.items() if value}
