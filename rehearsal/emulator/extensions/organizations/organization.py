"""Organizations: one organization for all accounts.

On AWS the management account changes the organization, and members and delegated administrators see what they
may. ministack gives every calling account an organization of its own, with random account IDs, without
delegated administrators, trusted access and paging, and accepts any JSON as a backup policy.

Emulated: one organization owned by the management account; fixed account IDs by account name; who may call
what; trusted access and delegated administrators, in the order that AWS requires; pages of 20; checks of
backup policies (backup_policies.py), DescribeEffectivePolicy and the two lists of invalid effective policies;
ListChildren; an organizational unit (OU) must be empty to be deleted; aws:PrincipalOrgID,
aws:PrincipalOrgPaths, aws:ResourceOrgID. ministack itself refuses duplicate names, attaching twice, detaching
what is not attached, and attaching while the policy type is not enabled.

Not emulated: service control policies have no effect, invitations, ConcurrentModificationException, request
rates.
"""

import json
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION, Configuration
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Handler, Request, Response
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import backup_policies

OnMove = Callable[[str, str, str], None]

_PAGE = 20
_PAGED = {
    "ListAccounts": "Accounts",
    "ListAccountsWithInvalidEffectivePolicy": "Accounts",
    "ListAccountsForParent": "Accounts",
    "ListChildren": "Children",
    "ListDelegatedAdministrators": "DelegatedAdministrators",
    "ListOrganizationalUnitsForParent": "OrganizationalUnits",
    "ListPolicies": "Policies",
    "ListPoliciesForTarget": "Policies",
    "ListTargetsForPolicy": "Targets",
}
_NO_ORGANIZATION = ApiError(
    "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."
)
_ACCESS_DENIED = ApiError("AccessDeniedException", "You don't have permissions to access this resource.")

_management = ""
_names: dict[str, str] = {}
_trusted: dict[str, float] = {}
_delegated: dict[str, dict[str, float]] = {}
_after_move: list[OnMove] = []


def install(configuration: Configuration) -> None:
    global _management
    _management = configuration.management
    _names.update(configuration.accounts)
    _serve_every_account()
    _add_operations()
    _add_condition_keys()


# -- what other extensions read ------------------------------------------------------------------------------


def management_account() -> str:
    return _management


def exists() -> bool:
    """Whether CreateOrganization has been called."""
    with base.scope(_management, base.region()):
        return "self" in hooks.organizations._orgs


def members() -> list[str]:
    """The IDs of all accounts of the organization, including the management account."""
    with base.scope(_management, base.region()):
        return list(hooks.organizations._accounts) if "self" in hooks.organizations._orgs else []


def record(identifier: str) -> dict[str, Any] | None:
    """The stored policy, OU, root or account with this ID."""
    organizations = hooks.organizations
    with base.scope(_management, base.region()):
        for store in (
            organizations._policies,
            organizations._ous,
            organizations._roots,
            organizations._accounts,
        ):
            if (found := store.get(identifier)) is not None:
                result: dict[str, Any] = found
                return result
    return None


def new_policy_arn(policy_type: str) -> str:
    """An ARN like the one that a new policy of a type gets."""
    return arn("policy", f"{policy_type.lower()}/p-new")


def arn(kind: str, name: str) -> str:
    """The ARN of something in the organization; kind: policy, root, ou or account."""
    with base.scope(_management, base.region()):
        organization = hooks.organizations._orgs["self"]["Id"] if exists() else "*"
    return f"arn:{PARTITION}:organizations::{_management}:{kind}/{organization}/{name}"


def accounts_under(parent: str) -> list[str]:
    """The accounts of a root or OU and of all OUs below it, without the management account."""
    organizations = hooks.organizations
    if record(parent) is None:
        raise ValueError(f"the organizational unit {parent} does not exist in the organization")
    with base.scope(_management, base.region()):
        parents = {parent}
        for unit in _units_below(parent):
            parents.add(unit)
        return [
            found["Id"]
            for found in organizations._accounts.values()
            if found["_ParentId"] in parents and found["Id"] != _management
        ]


