"""What a role of our templates may do, and what it needs: statements and resources as plain data.

Needs come from the handler permissions in CloudFormation's official resource schemas, which cfn-lint
carries (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html,
"handlers"). Templates are the builtin types that `loading.load(...).body` gives; their values are
resolved with the made-up facts of a `Site`. Conditions of statements are not evaluated: a need is met
when a statement names its action and its resource.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

HANDLERS = ("create", "read", "update", "delete", "list")


@dataclass(frozen=True)
class Need:
    """One call that a role makes: an IAM action, the ARN it is made on ("*": it has none), and for what.

    `reads`: reading a resource takes it, which CloudFormation also does after creating or updating one.
    """

    action: str
    arn: str
    why: str
    reads: bool = False


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
    """The stack that a template is deployed as, in one account and region, and what other stacks give it.

    `imports`: export name → value. `stored`: SSM parameter → value, for SSM-typed parameters.
    """

    stack: str
    account: str = "222222222222"
    management: str = "111111111111"
    region: str = "us-east-1"
    imports: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, str] = field(default_factory=dict)
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
    """Whether an IAM pattern covers the text: * is any run, ? any one character; actions ignore case."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.IGNORECASE if fold else 0) is not None


@cache
def handler_permissions(resource_type: str) -> Mapping[str, frozenset[str]]:
    """Handler → IAM actions of a resource type, as its official schema for us-east-1 names them.

    LookupError: cfn-lint knows no such type, or its schema has no handlers (types from before the registry).
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


class Resolver:
    """Gives the values of one template as they are once it is deployed at a site, where that can be known."""

    def __init__(self, body: Mapping[str, Any], site: Site) -> None:
        self.resources: Mapping[str, Mapping[str, Any]] = body.get("Resources", {})
        self.site = site
        self.values = site.pseudo() | {
            name: site.parameters.get(name, self._default(definition))
            for name, definition in body.get("Parameters", {}).items()
        }

    def _default(self, definition: Mapping[str, Any]) -> str:
        default = str(definition.get("Default", "value"))
        is_stored = str(definition["Type"]).startswith("AWS::SSM::Parameter::Value<")
        return self.site.stored.get(default, "value") if is_stored else default

    def resolve(self, value: Any) -> Any:
        """The value with its intrinsic functions carried out. ValueError: one of them is not known."""
        match value:
            case {"Ref": name}:
                return self.ref(name)
            case {"Fn::GetAtt": [name, "Arn"]} | {"Fn::GetAtt": str(name)}:
                return self.arn(name.removesuffix(".Arn"))
            case {"Fn::ImportValue": name}:
                return self.site.imports[self.resolve(name)]
            case {"Fn::Sub": [text, more]}:
                return self.substitute(text, {key: self.resolve(item) for key, item in more.items()})
            case {"Fn::Sub": text}:
                return self.substitute(text, {})
            case {"Fn::Select": [index, items]}:
                return self.resolve(items)[int(index)]
            case {"Fn::Split": [separator, text]}:
                return self.resolve(text).split(separator)
            case {"Fn::If": [_, chosen, _]}:
                return self.resolve(chosen)  # an optional part counts as switched on
            case dict() if any(key.startswith("Fn::") for key in value):
                raise ValueError(f"no rule to resolve {value}")
            case dict():
                return {key: self.resolve(item) for key, item in value.items()}
            case list():
                return [self.resolve(item) for item in value]
            case _:
                return value

    def substitute(self, text: str, more: Mapping[str, str]) -> str:
        """Fn::Sub."""

        def one(match: re.Match[str]) -> str:
            name = match[1]
            if name in more:
                return more[name]
            return self.arn(name.removesuffix(".Arn")) if name.endswith(".Arn") else self.ref(name)

        return re.sub(r"\$\{([\w:.]+)\}", one, text)

    def ref(self, name: str) -> str:
        """Ref: a parameter's value; a topic's ARN; any other resource's physical name."""
        if name in self.values:
            return str(self.values[name])
        return self.arn(name) if self.resources[name]["Type"] == "AWS::SNS::Topic" else self.name(name)

    def name(self, logical_id: str) -> str:
        """The physical name: the one given, or the one that CloudFormation makes of stack and logical id."""
        resource = self.resources[logical_id]
        given = resource.get("Properties", {}).get(_NAMES[resource["Type"]][0])
        return str(self.resolve(given)) if given else f"{self.site.stack}-{logical_id}-0A1B2C3D4E5F"

    def arn(self, logical_id: str) -> str:
        """The ARN that the calls for a resource are made on."""
        resource = self.resources[logical_id]
        delegated = resource.get("Properties", {}).get("CallAs") == "DELEGATED_ADMIN"
        return _NAMES[resource["Type"]][1].format(
            name=self.name(logical_id),
            # A delegated administrator's StackSets lie in the management account.
            account=self.site.management if delegated else self.site.account,
            region=self.site.region,
        )


