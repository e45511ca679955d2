"""CloudFormation: what AWS refuses when a resource is created and ministack lets pass.

AWS does not take over a resource that exists already, and the services below check at once that they can
assume the role they are given. ministack overwrites a role, rule, alias or log group of the same name, and
never looks at trust policies, deletes buckets with their content, and compares pseudo parameters and the
results of Fn::Join, Fn::Split, Fn::Sub and Fn::FindInMap wrongly in conditions.

Emulated: the refusal of existing names for the types in _NAMED (ministack itself refuses buckets, projects,
SSM parameters and others); the trust check for the roles in _ROLES, and, with iam:PassRole, for the role
that a stack operation is given; buckets that must be empty; conditions.

Not emulated: unknown properties are accepted (cfn-lint holds the templates against AWS's schemas),
the permissions of the role that CloudFormation runs with.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Answer
from rehearsal.emulator.extensions.identity import iam, service_roles

Properties = dict[str, Any]
_SERVICE = "cloudformation.amazonaws.com"


def _rule_exists(properties: Properties) -> bool:
    key = hooks.eventbridge._rule_key(properties["Name"], properties.get("EventBusName") or "default")
    return key in hooks.eventbridge._rules


# type → the property with the name, and whether that name is taken
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
    """A resource about to be created: what its own service will call it."""

    logical_id: str
    stack: str
    properties: Properties

    def source(self, service: str, resource: str, longest: int) -> str:
        """aws:SourceArn when its service assumes a role for it."""
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
    for kind in sorted(_NAMED.keys() | _ROLES.keys()):
        _check_creation(kind)
    _check_deploying_role()
    _check_bucket_deletion()
    _evaluate_whole_conditions()


def _check_creation(kind: str) -> None:
    handlers = hooks.provisioners._RESOURCE_HANDLERS[kind]
    create: Callable[[str, Properties, str], Any] = handlers["create"]

    def checked(logical_id: str, properties: Properties, stack: str) -> Any:
        _refuse_existing(kind, properties)
        _refuse_roles(kind, _Named(logical_id, stack, properties))
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


def _refuse_roles(kind: str, named: _Named) -> None:
    if kind not in _ROLES:
        return
    service, roles = _ROLES[kind]
    for role, source in roles(named):
        refusal = service_roles.trusts_service(role, service, source) if role else None
        if refusal is not None:
            raise ValueError(refusal)


def _check_deploying_role() -> None:
    """A role given to a stack operation has to be one that CloudFormation can assume."""
    handlers = hooks.cloudformation_handlers._ACTION_HANDLERS
    for action in ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet"):
        handlers[action] = _refusing_role(handlers[action])


def _may_pass(role: str) -> bool:
    """Whether the caller may hand a role to CloudFormation: an account's root, or with iam:PassRole."""
    caller = iam.role_of(hooks.iam_evaluator.caller_arn())
    if caller.endswith(":root"):
        return True
    if iam.role_allows(caller, "iam:PassRole", role, {"iam:passedtoservice": _SERVICE}):
        return True
    iam.record_denial(caller, "iam:PassRole", role, "no policy allows it")
    return False


def _check_bucket_deletion() -> None:
    """AWS deletes no bucket that holds objects or versions of them."""
    handlers = hooks.provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    delete: Callable[[str, Properties], None] = handlers["delete"]

    def checked(bucket: str, properties: Properties) -> None:
        record = hooks.s3._buckets.get(bucket) or {}
        versioned = any(name == bucket and kept for (name, _), kept in hooks.s3._object_versions.items())
        if record.get("objects") or versioned:
            raise ValueError(f"The bucket you tried to delete is not empty: {bucket}")
        delete(bucket, properties)

    handlers["delete"] = checked


def _evaluate_whole_conditions() -> None:
    """In conditions ministack compares pseudo parameters by their names, and Fn::Join not at all."""
    evaluate_own = hooks.cloudformation_engine._evaluate_conditions

    def evaluate(template: Properties, parameters: Properties) -> dict[str, bool]:
        pseudo = {
            "AWS::AccountId": base.account(),
            "AWS::Partition": PARTITION,
            "AWS::Region": base.region(),
            "AWS::URLSuffix": "amazonaws.com",
        }
        known = {name: {"Value": value, "NoEcho": False} for name, value in pseudo.items()} | parameters
        mappings = template.get("Mappings", {})
        conditions = _resolve_comparisons(template.get("Conditions", {}), known, mappings)
        evaluated: dict[str, bool] = evaluate_own({**template, "Conditions": conditions}, known)
        return evaluated

    # Each of these modules has imported the function by name.
    hooks.cloudformation_engine._evaluate_conditions = evaluate
    hooks.cloudformation_changesets._evaluate_conditions = evaluate
    hooks.cloudformation_handlers._evaluate_conditions = evaluate
    hooks.stacks._evaluate_conditions = evaluate


def _resolve_comparisons(expression: Any, parameters: Properties, mappings: Properties) -> Any:
    """A conditions section with the functions inside of Fn::Equals resolved, where ministack knows them
    elsewhere.
    """
    if isinstance(expression, list):
        return [_resolve_comparisons(each, parameters, mappings) for each in expression]
    if not isinstance(expression, dict):
        return expression
    resolved = {key: _resolve_comparisons(each, parameters, mappings) for key, each in expression.items()}
    if set(resolved) & {"Fn::Join", "Fn::Split", "Fn::Sub", "Fn::FindInMap"}:
        return hooks.cloudformation_engine._resolve_refs(resolved, {}, parameters, {}, mappings, "", "")
    return resolved


def _refusing_role(operation: Callable[[Properties], Answer]) -> Callable[[Properties], Answer]:
    def checked(parameters: Properties) -> Answer:
        role = hooks.cloudformation_helpers._p(parameters, "RoleARN")
        refused: Answer
        if role and service_roles.trusts_service(role, _SERVICE) is not None:
            refused = hooks.cloudformation_helpers._error(
                "ValidationError", f"Role {role} is invalid or cannot be assumed"
            )
            return refused
        if role and not _may_pass(role):
            caller = hooks.iam_evaluator.caller_arn()
            message = f"User: {caller} is not authorized to perform: iam:PassRole on resource: {role}"
            refused = hooks.cloudformation_helpers._error("AccessDenied", message, 403)
            return refused
        return operation(parameters)

    return checked
