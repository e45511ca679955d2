"""Resources: what AWS refuses to create or delete where ministack goes ahead.

AWS does not take over a resource that exists, checks at once that a service can assume the role that it is
given, and deletes no bucket that holds objects. ministack overwrites a role, rule, alias or log group of the
same name, does not read trust policies, and deletes buckets with their content.

Emulated: existing names for the types in _NAMED (ministack itself refuses buckets, projects, SSM parameters
and others); the trust policies of the roles in _ROLES; buckets that must be empty.

Not emulated: unknown properties are accepted (cfn-lint checks the templates against AWS's schemas).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Delete, Properties
from rehearsal.emulator.extensions.identity import service_roles


def _rule_exists(properties: Properties) -> bool:
    key = hooks.eventbridge._rule_key(properties["Name"], properties.get("EventBusName") or "default")
    return key in hooks.eventbridge._rules


# type → the property that holds the name, and whether that name is taken
_NAMED: dict[str, tuple[str, Callable[[Properties], bool]]] = {
    "AWS::Events::Rule": ("Name", _rule_exists),
    "AWS::IAM::Role": ("RoleName", lambda p: p["RoleName"] in hooks.iam._roles),
    "AWS::KMS::Alias": ("AliasName", lambda p: base.arn("kms", p["AliasName"]) in hooks.kms._aliases),
    "AWS::Lambda::Function": ("FunctionName", lambda p: p["FunctionName"] in hooks.lambda_svc._functions),
    "AWS::SQS::Queue": ("QueueName", lambda p: p["QueueName"] in hooks.sqs._queue_name_to_url),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda p: p["LogGroupName"] in hooks.cloudwatch_logs._log_groups),
}


@dataclass(frozen=True)
class _Named:
    """A resource to be created, by the name that its service gives it."""

    logical_id: str
    stack: str
    properties: Properties

    def source(self, service: str, resource: str, longest: int) -> str:
        """aws:SourceArn when the service assumes a role for the resource."""
        name = self.properties.get("Name") or hooks.provisioners._physical_name(
            self.stack, self.logical_id, max_len=longest
        )
        return base.arn(service, resource + name)


# type → the service that assumes roles for it, and the pairs (role, aws:SourceArn) that it will use
_ROLES: dict[str, tuple[str, Callable[[_Named], Iterable[tuple[str | None, str]]]]] = {
    "AWS::CodeBuild::Project": (
        "codebuild.amazonaws.com",
        lambda named: [(named.properties.get("ServiceRole"), named.source("codebuild", "project/", 255))],
    ),
    "AWS::CodePipeline::Pipeline": (
        "codepipeline.amazonaws.com",
        lambda named: [(named.properties.get("RoleArn"), named.source("codepipeline", "", 100))],
    ),
    "AWS::Events::Rule": (
        "events.amazonaws.com",
        lambda named: [
            (target.get("RoleArn"), named.source("events", "rule/", 64))
            for target in named.properties.get("Targets") or []
        ],
    ),
    "AWS::Scheduler::Schedule": (
        "scheduler.amazonaws.com",
        lambda named: [
            (
                (named.properties.get("Target") or {}).get("RoleArn"),
                base.arn("scheduler", f"schedule-group/{named.properties.get('GroupName', 'default')}"),
            )
        ],
    ),
}


def install() -> None:
    for resource_type in sorted(_NAMED.keys() | _ROLES.keys()):
        _check_creation(resource_type)
    _check_bucket_deletion()


def _check_creation(resource_type: str) -> None:
    handlers = hooks.provisioners._RESOURCE_HANDLERS[resource_type]
    create: Callable[[str, Properties, str], Any] = handlers["create"]

    def checked(logical_id: str, properties: Properties, stack: str) -> Any:
        _refuse_existing(resource_type, properties)
        _refuse_roles(resource_type, _Named(logical_id, stack, properties))
        return create(logical_id, properties, stack)

    handlers["create"] = checked


def _refuse_existing(resource_type: str, properties: Properties) -> None:
    if resource_type not in _NAMED:
        return
    name, exists = _NAMED[resource_type]
    if properties.get(name) and exists(properties):
        where = f"{resource_type} in account {base.account()}, {base.region()}"
        raise ValueError(f"{properties[name]} already exists ({where})")


def _refuse_roles(resource_type: str, named: _Named) -> None:
    if resource_type not in _ROLES:
        return
    service, roles = _ROLES[resource_type]
    for role, source in roles(named):
        if role and (reason := service_roles.why_not_assumable(role, service, source)):
            raise ValueError(reason)


def _check_bucket_deletion() -> None:
    handlers = hooks.provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    delete: Delete = handlers["delete"]

    def checked(bucket: str, properties: Properties) -> None:
        record = hooks.s3._buckets.get(bucket) or {}
        versioned = any(name == bucket and kept for (name, _), kept in hooks.s3._object_versions.items())
        if record.get("objects") or versioned:
            raise ValueError(f"The bucket you tried to delete is not empty: {bucket}")
        delete(bucket, properties)

    handlers["delete"] = checked