# Resource type → the property that names it, and its ARN. Sub-resources have the ARN of what they belong to.
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


def needs(body: Mapping[str, Any], site: Site) -> Iterator[Need]:
    """What the deployer of the template has to be allowed, whatever properties the resources use."""
    resolver = Resolver(body, site)
    for logical_id, resource in resolver.resources.items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        why = f"{site.stack}/{logical_id} ({kind})"
        if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
            yield Need("lambda:InvokeFunction", resolver.resolve(properties["ServiceToken"]), why)
            continue
        handlers = handler_permissions(kind)
        for action in sorted(frozenset().union(*handlers.values())):
            for arn in _targets(action, logical_id, kind, properties, resolver):
                yield Need(action, arn, why, reads=action in handlers["read"])


def _targets(
    action: str, logical_id: str, kind: str, properties: Mapping[str, Any], resolver: Resolver
) -> list[str]:
    """The ARNs that one action of a resource's handlers is called on."""
    service = action.partition(":")[0]
    if action in WITHOUT_RESOURCE:
        return ["*"]
    if service == "iam" and not kind.startswith("AWS::IAM::"):
        return [resolver.resolve(role) for role in _passed_roles(kind, properties)]
    if kind == "AWS::Lambda::Function" and service == "s3":
        code = resolver.resolve(properties["Code"])
        return [f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}"]
    if kind == "AWS::SNS::TopicPolicy":
        return [resolver.resolve(topic) for topic in properties["Topics"]]
    return [resolver.arn(logical_id)]


def _passed_roles(kind: str, properties: Mapping[str, Any]) -> list[Any]:
    """The roles that CloudFormation passes on when it makes a resource of this type."""
    if kind == "AWS::Events::Rule":
        return [target["RoleArn"] for target in properties["Targets"] if "RoleArn" in target]
    role = {
        "AWS::CodePipeline::Pipeline": "RoleArn",
        "AWS::CloudFormation::StackSet": "AdministrationRoleARN",
        "AWS::Lambda::Function": "Role",
    }.get(kind)
    return [properties[role]] if role and role in properties else []


# Actions of handlers that support no resource, or none that is known before the call (Service Authorization
# Reference); they can only be granted on "*".
WITHOUT_RESOURCE = frozenset(
    {
        "cloudformation:GetTemplateSummary",
        "cloudformation:ListStackSets",
        "cloudwatch:DescribeAlarms",
        "codepipeline:ListPipelines",
        "events:ListRules",
        "iam:ListRoles",
        "lambda:ListFunctions",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "s3:ListAllMyBuckets",
        "sns:ListTopics",
        "sns:Unsubscribe",
        "sqs:ListQueues",
        "ssm:DescribeParameters",
    }
)


def statements(body: Mapping[str, Any], role: str, site: Site) -> list[Statement]:
    """The statements of a role's inline policies. AssertionError: one denies or excludes."""
    resolver = Resolver(body, site)
    found = []
    for policy in body["Resources"][role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow", f"{role}: {statement} is no Allow"
            assert not {"NotAction", "NotResource"} & statement.keys(), f"{role}: {statement} excludes"
            found.append(
                Statement(
                    statement.get("Sid", ""),
                    tuple(_listed(statement["Action"])),
                    tuple(resolver.resolve(item) for item in _listed(statement["Resource"])),
                )
            )
    return found


def policy_characters(body: Mapping[str, Any], role: str, site: Site) -> int:
    """Characters of a role's inline policies as IAM counts them (quota 10,240): without white space."""
    resolved = Resolver(body, site).resolve(body["Resources"][role]["Properties"]["Policies"])
    return sum(len(json.dumps(p["PolicyDocument"], separators=(",", ":"))) for p in resolved)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def missing(granted: Iterable[Statement], wanted: Iterable[Need]) -> list[str]:
    """What is needed and not granted, one line each."""
    granted = list(granted)
    lacking = [need for need in wanted if not any(statement.allows(need) for statement in granted)]
    return sorted({f"{need.action} on {need.arn} for {need.why}" for need in lacking})


def surplus(granted: Iterable[Statement], wanted: Iterable[Need]) -> list[str]:
    """What is granted and meets no need: an action of a statement, or a resource of a statement.

    An action pattern with a wildcard is surplus unless the needs themselves name it that way: it would grant
    actions that nobody asked for.
    """
    wanted = list(wanted)
    found = set()
    for statement in granted:
        met = [need for need in wanted if statement.allows(need)]
        for action in statement.actions:
            if not any(action.lower() == need.action.lower() for need in met):
                found.add(f"{statement.sid}: action {action}")
        for resource in statement.resources:
            if not any(matches(resource, need.arn, fold=False) for need in met):
                found.add(f"{statement.sid}: resource {resource}")
    return sorted(found)