def parents_of(account: str) -> list[str]:
    """The OUs and the root above an account or OU, nearest first."""
    found: list[str] = []
    current = record(account)
    while current is not None and (parent := current.get("_ParentId")):
        found.append(parent)
        current = record(parent)
    return found


def is_trusted(service: str) -> bool:
    """Whether trusted access is enabled for a service principal."""
    return service in _trusted


def is_delegated(account: str, service: str) -> bool:
    """Whether an account is a delegated administrator for a service principal."""
    return service in _delegated.get(account, {})


def enable_access(service: str) -> None:
    """Enable trusted access for a service principal."""
    _trusted.setdefault(service, time.time())


def disable_access(service: str) -> None:
    """Disable trusted access for a service principal."""
    _trusted.pop(service, None)


def on_move(call: OnMove) -> None:
    """Call `call(account, from_parent, to_parent)` after each move; a new account comes from ""."""
    _after_move.append(call)


def checking(
    check: Callable[[dict[str, Any]], None], operation: Callable[[dict[str, Any]], Response]
) -> Callable[[dict[str, Any]], Response]:
    """An operation that fails with the error that a check of its payload raises."""

    def checked(payload: dict[str, Any]) -> Response:
        check(payload)
        return operation(payload)

    return checked


# -- requests ------------------------------------------------------------------------------------------------


def _serve_every_account() -> None:
    async def respond(request: Request, own: Handler) -> Response:
        try:
            _refuse_caller(request.operation, base.account())
            with base.scope(_management, base.region()):
                response = await own(request)
        except ApiError as error:
            return base.json_error(error)
        return _page(request, response)

    base.wrap_requests(hooks.organizations, respond)


def _refuse_caller(operation: str, caller: str) -> None:
    if operation == "CreateOrganization":
        if exists() and caller in members():
            raise ApiError(
                "AlreadyInOrganizationException", "The AWS account is already a member of an organization."
            )
        if caller != _management:
            raise ApiError(
                "AccessDeniedException", f"only the account {_management} can create an organization here"
            )
        return
    if caller not in members():
        raise _NO_ORGANIZATION
    reads = operation.startswith(("List", "Describe"))
    if (
        caller != _management
        and operation != "DescribeOrganization"
        and not (_delegated.get(caller) and reads)
    ):
        raise _ACCESS_DENIED


def _page(request: Request, response: Response) -> Response:
    key = _PAGED.get(request.operation)
    status, _, body = response
    if key is None or status != HTTPStatus.OK:
        return response
    content, payload = json.loads(body), request.json
    content[key], token = base.page(content[key], payload.get("NextToken"), payload.get("MaxResults"), _PAGE)
    return base.json_response(content if token is None else {**content, "NextToken": token})


def _add_operations() -> None:
    dispatch = hooks.organizations._DISPATCH
    for name, operation in _OPERATIONS.items():
        dispatch[name] = _responding(operation)
    for name, check in _CHECKS.items():
        dispatch[name] = checking(check, dispatch[name])
    move = dispatch["MoveAccount"]

    def move_account(payload: dict[str, Any]) -> Response:
        response: Response = move(payload)
        if response[0] == HTTPStatus.OK:
            _moved(payload["AccountId"], payload["SourceParentId"], payload["DestinationParentId"])
        return response

    dispatch["MoveAccount"] = checking(_check_move, move_account)
    dispatch["CreateAccount"] = _create_account


def _responding(operation: base.Operation) -> Callable[[dict[str, Any]], Response]:
    return lambda payload: base.json_response(operation(payload))


def _moved(account: str, source: str, destination: str) -> None:
    for call in _after_move:
        call(account, source, destination)


