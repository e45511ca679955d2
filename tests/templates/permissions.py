"""What a role of the templates may do, and what it needs: statements and resources as plain data.

Needs come from the handler permissions in CloudFormation's official resource schemas, which cfn-lint
carries (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html,
"handlers"). Values of a template are resolved with the made-up facts of a `Site`. Conditions of
statements are not evaluated: a need is met when a statement names its action and its resource.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from buildspecs.lint.templates import Template
from tests.templates.resolving import Resolver
from tests.templates.service_authorization import named

NOTHING = None  # an optional role that is not set: there is no call
HANDLERS = ("create", "read", "update", "delete", "list")


@dataclass(frozen=True)
class Need:
    """One call that a role makes: an IAM action, the ARN of its resource ("*": it has none), and the reason.

    `reads`: a read handler needs it, which CloudFormation also calls after creating or updating a resource.
    `service`: for iam:PassRole, the service that receives the role.
    """

    action: str
    arn: str
    why: str
    reads: bool = False
    service: str = ""


@dataclass(frozen=True)
class Statement:
    """One Allow statement: action and resource patterns as IAM matches them (* and ? are special)."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, need: Need) -> bool:
        """Whether the statement names the action and, for an action that has a resource, the ARN."""
        return any(matches(pattern, need.action) for pattern in self.actions) and any(
            matches(pattern, need.arn, fold=False) for pattern in self.resources
        )


@dataclass(frozen=True)
class Site:
    """The stack of a template in one account and Region, with its imports and parameters.

    `imports`: export name → value. `parameters`: name → value, for those without a default.
    """

    stack: str
    account: str = "222222222222"
    management: str = "111111111111"
    region: str = "us-east-1"
    imports: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    def pseudo(self) -> dict[str, str]:
        """The pseudo parameters."""
        return {
            "AWS::AccountId": self.account,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{self.stack}/0a1b2c",
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }


