"""CloudFormation's read calls about StackSets, and organizations access; ministack has neither.

ListStackSets, DescribeStackSet, ListStackInstances, DescribeStackInstance, ListStackSetOperations,
DescribeStackSetOperation and ListStackSetOperationResults return what resource.py keeps. As on AWS, CallAs
decides which sets are visible: SELF those with SELF_MANAGED permissions (in the management account all),
DELEGATED_ADMIN those with SERVICE_MANAGED permissions. ActivateOrganizationsAccess,
DeactivateOrganizationsAccess and DescribeOrganizationsAccess change and show trusted access.

The StackSetARN that DescribeStackSet returns to a delegated administrator names the management account:
"StackSets with service-managed permissions are created in the management account, including StackSets that
are created by delegated administrators" (CloudFormation API Reference, CreateStackSet, CallAs). AWS does not
document which account the ARN names, nor on which account's ARN the call is authorized: the management
account is a conclusion, and calls are authorized on the caller's ARN (resource_arns.py).

Not emulated: the calls that change a StackSet.
"""

import datetime
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Response
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import organization
from rehearsal.emulator.extensions.stacksets.model import Instance, Operation, StackSet
from rehearsal.emulator.extensions.stacksets.resource import SERVICE, own

Parameters = dict[str, Any]
_PAGE = 100


def install() -> None:
    for name, operation in _OPERATIONS.items():
        hooks.cloudformation_handlers._ACTION_HANDLERS[name] = _responding(name, operation)


def _responding(
    name: str, operation: Callable[[Parameters], dict[str, Any]]
) -> Callable[[Parameters], Response]:
    def respond(parameters: Parameters) -> Response:
        try:
            content = _xml(operation(parameters))
        except ApiError as error:
            refused: Response = hooks.cloudformation_helpers._error(error.code, error.message, error.status)
            return refused
        done: Response = hooks.cloudformation_helpers._xml(
            200, f"{name}Response", f"<{name}Result>{content}</{name}Result>"
        )
        return done

    return respond