def _create_organization(payload: dict[str, Any]) -> dict[str, Any]:
    if payload.get("FeatureSet", "ALL") != "ALL":
        raise ApiError("InvalidInputException", "only an organization with all features is emulated")
    organizations = hooks.organizations
    organizations._ensure_org()
    organizations._accounts[_management]["Name"] = "management"
    return {"Organization": dict(organizations._orgs["self"])}


def _create_account(payload: dict[str, Any]) -> Response:
    """ministack's own, with the ID that belongs to the account's name instead of the random one."""
    response: Response = hooks.organizations._create_account(payload)
    status = json.loads(response[2]).get("CreateAccountStatus")
    if status is None:
        return response
    _give_id(status, _names.get(payload["AccountName"], status["AccountId"]))
    account = status["AccountId"]
    _moved(account, "", hooks.organizations._accounts[account]["_ParentId"])
    return base.json_response({"CreateAccountStatus": status})


def _give_id(status: dict[str, Any], wanted: str) -> None:
    """Replace the random ID of a new account."""
    organizations, random = hooks.organizations, status["AccountId"]
    account = organizations._accounts.pop(random)
    organizations._accounts[wanted] = {**account, "Id": wanted, "Arn": account["Arn"].replace(random, wanted)}
    if random in organizations._tags:
        organizations._tags[wanted] = organizations._tags.pop(random)
    attached = organizations._attachments[organizations.FULL_ACCESS_POLICY_ID]
    organizations._attachments[organizations.FULL_ACCESS_POLICY_ID] = [
        wanted if target == random else target for target in attached
    ]
    status["AccountId"] = organizations._create_statuses[status["Id"]]["AccountId"] = wanted


def _enable_service_access(payload: dict[str, Any]) -> dict[str, Any]:
    enable_access(payload["ServicePrincipal"])
    return {}


def _disable_service_access(payload: dict[str, Any]) -> dict[str, Any]:
    disable_access(payload["ServicePrincipal"])
    return {}


def _list_service_access(_payload: dict[str, Any]) -> dict[str, Any]:
    enabled = [{"ServicePrincipal": service, "DateEnabled": since} for service, since in _trusted.items()]
    return {"EnabledServicePrincipals": enabled}


def _register_administrator(payload: dict[str, Any]) -> dict[str, Any]:
    account, service = payload["AccountId"], payload["ServicePrincipal"]
    if account not in members():
        raise ApiError(
            "AccountNotFoundException", f"We can't find an AWS account with the AccountId {account}"
        )
    if account == _management:
        raise ApiError(
            "ConstraintViolationException",
            "You cannot register the management account as a delegated administrator for your organization.",
        )
    if not is_trusted(service):
        raise ApiError(
            "ConstraintViolationException",
            "You attempted to register a delegated administrator before you enabled service access for "
            f"{service}. Call the EnableAWSServiceAccess API first.",
        )
    if is_delegated(account, service):
        raise ApiError(
            "AccountAlreadyRegisteredException",
            f"The account {account} is already a delegated administrator for {service}.",
        )
    _delegated.setdefault(account, {})[service] = time.time()
    return {}


def _deregister_administrator(payload: dict[str, Any]) -> dict[str, Any]:
    account, service = payload["AccountId"], payload["ServicePrincipal"]
    if not is_delegated(account, service):
        raise ApiError(
            "AccountNotRegisteredException",
            f"The account {account} is not a delegated administrator for {service}.",
        )
    del _delegated[account][service]
    return {}


def _list_administrators(payload: dict[str, Any]) -> dict[str, Any]:
    wanted = payload.get("ServicePrincipal")
    found = []
    for account, services in _delegated.items():
        if services and (wanted is None or wanted in services):
            stored = hooks.organizations._accounts[account]
            public = {key: value for key, value in stored.items() if not key.startswith("_")}
            found.append({**public, "DelegationEnabledDate": min(services.values())})
    return {"DelegatedAdministrators": found}