def matches(pattern: str, text: str, *, fold: bool = True) -> bool:
    """Whether an IAM pattern matches the text: * is any text, ? any character; actions ignore case."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.IGNORECASE if fold else 0) is not None


@cache
def handler_permissions(resource_type: str) -> Mapping[str, frozenset[str]]:
    """Handler → IAM actions of a resource type, as its official schema for us-east-1 names them.

    LookupError: cfn-lint has no such type, or its schema has no handlers (types older than the registry).
    """
    data = files("cfnlint.data.schemas")
    by_type = json.loads(data.joinpath("providers", "us-east-1.json").read_text(encoding="utf-8"))
    schema_file = data.joinpath("resources", f"{by_type[resource_type]}.json")
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    if "handlers" not in schema:
        raise LookupError(f"{resource_type}: its schema names no handler permissions")
    tagging = frozenset(schema.get("tagging", {}).get("permissions", ()))
    return {
        handler: frozenset(schema["handlers"].get(handler, {}).get("permissions", ())) | tagging
        for handler in HANDLERS
    }


class Deployed(Resolver):
    """A template deployed at a site: references are physical names and ARNs, and optional parts are on."""

    def __init__(self, template: Template, site: Site) -> None:
        made_up = {name: "value" for name, one in template.parameters.items() if "Default" not in one}
        super().__init__(template, {**made_up, **site.parameters}, site.pseudo())
        self.site = site

    def condition(self, value: Any) -> bool:
        return True

    def _ref(self, name: str) -> Any:
        """Ref, and what stands between the braces of a Fn::Sub."""
        if name.endswith(".Arn"):
            return self.arn(name.removesuffix(".Arn"))
        if name in self.template.resources:
            is_topic = self.template.resources[name]["Type"] == "AWS::SNS::Topic"
            return self.arn(name) if is_topic else self.name(name)
        return super()._ref(name)

    def _getatt(self, argument: Any) -> str:
        name, attribute = argument.split(".") if isinstance(argument, str) else argument
        assert attribute in ("Arn", "QueueName"), f"{self.template.path}: no rule for {name}.{attribute}"
        return self.arn(name) if attribute == "Arn" else self.name(name)

    def _importvalue(self, argument: Any) -> str:
        return self.site.imports[self.resolve(argument)]

    def name(self, logical_id: str) -> str:
        """The physical name: the given one, or one that CloudFormation generates from stack and ID."""
        resource = self.template.resources[logical_id]
        given = resource.get("Properties", {}).get(_NAMES[resource["Type"]][0])
        return str(self.resolve(given)) if given else f"{self.site.stack}-{logical_id}-0A1B2C3D4E5F"

    def arn(self, logical_id: str) -> str:
        """The ARN of the resource in the calls for it."""
        resource = self.template.resources[logical_id]
        delegated = resource.get("Properties", {}).get("CallAs") == "DELEGATED_ADMIN"
        return _NAMES[resource["Type"]][1].format(
            name=self.name(logical_id),
            # A delegated administrator's StackSets belong to the management account.
            account=self.site.management if delegated else self.site.account,
            region=self.site.region,
        )


# Resource type → the property with its name, and its ARN. A part of a resource has the ARN of the resource.
_LAMBDA = "arn:aws:lambda:{region}:{account}:function:{name}"
_NAMES: Mapping[str, tuple[str, str]] = {
    "AWS::CloudFormation::StackSet": (
        "StackSetName",
        "arn:aws:cloudformation:{region}:{account}:stackset/{name}:0a1b2c3d-0000-4000-8000-000000000000",
    ),
    "AWS::CloudWatch::Alarm": ("AlarmName", "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"),
    "AWS::CodePipeline::Pipeline": ("Name", "arn:aws:codepipeline:{region}:{account}:{name}"),
    "AWS::Events::Rule": ("Name", "arn:aws:events:{region}:{account}:rule/{name}"),
    "AWS::IAM::Role": ("RoleName", "arn:aws:iam::{account}:role/{name}"),
    "AWS::Lambda::EventInvokeConfig": ("FunctionName", _LAMBDA),
    "AWS::Lambda::Function": ("FunctionName", _LAMBDA),
    "AWS::Lambda::Permission": ("FunctionName", _LAMBDA),
    "AWS::Logs::LogGroup": ("LogGroupName", "arn:aws:logs:{region}:{account}:log-group:{name}"),
    "AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::{name}"),
    "AWS::S3::BucketPolicy": ("Bucket", "arn:aws:s3:::{name}"),
    "AWS::SNS::Topic": ("TopicName", "arn:aws:sns:{region}:{account}:{name}"),
    "AWS::SQS::Queue": ("QueueName", "arn:aws:sqs:{region}:{account}:{name}"),
    "AWS::SSM::Parameter": ("Name", "arn:aws:ssm:{region}:{account}:parameter{name}"),
}


def needs(template: Template, site: Site) -> Iterator[Need]:
    """What the deployer of the template must be allowed, whichever properties the resources use."""
    deployed = Deployed(template, site)
    for logical_id, resource in template.resources.items():
        kind, properties = resource["Type"], deployed.properties(logical_id)
        why = f"{site.stack}/{logical_id} ({kind})"
        if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
            yield Need("lambda:InvokeFunction", properties["ServiceToken"], why)
            continue
        handlers = handler_permissions(kind)
        for action in sorted(frozenset().union(*handlers.values())):
            service = RECEIVERS.get(kind, "") if action == "iam:PassRole" else ""
            for arn in _called_on(action, kind, properties) or [deployed.arn(logical_id)]:
                if arn is not NOTHING:
                    yield Need(action, arn, why, action in handlers["read"], service)


def _called_on(action: str, kind: str, properties: Mapping[str, Any]) -> list[str | None]:
    """The ARNs in the calls of one action of a resource's handlers; empty: that of the resource itself."""
    if has_no_resource(action):
        return ["*"]
    if action.startswith("iam:") and not kind.startswith("AWS::IAM::"):
        return _passed_roles(kind, properties, action) or [NOTHING]
    if action.startswith("s3:") and kind == "AWS::Lambda::Function":
        return [f"arn:aws:s3:::{properties['Code']['S3Bucket']}/{properties['Code']['S3Key']}"]
    if kind == "AWS::SQS::QueuePolicy":  # its Queues are URLs, which end with the queue's name
        return [f"arn:aws:sqs:us-east-1:222222222222:{queue}" for queue in properties["Queues"]]
    return list(properties["Topics"]) if kind == "AWS::SNS::TopicPolicy" else []


