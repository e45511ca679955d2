"""The resource ARNs of a request, as the Service Authorization Reference lists them for its action.

For the calls below ministack falls back to `*`, or to an ARN that does not exist: a policy that is too narrow
would pass, and one that is right would fail.

Emulated: tagging in DynamoDB, EC2, RDS and EFS, describing a file system, Organizations, StackSets, backup
vaults, plans and recovery points, CodeBuild, CodeCommit, CodePipeline and SSM parameters.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Request
from rehearsal.emulator.extensions.organizations import organization

Finder = Callable[[Request], Iterable[str]]
_further: ContextVar[tuple[str, ...]] = ContextVar("further", default=())


def install() -> None:
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
        _further.set(found[1:])
        return found[0]

    hooks.iam_actions.extract_resource_arn = extract_resource_arn


def take_further() -> tuple[str, ...]:
    """The resources of the current request beyond the one that ministack evaluates; empty the next time."""
    further = _further.get()
    _further.set(())
    return further


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
    if request.operation in ("TagResource", "UntagResource", "ListTagsOfResource"):
        yield request.json.get("ResourceArn", "*")


def _ec2(request: Request) -> Iterable[str]:
    """Each resource of a tag call; Describe calls for many resources support none."""
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
    """The policies, targets and parents that a request names, or `*`.

    For CreatePolicy editions of the reference differ ("policy" or none): a role that may call it on `*`
    is right under both.
    """
    body = request.json
    found = [str(body[name]) for name in _ORGANIZATIONS_RESOURCES if body.get(name)]
    yield from map(_organizations_arn, found)
    if not found:
        yield "*"


def _organizations_arn(identifier: str) -> str:
    """The ARN of what exists, or of a target that could exist: permissions are evaluated first."""
    if record := organization.record(identifier):
        return str(record["Arn"])
    kind = "ou" if identifier.startswith("ou-") else "account" if identifier.isdigit() else ""
    return organization.arn(kind, identifier) if kind else "*"


def _cloudformation(request: Request) -> Iterable[str]:
    """The StackSet that a call names; for calls about stacks ministack finds the ARN."""
    if name := request.parameter("StackSetName").partition(":")[0]:
        yield base.arn("cloudformation", f"stackset/{name}:*")


def _codebuild(request: Request) -> Iterable[str]:
    """Projects, for builds too: a build's ID begins with the name of its project."""
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
