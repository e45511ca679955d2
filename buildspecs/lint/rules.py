"""What every template has to keep, as pure functions: Template → findings with file, resource and reason.

Each check in CHECKS looks at one template; each in SET_CHECKS looks at several together. test_rules.py
proves with the faulty templates of `bad/` that every check can fail. `python -m buildspecs.lint.rules`
prints what they find in the repository.
"""

from __future__ import annotations

import ast
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from buildspecs.lint.suppressions import of as suppressed
from buildspecs.lint.templates import Template, documents, load, repository_templates
from buildspecs.names import LETTERED, NAMES
from buildspecs.paths import ROOT


@dataclass(frozen=True)
class Finding:
    """A fault: where it is, and what to do about it."""

    file: str
    resource: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.resource}: {self.reason}"


Check = Callable[[Template], Iterator[Finding]]
SetCheck = Callable[[Sequence[Template]], Iterator[Finding]]

SECTIONS = (
    "AWSTemplateFormatVersion",
    "Description",
    "Transform",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
)
ATTRIBUTES = (
    "Type",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "DependsOn",
    "CreationPolicy",
    "UpdatePolicy",
    "Metadata",
    "Properties",
)
# Where parameters are most of a template, Resources cannot begin within the first third: so many are free.
FEW_LINES = 98
RETAINED = frozenset(
    {
        "AWS::Backup::BackupVault",
        "AWS::Backup::LogicallyAirGappedBackupVault",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
    }
)
# Condition keys that tie an anonymous principal to the organization.
ORGANIZATION_KEYS = frozenset(
    {"aws:principalorgid", "aws:principalorgpaths", "aws:sourceorgid", "aws:sourceorgpaths"}
)
SOURCE_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"})
# Services for which AWS does not say that aws:Source keys are always sent: one that is sent has to be right
# (…IfExists), and a missing one must stop neither the pipeline nor the backups.
LENIENT_SERVICES = frozenset(
    f"{name}.amazonaws.com" for name in ("backup", "cloudformation", "codepipeline", "lambda")
)
COMMENTED_OUT = re.compile(
    r"^\s*#\s*(- \w+:|[A-Z][a-z]+[A-Z]\w*:(\s|$)|(Type|Properties|Ref|Action|Resource): )"
)
UPPER_BOOLEAN = re.compile(r"""[:-]\s+['"]?(True|TRUE|False|FALSE|Yes|YES|No|NO|On|ON|Off|OFF)['"]?\s*$""")
SOLUTION_NAME = re.compile(
    r"\b(AWSBackupSolution\w*|AWSBackup-\w+|AWSCloudFormationStackSet\w+|BackupOrgPolicyManager\w*|TagOnRestore\w*)"
)
# The one role that may do everything of a service: (template, action) → on which resource alone, and AWS's
# page that asks for it ("Your target account always needs full AWS CloudFormation permissions").
WHOLE_SERVICE: Mapping[tuple[str, str], tuple[Any, str]] = {
    ("templates/home-account/aws-cloudformation-stackset-execution-role.yaml", "cloudformation:*"): (
        {
            "Fn::Sub": "arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}"
            ":stack/StackSet-account-aws-backup-lambda-s3-bucket-*/*"
        },
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html",
    )
}
# Functions whose callers wait for an answer: a failure, or no answer at all, fails the stack or the action.
ANSWERING = {"BackupOrgPolicyManager": "CloudFormation (Custom::OrgPolicy) and CodePipeline (Invoke action)"}
# Parameters that are one per function by contract: the attribute that may differ between templates.
PER_FUNCTION = {"DeployedPackage": {"Default"}}


def _lines(template: Template) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments."""
    for number, line in enumerate(template.text.splitlines(), start=1):
        if not line.lstrip().startswith("#"):
            yield number, line


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _walk(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)


def variants(value: Any) -> list[Any]:
    """The value once for each way its Fn::If can turn out; what becomes AWS::NoValue is left out.

    Each Fn::If is taken both ways on its own, so a policy has to be right whatever the parameters are.
    """
    if isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            _, yes, no = value["Fn::If"]
            return variants(yes) + variants(no)
        parts = [[(key, item) for item in variants(value[key])] for key in value]
        return [
            {key: item for key, item in choice if item != {"Ref": "AWS::NoValue"}}
            for choice in product(*parts)
        ]
    if isinstance(value, list):
        return [
            [item for item in choice if item != {"Ref": "AWS::NoValue"}]
            for choice in product(*(variants(item) for item in value))
        ]
    return [value]


def policies(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(logical id, policy document) of every policy in the template: whatever has a Statement."""
    for name, resource in template.resources.items():
        for value in _walk(resource.get("Properties", {})):
            if isinstance(value, dict) and "Statement" in value:
                yield name, value


def statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(logical id, statement) of every policy, once for each way its conditions can turn out."""
    for name, document in policies(template):
        for statement in _list(document["Statement"]):
            for variant in variants(statement):
                if isinstance(variant, dict) and "Effect" in variant:
                    yield name, variant


def _anybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    return principal == "*" or (isinstance(principal, dict) and "*" in _list(principal.get("AWS")))


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(operator, lower-case key) of each condition."""
    for operator, key, _ in _condition_values(statement):
        yield operator, key


def _condition_values(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """(operator, lower-case key, values) of each condition."""
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, values in keys.items():
            yield operator, key.lower(), _list(values)


def _names_organization(operator: str, key: str, values: list[Any]) -> bool:
    """Whether a condition ties to organizations by name; a wildcard would be any organization."""
    any_one = any(isinstance(value, str) and re.match(r"(o-)?[*?]", value) for value in values)
    return key in ORGANIZATION_KEYS and _limits(operator) and not any_one


def _limits(operator: str) -> bool:
    """Whether an operator really narrows: not negated, not satisfied by an absent key."""
    return (
        "Not" not in operator
        and not operator.endswith("IfExists")
        and not operator.startswith(("ForAllValues", "Null"))
    )


def _actions(statement: Mapping[str, Any]) -> list[str]:
    return [action for action in _list(statement.get("Action")) if isinstance(action, str)]


def layout(template: Template) -> Iterator[Finding]:
    """Sections in one order, Resources near the top, attributes of a resource in one order."""
    sections = [name for name in template.body if name in SECTIONS]
    for name in template.body:
        if name not in SECTIONS:
            yield Finding(template.path, name, "is no section of a template")
    if sections != [name for name in SECTIONS if name in sections]:
        yield Finding(template.path, "template", f"sections have to be in the order {', '.join(SECTIONS)}")
    if template.body.get("AWSTemplateFormatVersion") != "2010-09-09":
        yield Finding(template.path, "template", "begins with AWSTemplateFormatVersion: '2010-09-09'")
    lines = template.text.splitlines()
    start = next((n for n, line in enumerate(lines, start=1) if line.startswith("Resources:")), 0)
    if start > max(FEW_LINES, len(lines) / 3) and _group(template) != "owner":
        yield Finding(
            template.path, "Resources", f"begins in line {start} of {len(lines)}: not within the first third"
        )
    for name, resource in template.resources.items():
        if list(resource) != [attribute for attribute in ATTRIBUTES if attribute in resource]:
            yield Finding(template.path, name, f"attributes have to be in the order {', '.join(ATTRIBUTES)}")


def description(template: Template) -> Iterator[Finding]:
    """The description begins with the account, and every parameter has one."""
    text = str(template.body.get("Description", ""))
    if not text.startswith(f"{template.account.capitalize()} account: "):
        yield Finding(
            template.path, "Description", f"has to begin with '{template.account.capitalize()} account: '"
        )
    for name, parameter in template.parameters.items():
        if not parameter.get("Description"):
            yield Finding(template.path, name, "a parameter needs a Description")


def parameters(template: Template) -> Iterator[Finding]:
    """Typed values are checked where they are typed; new names carry no type letter."""
    for name, parameter in template.parameters.items():
        if re.match(r"^p[A-Z]", name) and name not in LETTERED:
            yield Finding(
                template.path, name, "a new parameter's name is a plain noun, without a type letter"
            )
        free = parameter.get("Type") == "String" and not {"AllowedPattern", "AllowedValues"} & set(parameter)
        if free:
            yield Finding(template.path, name, "a String parameter needs AllowedPattern or AllowedValues")
        if "AllowedPattern" in parameter and not parameter.get("ConstraintDescription"):
            yield Finding(
                template.path, name, "AllowedPattern needs a ConstraintDescription that says what is allowed"
            )
    for name in template.resources:
        if re.match(r"^r[A-Z]", name):
            yield Finding(template.path, name, "a logical id is a plain noun, without a type letter")


def spelling(template: Template) -> Iterator[Finding]:
    """Short intrinsics, lower-case booleans, nothing commented out, lines that fit a screen."""
    for number, line in enumerate(template.text.splitlines(), start=1):
        if COMMENTED_OUT.match(line):
            yield Finding(template.path, f"line {number}", "commented-out YAML: delete it, history keeps it")
        # One long word, such as an ARN or a URL, cannot be broken.
        if len(line) > 110 and " " in re.sub(r"^\s*(- )?([\w:]+: )?(!\w+ )?", "", line).strip():
            yield Finding(template.path, f"line {number}", f"is {len(line)} characters long: 110 at most")
    for number, line in _lines(template):
        # The long form is needed where one function's only argument is another function.
        if re.search(r"\bFn::\w+", line) and not re.search(r"Fn::\w+: !", line):
            yield Finding(template.path, f"line {number}", "use the short form of an intrinsic, such as !Sub")
        if UPPER_BOOLEAN.search(line):
            yield Finding(template.path, f"line {number}", "a boolean is written true or false")


def ascii_only(template: Template) -> Iterator[Finding]:
    """CloudFormation keeps ? for any other character, so its copy of the template is never the file."""
    for number, line in enumerate(template.text.splitlines(), start=1):
        for character in dict.fromkeys(character for character in line if not character.isascii()):
            name = f"U+{ord(character):04X} ({unicodedata.name(character, 'without a name')})"
            reason = f"{name}: write it in ASCII, since CloudFormation's GetTemplate returns ? for it"
            yield Finding(template.path, f"line {number}", reason)


def partition(template: Template) -> Iterator[Finding]:
    """Nothing is bound to one partition: no arn:aws:, no amazonaws.com but in service principals."""
    for number, line in _lines(template):
        if "arn:aws:" in line:
            yield Finding(template.path, f"line {number}", "write arn:${AWS::Partition}: instead of arn:aws:")
        if re.search(r"https://\S*amazonaws\.com", line) or re.search(r"\.\*\.amazonaws\.com", line):
            yield Finding(template.path, f"line {number}", "write ${AWS::URLSuffix} instead of amazonaws.com")


def retention(template: Template) -> Iterator[Finding]:
    """Vaults, keys, buckets and logs outlive their stack."""
    for name, resource in template.resources.items():
        if resource.get("Type") in RETAINED:
            for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
                if resource.get(attribute) != "Retain":
                    yield Finding(template.path, name, f"{attribute} has to be Retain")


def organization(template: Template) -> Iterator[Finding]:
    """Allow for Principal * needs a condition that ties it to the organization."""
    for name, statement in statements(template):
        anybody = statement["Effect"] == "Allow" and (_anybody(statement) or "NotPrincipal" in statement)
        if anybody and not any(_names_organization(*one) for one in _condition_values(statement)):
            yield Finding(template.path, name, "allows Principal * without a condition on aws:PrincipalOrgID")
    for name, properties in template.of_type("AWS::Lambda::Permission"):
        if properties.get("Principal") == "*" and "PrincipalOrgID" not in properties:
            yield Finding(template.path, name, "allows Principal * without PrincipalOrgID")


def invocations(template: Template) -> Iterator[Finding]:
    """A service that invokes a function does so for one resource, not for anybody's."""
    for name, properties in template.of_type("AWS::Lambda::Permission"):
        service = str(properties.get("Principal")).endswith(".amazonaws.com")
        if service and not {"SourceAccount", "SourceArn"} & set(properties):
            yield Finding(template.path, name, "a service's permission needs SourceArn or SourceAccount")


def version(template: Template) -> Iterator[Finding]:
    """A policy without Version is read by the rules of 2008, without policy variables."""
    for name, document in policies(template):
        if document.get("Version") != "2012-10-17":
            yield Finding(template.path, name, "a policy document needs Version: '2012-10-17'")


def wildcards(template: Template) -> Iterator[Finding]:
    """No identity may do everything of a service, or everything but something."""
    for name, statement in statements(template):
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement:
            yield Finding(template.path, name, "allows NotAction: name the actions")
        for action in _actions(statement):
            resource, _ = WHOLE_SERVICE.get((template.path, action), (None, ""))
            whole = action == "*" or action.endswith(":*")
            if whole and (resource is None or statement.get("Resource") != resource):
                yield Finding(template.path, name, f"allows {action}: name the actions")


def pass_role(template: Template) -> Iterator[Finding]:
    """iam:PassRole is for named roles and one service."""
    for name, statement in statements(template):
        if statement["Effect"] == "Allow" and "iam:PassRole" in _actions(statement):
            if "*" in _list(statement.get("Resource")):
                yield Finding(template.path, name, "iam:PassRole on Resource *: name the roles")
            if "iam:passedtoservice" not in {key for _, key in _conditions(statement)}:
                yield Finding(template.path, name, "iam:PassRole needs a condition on iam:PassedToService")


def trust(template: Template) -> Iterator[Finding]:
    """A service that assumes a role says for whom: no other account can make it act here."""
    for name, properties in template.of_type("AWS::IAM::Role"):
        for statement in _list((properties.get("AssumeRolePolicyDocument") or {}).get("Statement")):
            for variant in variants(statement):
                principal = variant.get("Principal")
                services = _list(principal.get("Service")) if isinstance(principal, dict) else []
                lenient = set(services) <= LENIENT_SERVICES
                keys = {
                    key
                    for operator, key in _conditions(variant)
                    if _limits(operator.removesuffix("IfExists") if lenient else operator)
                }
                if services and not keys & SOURCE_KEYS:
                    yield Finding(
                        template.path, name, "a service's trust needs a condition on aws:SourceAccount"
                    )


def named_roles(template: Template) -> Iterator[Finding]:
    """A role with a fixed name says why it has one, and what it is for."""
    for name, properties in template.of_type("AWS::IAM::Role"):
        if "RoleName" not in properties:
            continue
        suppressed = (
            template.resources[name].get("Metadata", {}).get("cfn_nag", {}).get("rules_to_suppress", [])
        )
        if not any(rule.get("id") == "W28" and rule.get("reason") for rule in suppressed):
            yield Finding(
                template.path, name, "a role with a fixed name gives the reason in Metadata (cfn_nag, W28)"
            )
        if not properties.get("Description"):
            yield Finding(template.path, name, "a role with a fixed name needs a Description")


def keys(template: Template) -> Iterator[Finding]:
    """Keys rotate, are never opened to read for a whole organization, and grant to AWS resources only."""
    for name, properties in template.of_type("AWS::KMS::Key"):
        if properties.get("EnableKeyRotation") is not True:
            yield Finding(template.path, name, "EnableKeyRotation has to be true")
        for statement in _list((properties.get("KeyPolicy") or {}).get("Statement")):
            for variant in variants(statement):
                if isinstance(variant, dict) and variant.get("Effect") == "Allow":
                    yield from _key_statement(template, name, variant)


def _key_statement(template: Template, name: str, statement: Mapping[str, Any]) -> Iterator[Finding]:
    actions = _actions(statement)
    if _anybody(statement):
        for action in actions:
            if action in ("kms:*", "kms:Decrypt", "kms:Decrypt*", "kms:De*", "kms:ReEncrypt*"):
                yield Finding(template.path, name, f"opens {action} to everybody")
    grants = any(action in ("kms:*", "kms:Create*", "kms:CreateGrant") for action in actions)
    conditions = statement.get("Condition") or {}
    if grants and str(conditions.get("Bool", {}).get("kms:GrantIsForAWSResource", "")).lower() != "true":
        yield Finding(template.path, name, "kms:CreateGrant needs Bool kms:GrantIsForAWSResource: 'true'")


def buckets(template: Template) -> Iterator[Finding]:
    """Buckets are private, encrypted, versioned, owned by their account and reached over TLS."""
    needed = {
        "BucketEncryption": "default encryption",
        "OwnershipControls": "OwnershipControls (BucketOwnerEnforced)",
        "VersioningConfiguration": "versioning",
        "LoggingConfiguration": "a parameter for access logs",
    }
    for name, properties in template.of_type("AWS::S3::Bucket"):
        block = properties.get("PublicAccessBlockConfiguration", {})
        sides = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if not all(block.get(side) is True for side in sides):
            yield Finding(template.path, name, "PublicAccessBlockConfiguration has to block all four ways")
        for key, what in needed.items():
            if key not in properties:
                yield Finding(template.path, name, f"needs {what}")
        if not any(_denies_plain_http(statement, name) for _, statement in statements(template)):
            yield Finding(
                template.path, name, "needs a policy that denies requests without TLS to bucket and objects"
            )


def _denies_plain_http(statement: Mapping[str, Any], bucket: str) -> bool:
    resources = str(_list(statement.get("Resource")))
    return (
        statement["Effect"] == "Deny"
        and _anybody(statement)
        and str((statement.get("Condition") or {}).get("Bool", {}).get("aws:SecureTransport", "")).lower()
        == "false"
        and bucket in resources
        and "/*" in resources
    )


def vaults(template: Template) -> Iterator[Finding]:
    """Vaults have a key of ours, take copies for exactly themselves and keep their recovery points."""
    for name, properties in template.of_type("AWS::Backup::BackupVault"):
        if "EncryptionKeyArn" not in properties:
            yield Finding(
                template.path, name, "needs EncryptionKeyArn: copies between accounts need a key of ours"
            )
        kept = False
        for statement in _list((properties.get("AccessPolicy") or {}).get("Statement")):
            for variant in variants(statement):
                effect = variant.get("Effect")
                if effect == "Allow" and "*" in _list(variant.get("Resource")):
                    yield Finding(
                        template.path, name, "an Allow of an access policy names the vault as Resource"
                    )
                kept = kept or (effect == "Deny" and "backup:DeleteRecoveryPoint" in _actions(variant))
        if not kept:
            yield Finding(template.path, name, "the access policy has to deny backup:DeleteRecoveryPoint")


def log_groups(template: Template) -> Iterator[Finding]:
    """A function's log group is ours, so that it has a retention time and outlives the function."""
    groups = [
        str(properties.get("LogGroupName")) for _, properties in template.of_type("AWS::Logs::LogGroup")
    ]
    for name, properties in template.of_type("AWS::Lambda::Function"):
        if "LoggingConfig" not in properties and not any("/aws/lambda/" in group for group in groups):
            yield Finding(template.path, name, "a function needs an AWS::Logs::LogGroup in its template")
    for name, properties in template.of_type("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in properties:
            yield Finding(template.path, name, "a log group needs RetentionInDays")


def handlers(template: Template) -> Iterator[Finding]:
    """A function's handler is in lambdas/: Lambda takes any text, and every invocation fails."""
    for name, properties in template.of_type("AWS::Lambda::Function"):
        module, _, function = str(properties.get("Handler")).rpartition(".")
        path = f"lambdas/{module.replace('.', '/')}.py"
        if not (ROOT / path).is_file():
            yield Finding(template.path, name, f"Handler: there is no module {module or 'at all'} ({path})")
        elif function not in _functions(ROOT / path):
            yield Finding(template.path, name, f"Handler: there is no function {function} in {path}")


def _functions(path: Path) -> set[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {item.name for item in body if isinstance(item, ast.FunctionDef)}


def dead_letters(template: Template) -> Iterator[Finding]:
    """What a rule or a topic cannot hand over, or a function fails on, is kept, and somebody is told.

    An e-mail is the last to tell: nobody would be told of a queue of those that were not delivered.
    """
    for name, properties in template.of_type("AWS::Events::Rule"):
        for target in (each for variant in variants(properties.get("Targets", [])) for each in variant):
            reason = f"target {target.get('Id')} needs a DeadLetterConfig"
            arn = (target.get("DeadLetterConfig") or {}).get("Arn")
            yield from _kept(template, name, reason, arn, rule=name)
    for name, properties in template.of_type("AWS::SNS::Subscription"):
        if properties.get("Protocol") != "email":
            arn = (properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
            yield from _kept(template, name, "needs a RedrivePolicy with a deadLetterTargetArn", arn)
    for name, properties in template.of_type("AWS::SNS::Topic"):
        for each in (each for variant in variants(properties.get("Subscription", [])) for each in variant):
            if each.get("Protocol") != "email":
                reason = "make it an AWS::SNS::Subscription, which can have a queue"
                yield Finding(template.path, name, f"subscribes {each.get('Protocol')}: {reason}")
    for name, properties in template.of_type("AWS::Lambda::Function"):
        if properties.get("FunctionName") not in ANSWERING:
            failures = [(properties.get("DeadLetterConfig") or {}).get("TargetArn")] + [
                ((config.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
                for _, config in template.of_type("AWS::Lambda::EventInvokeConfig")
                if config.get("FunctionName") == {"Ref": name}
            ]
            reason = "needs an EventInvokeConfig with OnFailure"
            yield from _kept(template, name, reason, next(filter(None, failures), None))


def _kept(template: Template, name: str, reason: str, arn: Any, rule: str = "") -> Iterator[Finding]:
    """Whether a queue of the template takes the failures, lets the rule in, and has an alarm."""
    queue = referred(arn, "Arn")
    if queue not in dict(template.of_type("AWS::SQS::Queue")):
        yield Finding(template.path, name, f"{reason} that is the Arn of an AWS::SQS::Queue of this template")
        return
    watched = [
        referred(each.get("Value"), "QueueName")
        for _, alarm in template.of_type("AWS::CloudWatch::Alarm")
        for each in alarm.get("Dimensions", [])
    ]
    if queue not in watched:
        yield Finding(template.path, queue, "keeps failures of which nobody is told: it needs an alarm")
    senders = [
        statement
        for _, statement in statements(template)
        if "sqs:SendMessage" in _actions(statement)
        and statement.get("Resource") == {"Fn::GetAtt": [queue, "Arn"]}
    ]
    if rule and not any({"Fn::GetAtt": [rule, "Arn"]} in _walk(statement) for statement in senders):
        yield Finding(
            template.path, queue, f"its policy does not let {rule} send: name its Arn in aws:SourceArn"
        )


def referred(value: Any, attribute: str) -> str:
    """The logical id whose attribute a value is; empty if it is none."""
    found = value.get("Fn::GetAtt") if isinstance(value, dict) else None
    return str(found[0]) if found and found[1:] == [attribute] else ""


def member_alone(template: Template) -> Iterator[Finding]:
    """A member template can be created in an account that has nothing yet."""
    if template.account != "member":
        return
    for name, parameter in template.parameters.items():
        if str(parameter.get("Type")).startswith("AWS::SSM::"):
            yield Finding(
                template.path, name, "a member template takes values, not SSM parameters of its account"
            )
    for name, resource in template.resources.items():
        for value in _walk(resource):
            if isinstance(value, dict) and "Fn::ImportValue" in value:
                yield Finding(
                    template.path, name, "a member template imports nothing: another stack need not be there"
                )
            if isinstance(value, str) and "{{resolve:" in value:
                yield Finding(template.path, name, "a member template resolves nothing from its account")
    for name, statement in statements(template):
        principal = statement.get("Principal")
        arns = _list(principal.get("AWS")) if isinstance(principal, dict) else []
        if any(":role/" in str(arn) or ":user/" in str(arn) for arn in arns):
            yield Finding(
                template.path, name, "a named principal has to exist first: use the root and aws:PrincipalArn"
            )


def builds_in_turn(template: Template) -> Iterator[Finding]:
    """A new account may run one build at a time: StartBuild of a second one fails (quota L-9D07B6EF)."""
    for name, pipeline in template.of_type("AWS::CodePipeline::Pipeline"):
        for stage in pipeline["Stages"]:
            groups: dict[int, list[str]] = defaultdict(list)
            for action in stage["Actions"]:
                if action["ActionTypeId"]["Provider"] == "CodeBuild":
                    groups[int(action.get("RunOrder", 1))].append(str(action["Name"]))
            for order, builds in groups.items():
                if len(builds) > 1:
                    reason = f"{' and '.join(builds)} share run order {order}: give each build its own"
                    yield Finding(template.path, name, f"stage {stage['Name']}: {reason}")


def suppressions(template: Template) -> Iterator[Finding]:
    """A suppression says why, in words: the reader of the template decides whether it still holds."""
    for one in suppressed(template.path, template.body):
        if not one.rule or len(one.reason.split()) < 4:
            yield Finding(
                template.path, one.resource, f"suppresses {one.analyser} {one.rule} without a reason"
            )
        if one.resource == "template":
            yield Finding(template.path, one.resource, f"suppress {one.rule} inside the resource it is about")


CHECKS: tuple[Check, ...] = (
    layout,
    description,
    parameters,
    spelling,
    ascii_only,
    partition,
    retention,
    organization,
    version,
    wildcards,
    pass_role,
    trust,
    invocations,
    named_roles,
    keys,
    buckets,
    vaults,
    log_groups,
    handlers,
    dead_letters,
    member_alone,
    builds_in_turn,
    suppressions,
)


def unexported_variables(templates: Sequence[Template]) -> Iterator[Finding]:
    """Each variable of an action has the namespace of an action, and is exported by it if it is a build.

    CodePipeline would notice in the middle of a rollout, when the action's turn comes.
    """
    buildspecs = {
        str(properties["Name"]): str(properties["Source"]["BuildSpec"])
        for template in templates
        for _, properties in template.of_type("AWS::CodeBuild::Project")
    }
    for template in templates:
        for name, pipeline in template.of_type("AWS::CodePipeline::Pipeline"):
            actions = [action for stage in pipeline["Stages"] for action in stage["Actions"]]
            exported = {
                action["Namespace"]: buildspecs[action["Configuration"]["ProjectName"]]
                for action in actions
                if "Namespace" in action and action["Configuration"].get("ProjectName") in buildspecs
            }
            namespaces = {"codepipeline", *(action.get("Namespace") for action in actions)}
            for action in actions:
                for value in map(str, action.get("Configuration", {}).values()):
                    for namespace, variable in re.findall(r"#\{(\w+)\.(\w+)\}", value):
                        path = exported.get(namespace)
                        if path and variable not in _exported(path):
                            reason = f"uses {variable}, which {path} does not export"
                            yield Finding(template.path, name, f"action {action['Name']} {reason}")
                        if namespace not in namespaces:
                            reason = f"uses {variable} of namespace {namespace}, which no action has"
                            yield Finding(template.path, name, f"action {action['Name']} {reason}")


def _exported(buildspec: str) -> list[str]:
    body = yaml.safe_load((ROOT / buildspec).read_text(encoding="utf-8"))
    return list((body.get("env") or {}).get("exported-variables") or [])


def exports(template: Template) -> Iterator[tuple[str, str]]:
    """(output, export name) of a template."""
    for name, output in template.body.get("Outputs", {}).items():
        if "Export" in output:
            yield name, str(output["Export"]["Name"])


def imports(template: Template) -> Iterator[tuple[str, str]]:
    """(resource, imported name) of a template."""
    for name, resource in template.resources.items():
        for value in _walk(resource):
            if isinstance(value, dict) and "Fn::ImportValue" in value:
                yield name, str(value["Fn::ImportValue"])


def unmatched_imports(templates: Sequence[Template]) -> Iterator[Finding]:
    """Each import has its export in a template of the same account; no name is exported twice there."""
    exported: dict[tuple[str, str], str] = {}
    for template in templates:
        for output, name in exports(template):
            if (template.account, name) in exported:
                yield Finding(
                    template.path, output, f"{name} is already exported by {exported[template.account, name]}"
                )
            exported[template.account, name] = template.path
    for template in templates:
        for resource, name in imports(template):
            if (template.account, name) not in exported:
                yield Finding(
                    template.path, resource, f"imports {name}, which no template of the account exports"
                )


def ssm_reads(template: Template) -> Iterator[tuple[str, str]]:
    """(where, path) of each SSM read: typed parameters, dynamic references, CodeBuild's variables."""
    for name, parameter in template.parameters.items():
        if str(parameter.get("Type")).startswith("AWS::SSM::Parameter::Value"):
            yield name, str(parameter.get("Default"))
    for name, resource in template.resources.items():
        for value in _walk(resource):
            if isinstance(value, str):
                for path in re.findall(r"\{\{resolve:ssm:([^:}]+)", value):
                    yield name, path
            if isinstance(value, dict) and value.get("Type") == "PARAMETER_STORE":
                yield name, str(value.get("Value"))


def unmatched_ssm(templates: Sequence[Template]) -> Iterator[Finding]:
    """Each SSM parameter that is read is created by a template of the same account."""
    created = {
        (template.account, str(properties.get("Name")))
        for template in templates
        for _, properties in template.of_type("AWS::SSM::Parameter")
    }
    for template in templates:
        for where, path in ssm_reads(template):
            if (template.account, path) not in created:
                yield Finding(template.path, where, f"reads {path}, which no template of the account creates")


def _group(template: Template) -> str:
    """Who gives the parameters their values.

    The template that owns the SSM parameters has plain-typed ones of the same names, and so has the body of a
    StackSet, which gets them from its wrapper: a name has one definition within each group, not between them.
    """
    if any(template.of_type("AWS::SSM::Parameter")):
        return "owner"
    wrapped = template.account == "member" or template.path.endswith("/aws-backup-lambda-s3-bucket.yaml")
    return "body" if wrapped else "reader"


def _source(template: Template, parameter: Mapping[str, Any]) -> tuple[str, bool]:
    """The group, and whether SSM has the value: an option is not what a stack made by hand is given."""
    return _group(template), str(parameter.get("Type")).startswith("AWS::SSM::")


def one_definition(templates: Sequence[Template]) -> Iterator[Finding]:
    """The same parameter name has the same type, pattern, description and default in every template."""
    first: dict[tuple[tuple[str, bool], str], tuple[str, Mapping[str, Any]]] = {}
    for template in templates:
        for name, parameter in template.parameters.items():
            path, known = first.setdefault((_source(template, parameter), name), (template.path, parameter))
            for key in sorted({*known, *parameter} - PER_FUNCTION.get(name, set())):
                if known.get(key) != parameter.get(key):
                    reason = f"{key} {parameter.get(key)!r} differs from {known.get(key)!r} in {path}"
                    yield Finding(template.path, name, reason)


def one_file(templates: Sequence[Template]) -> Iterator[Finding]:
    """A file name occurs once: the published commands and the deployment bucket know templates by it."""
    files: dict[str, list[str]] = defaultdict(list)
    for template in templates:
        files[template.path.rsplit("/", 1)[-1]].append(template.path)
    for paths in files.values():
        for path in paths[1:]:
            yield Finding(path, "template", f"has the same file name as {paths[0]}")


def names(templates: Sequence[Template]) -> Iterator[Finding]:
    """Whatever looks like a name of the solution is one: a consumer repeats its owner's literal."""
    known = {name.value.removeprefix("alias/") for name in NAMES}
    for template in templates:
        known |= {*template.resources, *template.parameters, *template.body.get("Outputs", {})}
        for resource in template.resources.values():
            properties = resource.get("Properties", {})
            known |= {
                str(value)
                for key, value in properties.items()
                if key.endswith("Name") and key != "DisplayName"
            }
        for _, pipeline in template.of_type("AWS::CodePipeline::Pipeline"):
            known |= {
                str(part["Name"]) for part in _walk(pipeline) if isinstance(part, dict) and "Name" in part
            }
    for template in templates:
        for number, line in _lines(template):
            for match in SOLUTION_NAME.finditer(line):
                word, group = match[0], line[match.end() :].startswith("*")
                if word not in known and not (group and any(name.startswith(word) for name in known)):
                    reason = f"{word} is the name of nothing in these templates: misspelt?"
                    yield Finding(template.path, f"line {number}", reason)


SET_CHECKS: tuple[SetCheck, ...] = (
    unmatched_imports,
    unmatched_ssm,
    unexported_variables,
    one_definition,
    one_file,
    names,
)


def findings(templates: Sequence[Template]) -> list[Finding]:
    """Everything that all checks find in a set of templates, without repetitions."""
    single: Iterable[Finding] = (f for template in templates for check in CHECKS for f in check(template))
    together: Iterable[Finding] = (f for check in SET_CHECKS for f in check(templates))
    return list(dict.fromkeys([*single, *together]))


def main(files: list[str]) -> int:
    """Check the files, or every template of the repository and the documents beside them."""
    templates = [load(Path(file).resolve()) for file in files] if files else repository_templates()
    found = findings(templates)
    if not files:
        found += [finding for document in documents() for finding in ascii_only(document)]
    sys.stdout.writelines(f"{finding}\n" for finding in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