def _list_delegated_services(payload: dict[str, Any]) -> dict[str, Any]:
    services = _delegated.get(payload["AccountId"], {})
    if not services:
        raise ApiError(
            "AccountNotRegisteredException",
            f"The account {payload['AccountId']} is not a delegated administrator.",
        )
    return {
        "DelegatedServices": [
            {"ServicePrincipal": service, "DelegationEnabledDate": since}
            for service, since in services.items()
        ]
    }


def _list_children(payload: dict[str, Any]) -> dict[str, Any]:
    parent, kind = payload["ParentId"], payload["ChildType"]
    _check_parent(parent)
    store = hooks.organizations._accounts if kind == "ACCOUNT" else hooks.organizations._ous
    children = [
        {"Id": found["Id"], "Type": kind} for found in store.values() if found.get("_ParentId") == parent
    ]
    return {"Children": children}


def _levels(target: str, kind: str) -> list[list[dict[str, Any]]]:
    """The contents of the policies attached to the root, to each OU below it, and to the target itself."""
    organizations = hooks.organizations
    return [
        [
            json.loads(policy["_Content"])
            for identifier, policy in organizations._policies.items()
            if policy["Type"] == kind and place in (organizations._attachments.get(identifier) or [])
        ]
        for place in reversed([target, *parents_of(target)])
    ]


def _describe_effective_policy(payload: dict[str, Any]) -> dict[str, Any]:
    kind = payload["PolicyType"]
    target = payload.get("TargetId") or _management
    if hooks.organizations._target(target)[0] is None:
        raise ApiError("TargetNotFoundException", f"We can't find a target with the TargetId {target}")
    levels = _levels(target, kind)
    if not any(levels):
        raise ApiError(
            "EffectivePolicyNotFoundException", f"no policy of type {kind} takes effect for {target}"
        )
    content = json.dumps(backup_policies.effective(levels), separators=(",", ":"))
    effective = {
        "PolicyContent": content,
        "LastUpdatedTimestamp": time.time(),
        "TargetId": target,
        "PolicyType": kind,
    }
    return {"EffectivePolicy": effective}


def _list_invalid_accounts(payload: dict[str, Any]) -> dict[str, Any]:
    kind = payload["PolicyType"]
    invalid = [
        {key: value for key, value in account.items() if not key.startswith("_") and key != "Path"}
        for identifier, account in hooks.organizations._accounts.items()
        if backup_policies.conflicts(_levels(identifier, kind))
    ]
    return {"Accounts": invalid, "PolicyType": kind}


def _list_validation_errors(payload: dict[str, Any]) -> dict[str, Any]:
    account, kind = payload["AccountId"], payload["PolicyType"]
    if account not in members():
        raise ApiError("AccountNotFoundException", f"We can't find an account with the AccountId {account}")
    errors = [
        {
            "ErrorCode": "CONFLICTING_VALUES",
            "ErrorMessage": "policies attached to the same target assign different values",
            "PathToError": path,
            "ContributingPolicies": [],
        }
        for path in backup_policies.conflicts(_levels(account, kind))
    ]
    return {
        "AccountId": account,
        "PolicyType": kind,
        "Path": organization_path(account),
        "EvaluationTimestamp": time.time(),
        "EffectivePolicyValidationErrors": errors,
    }


def _check_parent(parent: str) -> None:
    if hooks.organizations._target(parent)[1] not in ("ROOT", "ORGANIZATIONAL_UNIT"):
        raise ApiError("ParentNotFoundException", f"We can't find a root or OU with the ParentId {parent}")


def _check_move(payload: dict[str, Any]) -> None:
    account = hooks.organizations._accounts.get(payload.get("AccountId"))
    if account is not None and account["_ParentId"] != payload.get("SourceParentId"):
        raise ApiError(
            "SourceParentNotFoundException",
            f"The account {account['Id']} is in {account['_ParentId']}, not {payload.get('SourceParentId')}.",
        )


