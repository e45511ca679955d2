"""IAM: refusals are recorded, and requests are evaluated on the resource ARNs that AWS evaluates them on.

AWS evaluates a request on the ARNs that the Service Authorization Reference lists for its action; a request
that names several resources needs an Allow for each. ministack knows one ARN per request and falls back to
`*` (or to an ARN that does not exist) for the calls below, so a policy that is too narrow passes or one that
is right fails.

Emulated: the ARNs of dynamodb, ec2, rds and elasticfilesystem tagging, of the file system that is described,
of organizations, of stack sets, of backup vaults and recovery points, of codecommit and codepipeline; the
condition keys organizations:PolicyType and ServicePrincipal; aws:PrincipalOrgID and aws:PrincipalOrgPaths are
in organizations.py. The AWS-managed policies that AWS Backup's default role takes are known with the services
they cover; every other AWS-managed policy that ministack does not know is refused as not existing.

Not emulated: iam:PassRole but for the role of a stack (cloudformation.py), and the permissions of the roles
that CloudFormation and StackSets run with.
"""

import json
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Answer
from rehearsal.emulator.extensions.organizations import organizations

_denials: list[dict[str, Any]] = []
_further_resources: ContextVar[tuple[str, ...]] = ContextVar("further_resources", default=())


def install() -> None:
    _enforce_every_resource()
    _replace_resource_arns()
    _add_condition_keys()
    _add_principal_keys()
    _add_managed_policies()
    _refuse_unknown_policies()
    control.register("denied", lambda: list(_denials))


def record_denial(principal: str, action: str, resource: str, reason: str) -> None:
    """Remember a refusal for the `denied` control operation."""
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
        further, _ = _further_resources.get(), _further_resources.set(())
        for checked, resource in _checks(action, (resource_arn, *further), service_context or {}):
            refused = enforce_one(access_key, checked, service, region, resource, service_context)
            if refused is not None:
                _record(refused, checked, resource)
                return refused
        return None

    hooks.iam_evaluator.enforce = enforce