def _xml(value: Any) -> str:
    """A value in the query protocol: maps by key, lists as <member>, without None."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{_xml(each)}</{key}>" for key, each in value.items() if each is not None)
    if isinstance(value, list):
        return "".join(f"<member>{_xml(each)}</member>" for each in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


def _text(parameters: Parameters, name: str) -> str:
    return str(hooks.cloudformation_helpers._p(parameters, name))


def _paged(parameters: Parameters, entries: list[dict[str, Any]]) -> dict[str, Any]:
    shown, token = base.page(entries, _text(parameters, "NextToken"), _text(parameters, "MaxResults"), _PAGE)
    return {"Summaries": shown, "NextToken": token}


def _visible(parameters: Parameters) -> list[StackSet]:
    delegated = _text(parameters, "CallAs") == "DELEGATED_ADMIN"
    if delegated and not organization.is_delegated(base.account(), SERVICE):
        raise ApiError("ValidationError", "You must be a delegated admin account to call as DELEGATED_ADMIN")
    if base.account() == organization.management_account():
        return own()
    return [found for found in own() if found.service_managed == delegated]


def _stack_set(parameters: Parameters) -> StackSet:
    wanted = _text(parameters, "StackSetName")
    for found in _visible(parameters):
        if wanted in (found.name, found.identifier):
            return found
    raise ApiError("StackSetNotFoundException", f"StackSet {wanted} not found", HTTPStatus.NOT_FOUND)


def _operation(parameters: Parameters) -> tuple[StackSet, Operation]:
    stack_set, wanted = _stack_set(parameters), _text(parameters, "OperationId")
    for operation in stack_set.operations:
        if operation.identifier == wanted:
            return stack_set, operation
    raise ApiError("OperationNotFoundException", f"Operation {wanted} not found", HTTPStatus.NOT_FOUND)


def _set_summary(stack_set: StackSet) -> dict[str, Any]:
    properties = stack_set.properties
    deployment = properties.get("AutoDeployment") if stack_set.service_managed else None
    execution = properties.get("ManagedExecution")
    return {
        "StackSetName": stack_set.name,
        "StackSetId": stack_set.identifier,
        "Description": properties.get("Description"),
        "Status": "ACTIVE",
        "PermissionModel": properties.get("PermissionModel", "SELF_MANAGED"),
        "AutoDeployment": deployment,
        "ManagedExecution": execution,
    }


def _describe_set(parameters: Parameters) -> dict[str, Any]:
    stack_set = _stack_set(parameters)
    groups = stack_set.properties.get("StackInstancesGroup") or []
    units = {
        unit for group in groups for unit in group["DeploymentTargets"].get("OrganizationalUnitIds") or []
    }
    content = stack_set.content
    return {
        "StackSet": {
            **_set_summary(stack_set),
            "StackSetARN": stack_set.arn,
            "TemplateBody": content.body,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in content.parameters.items()
            ],
            "Capabilities": list(content.capabilities),
            "Tags": [{"Key": key, "Value": value} for key, value in content.tags.items()],
            "OrganizationalUnitIds": sorted(units),
            "Regions": sorted({region for group in groups for region in group["Regions"]}),
        }
    }


def _instance(stack_set: StackSet, instance: Instance) -> dict[str, Any]:
    return {
        "StackSetId": stack_set.identifier,
        "Region": instance.place.region,
        "Account": instance.place.account,
        "StackId": instance.stack_id or None,
        "Status": instance.status,
        "StatusReason": instance.reason or None,
        "StackInstanceStatus": {"DetailedStatus": instance.detail},
        "OrganizationalUnitId": instance.unit,
        "DriftStatus": "NOT_CHECKED",
        "LastOperationId": instance.operation,
    }


def _list_instances(parameters: Parameters) -> dict[str, Any]:
    stack_set = _stack_set(parameters)
    account, region = _text(parameters, "StackInstanceAccount"), _text(parameters, "StackInstanceRegion")
    found = [
        _instance(stack_set, instance)
        for place, instance in sorted(
            stack_set.instances.items(), key=lambda each: (each[0].account, each[0].region)
        )
        if account in ("", place.account) and region in ("", place.region)
    ]
    return _paged(parameters, found)


def _describe_instance(parameters: Parameters) -> dict[str, Any]:
    stack_set = _stack_set(parameters)
    account, region = _text(parameters, "StackInstanceAccount"), _text(parameters, "StackInstanceRegion")
    for place, instance in stack_set.instances.items():
        if (place.account, place.region) == (account, region):
            overrides = [
                {"ParameterKey": key, "ParameterValue": value} for key, value in instance.overrides.items()
            ]
            return {"StackInstance": {**_instance(stack_set, instance), "ParameterOverrides": overrides}}
    raise ApiError(
        "StackInstanceNotFoundException",
        f"Stack instance {account}/{region} of {stack_set.name} not found",
        HTTPStatus.NOT_FOUND,
    )


def _operation_summary(operation: Operation) -> dict[str, Any]:
    return {
        "OperationId": operation.identifier,
        "Action": operation.action,
        "Status": operation.status,
        "CreationTimestamp": _moment(operation.started),
        "EndTimestamp": _moment(operation.ended) if operation.ended is not None else None,
    }


def _describe_operation(parameters: Parameters) -> dict[str, Any]:
    stack_set, operation = _operation(parameters)
    return {"StackSetOperation": {**_operation_summary(operation), "StackSetId": stack_set.identifier}}


def _list_results(parameters: Parameters) -> dict[str, Any]:
    _, operation = _operation(parameters)
    results = [
        {
            "Account": result.place.account,
            "Region": result.place.region,
            "Status": result.status,
            "StatusReason": result.reason or None,
            "OrganizationalUnitId": result.unit,
        }
        for result in operation.results
    ]
    return _paged(parameters, results)


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def _refuse_members() -> None:
    if base.account() != organization.management_account():
        raise ApiError(
            "InvalidOperationException", "Only the management account can change organizations access"
        )


def _activate(_parameters: Parameters) -> dict[str, Any]:
    _refuse_members()
    organization.enable_access(SERVICE)
    return {}


def _deactivate(_parameters: Parameters) -> dict[str, Any]:
    _refuse_members()
    organization.disable_access(SERVICE)
    return {}


def _list_sets(parameters: Parameters) -> dict[str, Any]:
    wanted = _text(parameters, "Status") or "ACTIVE"
    sets = [_set_summary(found) for found in _visible(parameters)] if wanted == "ACTIVE" else []
    return _paged(parameters, sets)


def _list_operations(parameters: Parameters) -> dict[str, Any]:
    newest_first = reversed(_stack_set(parameters).operations)
    return _paged(parameters, [_operation_summary(operation) for operation in newest_first])


_OPERATIONS: dict[str, Callable[[Parameters], dict[str, Any]]] = {
    "ActivateOrganizationsAccess": _activate,
    "DeactivateOrganizationsAccess": _deactivate,
    "DescribeOrganizationsAccess": lambda _: {
        "Status": "ENABLED" if organization.is_trusted(SERVICE) else "DISABLED"
    },
    "DescribeStackInstance": _describe_instance,
    "DescribeStackSet": _describe_set,
    "DescribeStackSetOperation": _describe_operation,
    "ListStackInstances": _list_instances,
    "ListStackSetOperationResults": _list_results,
    "ListStackSetOperations": _list_operations,
    "ListStackSets": _list_sets,
}