def _check_deleted_unit(payload: dict[str, Any]) -> None:
    unit = payload.get("OrganizationalUnitId")
    organizations = hooks.organizations
    stores = (organizations._accounts, organizations._ous)
    if any(found.get("_ParentId") == unit for store in stores for found in store.values()):
        raise ApiError("OrganizationalUnitNotEmptyException", f"The organizational unit {unit} is not empty.")


def _check_created_policy(payload: dict[str, Any]) -> None:
    if payload.get("Type") == "BACKUP_POLICY":
        backup_policies.check(payload.get("Content") or "")
    backup_policies.check_names(payload)


def _check_updated_policy(payload: dict[str, Any]) -> None:
    policy = hooks.organizations._policies.get(payload.get("PolicyId")) or {}
    if policy.get("Type") == "BACKUP_POLICY" and payload.get("Content") is not None:
        backup_policies.check(payload["Content"])
    backup_policies.check_names(payload)


def _check_attachment(payload: dict[str, Any]) -> None:
    organizations = hooks.organizations
    target = payload.get("TargetId")
    kind = (organizations._policies.get(payload.get("PolicyId")) or {}).get("Type")
    attached = [
        identifier
        for identifier, targets in organizations._attachments.items()
        if target in targets and (organizations._policies.get(identifier) or {}).get("Type") == kind
    ]
    if len(attached) >= backup_policies.ATTACHED_POLICIES and payload.get("PolicyId") not in attached:
        raise ApiError(
            "ConstraintViolationException",
            f"You have attached the maximum number of {kind} policies "
            f"({backup_policies.ATTACHED_POLICIES}) to the specified target {target}.",
        )


def _units_below(parent: str) -> Iterator[str]:
    for unit in hooks.organizations._ous.values():
        if unit["_ParentId"] == parent:
            yield unit["Id"]
            yield from _units_below(unit["Id"])


_OPERATIONS: dict[str, base.Operation] = {
    "CreateOrganization": _create_organization,
    "DeregisterDelegatedAdministrator": _deregister_administrator,
    "DescribeEffectivePolicy": _describe_effective_policy,
    "DisableAWSServiceAccess": _disable_service_access,
    "EnableAWSServiceAccess": _enable_service_access,
    "ListAWSServiceAccessForOrganization": _list_service_access,
    "ListAccountsWithInvalidEffectivePolicy": _list_invalid_accounts,
    "ListChildren": _list_children,
    "ListDelegatedAdministrators": _list_administrators,
    "ListDelegatedServicesForAccount": _list_delegated_services,
    "ListEffectivePolicyValidationErrors": _list_validation_errors,
    "RegisterDelegatedAdministrator": _register_administrator,
}

_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "AttachPolicy": _check_attachment,
    "CreatePolicy": _check_created_policy,
    "DeleteOrganizationalUnit": _check_deleted_unit,
    "UpdatePolicy": _check_updated_policy,
}


# -- condition keys ------------------------------------------------------------------------------------------


def organization_path(account: str) -> str:
    """aws:PrincipalOrgPaths of an account: o-…/r-…/ou-…/ou-…/"""
    with base.scope(_management, base.region()):
        organization = hooks.organizations._orgs["self"]["Id"]
    return "/".join([organization, *reversed(parents_of(account))]) + "/"


def _organization_id(account: str) -> str | None:
    if account not in members():
        return None
    with base.scope(_management, base.region()):
        return str(hooks.organizations._orgs["self"]["Id"])


def _add_condition_keys() -> None:
    others = hooks.iam_evaluator._resolve_condition_key

    def resolve(key: str, context: Any) -> Any:
        account = context.principal_account
        match key.lower():
            case "aws:principalorgpaths":
                return [organization_path(account)] if account in members() else None
            case "aws:resourceorgid":
                owner = context.resource_arn.split(":")[4:5] or [""]
                return _organization_id(owner[0] or account)
            case _:
                return others(key, context)

    hooks.iam_evaluator._resolve_condition_key = resolve
    hooks.iam_evaluator._principal_org_id = _organization_id