def _checks(action: str, resources: tuple[str, ...], context: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """The (action, resource) pairs that a request needs; a policy that is made with tags also needs
    TagResource.
    """
    yield from ((action, resource) for resource in resources)
    if action == "organizations:CreatePolicy" and "aws:TagKeys" in context:
        kind = str(context.get("organizations:policytype", ""))
        yield "organizations:TagResource", organizations.new_policy_arn(kind)


def _record(refused: Any, action: str, resource: str) -> None:
    if isinstance(refused, hooks.iam_evaluator.EvalResult):
        reason = "explicit deny" if refused.decision == "Deny" else "no policy allows it"
        record_denial(refused.principal_arn, action, resource, reason)
    else:
        record_denial("", action, resource, f"{refused.code}: {refused.message}")


def role_allows(role_arn: str, action: str, resource: str, keys: dict[str, str] | None = None) -> bool:
    """Whether the identity policies of a role allow an action on a resource; keys: of the request, lower
    case.
    """
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


# -- resource ARNs -------------------------------------------------------------------------------------------

Finder = Callable[["Request"], Iterable[str]]


class Request:
    """What is known about a request when its resource ARN is looked for."""

    def __init__(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> None:
        self.method = method
        self.parts = path.strip("/").split("/")
        self.target = headers.get("x-amz-target", "").rpartition(".")[2]
        self.query = query
        self._body = body

    @property
    def json(self) -> dict[str, Any]:
        try:
            body = json.loads(self._body or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def parameter(self, name: str) -> str:
        value = self.query.get(name) or ""
        return str(value[0] if isinstance(value, list) else value)

    def numbered(self, prefix: str) -> list[str]:
        """The values of query parameters prefix.1, prefix.2, …"""
        numbers = range(1, 1001)
        names = [name for number in numbers if (name := f"{prefix}.{number}") in self.query]
        return [self.parameter(name) for name in names]


_EC2_TYPES = {
    "ami": "image",
    "eni": "network-interface",
    "fs": "file-system",
    "i": "instance",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}


_EC2_WITHOUT_ACCOUNT = ("image", "snapshot")


def _dynamodb(request: Request) -> Iterable[str]:
    if request.target in ("TagResource", "UntagResource", "ListTagsOfResource"):
        yield request.json.get("ResourceArn", "*")


def _ec2(request: Request) -> Iterable[str]:
    """Tagging needs each resource; no Describe call of many resources supports any."""
    action = request.parameter("Action")
    if action in ("CreateTags", "DeleteTags"):
        for resource in request.numbered("ResourceId"):
            kind = _EC2_TYPES.get(resource.partition("-")[0], "*")
            owner = "" if kind in _EC2_WITHOUT_ACCOUNT else base.account()
            yield f"arn:{PARTITION}:ec2:{base.region()}:{owner}:{kind}/{resource}"
    elif action.startswith("Describe") and not action.endswith("Attribute"):
        yield "*"


def _rds(request: Request) -> Iterable[str]:
    if request.parameter("Action") in ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"):
        yield request.parameter("ResourceName") or "*"


def _elasticfilesystem(request: Request) -> Iterable[str]:
    if request.parts[1:] == ["file-systems"] and (described := request.parameter("FileSystemId")):
        yield base.arn("elasticfilesystem", f"file-system/{described}")
    if len(request.parts) >= 3 and request.parts[1] in (
        "resource-tags",
        "tags",
        "create-tags",
        "delete-tags",
    ):
        name = request.parts[2]
        kind = "access-point" if name.startswith("fsap-") else "file-system"
        yield name if name.startswith("arn:") else base.arn("elasticfilesystem", f"{kind}/{name}")


def _backup(request: Request) -> Iterable[str]:
    match request.parts:
        case ["backup-vaults", _, "recovery-points", *recovery_point] if recovery_point:
            # DescribeRecoveryPoint, DeleteRecoveryPoint, GetRecoveryPointRestoreMetadata, …
            end = len(recovery_point) - (recovery_point[-1] in ("restore-metadata", "disassociate"))
            yield "/".join(recovery_point[:end])
        case ["backup-vaults", vault, *_]:
            yield base.arn("backup", f"backup-vault:{vault}")
        case ["backup", "plans", plan, *_]:
            yield base.arn("backup", f"backup-plan:{plan}")
        case ["tags" | "untag", *resource] if resource:
            yield "/".join(resource)
        case ["restore-jobs"] if request.method == "PUT":
            yield request.json.get("RecoveryPointArn", "*")
        case _:
            yield "*"


_ORGANIZATIONS_RESOURCES = (
    "PolicyId",
    "TargetId",
    "ResourceId",
    "ParentId",
    "ChildId",
    "AccountId",
    "OrganizationalUnitId",
    "RootId",
    "SourceParentId",
    "DestinationParentId",
)


def _organizations(request: Request) -> Iterable[str]:
    """The policies, targets and parents that a request names; without any of them the resource is `*`.

    So it is for CreatePolicy, of which the editions of the reference differ ("policy" or none): a role that
    is allowed it on `*` is right under both.
    """
    body = request.json
    found = [str(body[name]) for name in _ORGANIZATIONS_RESOURCES if body.get(name)]
    yield from map(_organizations_arn, found)
    if not found:
        yield "*"


def _organizations_arn(identifier: str) -> str:
    """Of what exists, and of a target that could exist: whether it does is looked at after permissions."""
    if record := organizations.record(identifier):
        return str(record["Arn"])
    kind = "ou" if identifier.startswith("ou-") else "account" if identifier.isdigit() else ""
    return organizations.arn(kind, identifier) if kind else "*"


def _cloudformation(request: Request) -> Iterable[str]:
    """A call that names a stack set needs the set; for those about stacks ministack finds the ARN."""
    if name := request.parameter("StackSetName").partition(":")[0]:
        yield base.arn("cloudformation", f"stackset/{name}:*")


def _codebuild(request: Request) -> Iterable[str]:
    """Projects, also for builds: the id of a build begins with its project's name."""
    body = request.json
    names = [body["projectName"]] if body.get("projectName") else body.get("names") or body.get("ids") or []
    for name in names:
        yield base.arn("codebuild", f"project/{name.partition(':')[0]}")


def _codecommit(request: Request) -> Iterable[str]:
    name = request.json.get("repositoryName")
    yield base.arn("codecommit", name) if name else "*"


def _codepipeline(request: Request) -> Iterable[str]:
    name = request.json.get("name") or request.json.get("pipelineName")
    yield base.arn("codepipeline", name) if name else "*"


def _ssm(request: Request) -> Iterable[str]:
    body = request.json
    names = body.get("Names") or [body[key] for key in ("Name", "Path") if body.get(key)]
    for name in names:
        yield base.arn("ssm", f"parameter/{name.lstrip('/')}")


_FINDERS: dict[str, Finder] = {
    "backup": _backup,
    "cloudformation": _cloudformation,
    "codebuild": _codebuild,
    "codecommit": _codecommit,
    "codepipeline": _codepipeline,
    "dynamodb": _dynamodb,
    "ec2": _ec2,
    "elasticfilesystem": _elasticfilesystem,
    "organizations": _organizations,
    "rds": _rds,
    "ssm": _ssm,
}


def _replace_resource_arns() -> None:
    ministacks_own = hooks.iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        region: str,
        account: str,
    ) -> str:
        finder = _FINDERS.get(service)
        found = tuple(finder(Request(method, path, headers, body, query))) if finder else ()
        if not found:
            own: str = ministacks_own(service, method, path, headers, body, query, region, account)
            return own
        _further_resources.set(found[1:])
        return found[0]

    hooks.iam_actions.extract_resource_arn = extract_resource_arn


# -- condition keys ------------------------------------------------------------------------------------------


def _add_condition_keys() -> None:
    tag_keys = hooks.iam_actions.request_tag_context

    def request_context(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        keys: dict[str, Any] = tag_keys(service, action, body, parameters)
        if service == "organizations":
            keys |= _organizations_keys(Request("POST", "/", {}, body, {}).json)
        return keys

    hooks.iam_actions.request_tag_context = request_context


def _add_principal_keys() -> None:
    """aws:PrincipalArn is the role's ARN, not that of the session; aws:PrincipalIsAWSService is false for
    callers.
    """
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
    """The ARN of the role behind a session's ARN; any other ARN as it is."""
    account, _, resource = principal.partition("::")[2].partition(":")
    kind, _, name = resource.partition("/")
    if kind != "assumed-role":
        return principal
    role = hooks.iam._roles.get_scoped(account, None, name.partition("/")[0])
    return str(role["Arn"]) if role else principal


def _organizations_keys(body: dict[str, Any]) -> dict[str, str]:
    """organizations:PolicyType, also that of a policy that is named, and organizations:ServicePrincipal."""
    policy = organizations.record(str(body.get("PolicyId") or body.get("ResourceId"))) or {}
    kinds = (body.get("PolicyType"), body.get("Filter"), body.get("Type"), policy.get("Type"))
    keys = {"organizations:policytype": next((str(kind) for kind in kinds if kind), "")}
    keys["organizations:serviceprincipal"] = str(body.get("ServicePrincipal") or "")
    return {key: value for key, value in keys.items() if value}


# -- AWS-managed policies ------------------------------------------------------------------------------------

# The services and actions of AWS's documents (AWS Managed Policy Reference), without their conditions.
_MANAGED_POLICIES: dict[str, list[str]] = {
    "AWSBackupOperatorAccess": ["backup:Get*", "backup:List*", "backup:Describe*", "backup:StartRestoreJob"],
    "service-role/AWSBackupServiceRolePolicyForBackup": [
        "backup:*",
        "dynamodb:*Backup*",
        "ec2:*Snapshot*",
        "ec2:*Image*",
        "ec2:CreateTags",
        "ec2:Describe*",
        "elasticfilesystem:*",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "kms:GenerateDataKey*",
        "kms:Decrypt",
        "rds:*Snapshot*",
        "rds:Describe*",
        "rds:*Tags*",
        "tag:GetResources",
    ],
    "service-role/AWSBackupServiceRolePolicyForRestores": [
        "backup:*",
        "dynamodb:Restore*",
        "dynamodb:Describe*",
        "ec2:*",
        "elasticfilesystem:*",
        "iam:PassRole",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "kms:Decrypt",
        "kms:GenerateDataKey*",
        "rds:*",
    ],
    "AWSBackupServiceRolePolicyForS3Backup": [
        "s3:*",
        "kms:Decrypt",
        "kms:DescribeKey",
        "events:*",
        "cloudwatch:GetMetricData",
    ],
    "AWSBackupServiceRolePolicyForS3Restore": [
        "s3:*",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
    ],
}


def _add_managed_policies() -> None:
    for name, actions in _MANAGED_POLICIES.items():
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
        short = name.rpartition("/")[2]
        record = hooks.iam._make_aws_managed_record(name, json.dumps(document), f"AWS-managed policy {short}")
        hooks.iam._aws_managed_policies[f"arn:{PARTITION}:iam::aws:policy/{name}"] = record


class NoSuchPolicyError(ValueError):
    """A managed policy that does not exist cannot be attached."""


def _refuse_unknown_policies() -> None:
    """CloudFormation and the API attach through the same function; ministack's takes any ARN."""
    attach, ministacks_own = hooks.iam.attach_managed_policy, hooks.iam.handle_request

    def attach_known(entity: dict[str, Any], policy: str) -> None:
        if not hooks.iam.policy_known(policy):
            raise NoSuchPolicyError(f"Policy {policy} does not exist or is not attachable.")
        attach(entity, policy)

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Answer:
        try:
            answer: Answer = await ministacks_own(method, path, headers, body, query)
        except NoSuchPolicyError as error:
            refused: Answer = hooks.iam._error(404, "NoSuchEntity", str(error), ns="iam")
            return refused
        return answer

    hooks.iam.attach_managed_policy = attach_known
    hooks.iam.handle_request = handle_request
