"""CloudFormation: what AWS refuses when a resource is created and ministack lets pass.

AWS does not take over a resource that exists already, and the services below check at once that they can
assume the role they are given. ministack overwrites a role, rule, alias or log group of the same name, and
never looks at trust policies.

Emulated: the refusal of existing names for the types in _NAMED (ministack itself refuses buckets, projects,
SSM parameters and others); the trust check for the roles in _ROLES. Not emulated: unknown properties are
accepted (cfn-lint holds the templates against AWS's schemas), the permissions of the role that CloudFormation
runs with.
"""

from collections.abc import Callable, Iterable
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base, service_roles

Properties = dict[str, Any]


def _rule_exists(properties: Properties) -> bool:
    key = hooks.eventbridge._rule_key(properties["Name"], properties.get("EventBusName") or "default")
    return key in hooks.eventbridge._rules


# type → the property with the name, and whether that name is taken
_NAMED: dict[str, tuple[str, Callable[[Properties], bool]]] = {
    "AWS::Events::Rule": ("Name", _rule_exists),
    "AWS::IAM::Role": ("RoleName", lambda p: p["RoleName"] in hooks.iam._roles),
    "AWS::KMS::Alias": ("AliasName", lambda p: base.arn("kms", p["AliasName"]) in hooks.kms._aliases),
    "AWS::Lambda::Function": ("FunctionName", lambda p: p["FunctionName"] in hooks.lambda_svc._functions),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda p: p["LogGroupName"] in hooks.cloudwatch_logs._log_groups),
}

# type → the roles in its properties, and the service that has to be able to assume them
_ROLES: dict[str, tuple[str, Callable[[Properties], Iterable[str | None]]]] = {
    "AWS::CodeBuild::Project": ("codebuild.amazonaws.com", lambda p: [p.get("ServiceRole")]),
    "AWS::CodePipeline::Pipeline": ("codepipeline.amazonaws.com", lambda p: [p.get("RoleArn")]),
    "AWS::Events::Rule": (
        "events.amazonaws.com",
        lambda p: [target.get("RoleArn") for target in p.get("Targets") or []],
    ),
    "AWS::Scheduler::Schedule": (
        "scheduler.amazonaws.com",
        lambda p: [(p.get("Target") or {}).get("RoleArn")],
    ),
}


# type → aws:SourceArn when the service assumes those roles, from the resource's properties and a name for it.
# EventBridge Scheduler sends the schedule's group ("confused deputy prevention" of its user guide).
_SOURCES: dict[str, Callable[[Properties, str], str]] = {
    "AWS::CodeBuild::Project": lambda p, name: base.arn("codebuild", f"project/{p.get('Name', name)}"),
    "AWS::CodePipeline::Pipeline": lambda p, name: base.arn("codepipeline", p.get("Name", name)),
    "AWS::Events::Rule": lambda p, name: base.arn("events", f"rule/{p.get('Name', name)}"),
    "AWS::Scheduler::Schedule": lambda p, name: base.arn(
        "scheduler", f"schedule-group/{p.get('GroupName', 'default')}"
    ),
}


def install() -> None:
    for kind in sorted(_NAMED.keys() | _ROLES.keys()):
        _check_creation(kind)


def _check_creation(kind: str) -> None:
    handlers = hooks.provisioners._RESOURCE_HANDLERS[kind]
    create: Callable[[str, Properties, str], Any] = handlers["create"]

    def checked(logical_id: str, properties: Properties, stack: str) -> Any:
        _refuse_existing(kind, properties)
        _refuse_role(kind, properties, f"{stack}-{logical_id}-XXXXXXXXXXXX")
        return create(logical_id, properties, stack)

    handlers["create"] = checked


def _refuse_existing(kind: str, properties: Properties) -> None:
    if kind not in _NAMED:
        return
    name, exists = _NAMED[kind]
    if properties.get(name) and exists(properties):
        raise ValueError(
            f"{properties[name]} already exists ({kind} in account {base.account()}, {base.region()})"
        )


def _refuse_role(kind: str, properties: Properties, name: str) -> None:
    if kind not in _ROLES:
        return
    service, roles = _ROLES[kind]
    source = _SOURCES[kind](properties, name)
    for role in roles(properties):
        refusal = service_roles.trusts_service(role, service, source) if role else None
        if refusal is not None:
            raise ValueError(refusal)