def _passed_roles(kind: str, properties: Mapping[str, Any], action: str) -> list[str | None]:
    """The roles that CloudFormation passes when it creates a resource of this type, or reads."""
    if kind == "AWS::Events::Rule":
        return [target["RoleArn"] for target in properties["Targets"] if "RoleArn" in target]
    if kind == "AWS::CodePipeline::Pipeline":
        actions = [each for stage in properties["Stages"] for each in stage["Actions"]]
        # The role of the action itself, which CodePipeline assumes, and that of the stack, which it passes.
        named = [
            role for each in actions for role in (each.get("RoleArn"), each["Configuration"].get("RoleArn"))
        ]
        others = filter(None, named) if action == "iam:PassRole" else ()
        return list(dict.fromkeys([properties["RoleArn"], *others]))
    role = {
        "AWS::CloudFormation::StackSet": "AdministrationRoleARN",
        "AWS::Lambda::Function": "Role",
    }.get(kind)
    return [properties[role]] if role and role in properties else []


# Resource type → the service that assumes the role which such a resource names.
RECEIVERS: Mapping[str, str] = {
    "AWS::CloudFormation::StackSet": "cloudformation.amazonaws.com",
    "AWS::CodePipeline::Pipeline": "codepipeline.amazonaws.com",
    "AWS::Events::Rule": "events.amazonaws.com",
    "AWS::Lambda::Function": "lambda.amazonaws.com",
}

# An action of handlers that is called before its resource exists.
TOO_EARLY = "cloudformation:GetTemplateSummary"


def has_no_resource(action: str) -> bool:
    """Whether the action can only be granted on "*"."""
    return action == TOO_EARLY or any(facts.takes_no_resource for facts in named(action).values())


def statements(template: Template, role: str, site: Site) -> list[Statement]:
    """The statements of a role's inline policies. AssertionError: one of them denies or excludes."""
    found = []
    for policy in Deployed(template, site).properties(role)["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow", f"{role}: {statement} is not an Allow"
            assert not {"NotAction", "NotResource"} & statement.keys(), f"{role}: {statement} excludes"
            found.append(
                Statement(
                    statement.get("Sid", ""),
                    tuple(_listed(statement["Action"])),
                    tuple(_listed(statement["Resource"])),
                )
            )
    return found


def policy_characters(template: Template, role: str, site: Site) -> int:
    """Characters of a role's inline policies as IAM counts them (quota 10,240): without whitespace."""
    policies = Deployed(template, site).properties(role)["Policies"]
    return sum(len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) for policy in policies)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def missing(granted: Iterable[Statement], wanted: Iterable[Need]) -> list[str]:
    """What is needed and not granted, one line for each."""
    granted = list(granted)
    lacking = [need for need in wanted if not any(statement.allows(need) for statement in granted)]
    return sorted({f"{need.action} on {need.arn} for {need.why}" for need in lacking})


def surplus(granted: Iterable[Statement], wanted: Iterable[Need]) -> list[str]:
    """What is granted and not needed: an action of a statement, or a resource of a statement.

    An action with a wildcard is surplus unless a need names it that way: it would grant actions that nothing
    needs. Resource "*" is only for calls that have no resource, not for every call.
    """
    wanted = list(wanted)
    found = set()
    for statement in granted:
        met = [need for need in wanted if statement.allows(need)]
        for action in statement.actions:
            asked = [need for need in met if action.lower() == need.action.lower()]
            if not any(_is_meant(resource, need) for need in asked for resource in statement.resources):
                found.add(f"{statement.sid}: action {action}")
        for resource in statement.resources:
            if not any(_is_meant(resource, need) for need in met):
                found.add(f"{statement.sid}: resource {resource}")
    return sorted(found)


def _is_meant(resource: str, need: Need) -> bool:
    return need.arn == "*" if resource == "*" else matches(resource, need.arn, fold=False)
