"""How a template is written: order, descriptions, spelling, quotes, characters, partitions, suppressions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import yaml

from buildspecs.lint.rules.finding import Finding
from buildspecs.lint.rules.reading import numbered_lines
from buildspecs.lint.suppressions import of as suppressed
from buildspecs.lint.templates import Template
from buildspecs.names import LETTERED

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
CONSTRAINTS = ("AllowedPattern", "AllowedValues", "MinLength", "MaxLength", "MinValue", "MaxValue")
PARAMETER = ("Type", "Default", "NoEcho", "Description", *CONSTRAINTS, "ConstraintDescription")
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
ACTION = (
    "Name",
    "RunOrder",
    "Region",
    "RoleArn",
    "ActionTypeId",
    "Commands",
    "InputArtifacts",
    "OutputArtifacts",
    "OutputVariables",
    "TimeoutInMinutes",
    "Namespace",
    "Configuration",
)
ACTION_TYPE = ("Category", "Owner", "Provider", "Version")
# Of an action that deploys a stack; the other actions have few keys, in no order of their own.
STACK = (
    "ActionMode",
    "Capabilities",
    "RoleArn",
    "StackName",
    "TemplatePath",
    "TemplateConfiguration",
    "ParameterOverrides",
)
# A template with many parameters may have this many lines above its resources. One that owns the SSM
# parameters, or passes parameters on to a StackSet, may have any number.
FEW_LINES = 98
COMMENTED_OUT = re.compile(
    r"^\s*#\s*(- \w+:|[A-Z][a-z]+[A-Z]\w*:(\s|$)|(Type|Properties|Ref|Action|Resource): )"
)
UPPER_BOOLEAN = re.compile(r"""[:-]\s+['"]?(True|TRUE|False|FALSE|Yes|YES|No|NO|On|ON|Off|OFF)['"]?\s*$""")
IN_FLOW_STYLE = re.compile(r"^\s*(?:- )?(ActionTypeId|InputArtifacts|OutputArtifacts):\s*(?:#.*)?$")
WORDS = re.compile(r"[A-Za-z][\w./-]*( [\w./-]+)*")
# With libyaml where PyYAML has it: ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def layout(template: Template) -> Iterator[Finding]:
    """Sections, parameters, resources and actions each have one order of keys; Resources are near the top."""
    for name in template.body:
        if name not in SECTIONS:
            yield Finding(template.path, name, "is not a section of a template")
    if not _in_order(filter(SECTIONS.__contains__, template.body), SECTIONS):
        yield Finding(template.path, "template", f"sections must be in the order {', '.join(SECTIONS)}")
    if template.body.get("AWSTemplateFormatVersion") != "2010-09-09":
        yield Finding(template.path, "template", "must begin with AWSTemplateFormatVersion: '2010-09-09'")
    lines = template.text.splitlines()
    start = next((n for n, line in enumerate(lines, start=1) if line.startswith("Resources:")), 0)
    table = any(template.of_type("AWS::SSM::Parameter", "AWS::CloudFormation::StackSet"))
    if start > max(FEW_LINES, len(lines) / 3) and not table:
        reason = f"begins in line {start} of {len(lines)}, not within the first third"
        yield Finding(template.path, "Resources", reason)
    for name, parameter in template.parameters.items():
        if not _in_order(parameter, PARAMETER):
            yield Finding(template.path, name, f"keys must be in the order {', '.join(PARAMETER)}")
    for name, resource in template.resources.items():
        if not _in_order(resource, ATTRIBUTES):
            yield Finding(template.path, name, f"attributes must be in the order {', '.join(ATTRIBUTES)}")
    for name, pipeline in template.of_type("AWS::CodePipeline::Pipeline"):
        for action in (action for stage in pipeline["Stages"] for action in stage["Actions"]):
            configuration = [key for key in action.get("Configuration", {}) if key in STACK]
            for keys, order in (
                (action, ACTION),
                (action["ActionTypeId"], ACTION_TYPE),
                (configuration, STACK),
            ):
                if not _in_order(keys, order):
                    reason = f"action {action['Name']}: keys must be in the order {', '.join(order)}"
                    yield Finding(template.path, name, reason)


def _in_order(keys: Iterable[str], order: Sequence[str]) -> bool:
    written = list(keys)
    return written == [key for key in order if key in written]


def description(template: Template) -> Iterator[Finding]:
    """The description begins with the account; every parameter has a description."""
    beginning = f"{template.account.capitalize()} account: "
    if not str(template.body.get("Description", "")).startswith(beginning):
        yield Finding(template.path, "Description", f"must begin with '{beginning}'")
    for name, parameter in template.parameters.items():
        if not parameter.get("Description"):
            yield Finding(template.path, name, "a parameter needs a Description")


def parameters(template: Template) -> Iterator[Finding]:
    """A value that a person types is checked at once and explained; new names have no type letter."""
    for name, parameter in template.parameters.items():
        if re.match(r"^p[A-Z]", name) and name not in LETTERED:
            yield Finding(template.path, name, "name a new parameter with a noun, without a type letter")
        constraints = [key for key in CONSTRAINTS if key in parameter]
        typed = parameter.get("Type") in ("String", "CommaDelimitedList")
        if typed and not {"AllowedPattern", "AllowedValues"} & set(constraints):
            reason = f"a {parameter['Type']} parameter needs AllowedPattern or AllowedValues"
            yield Finding(template.path, name, reason)
        if constraints and not parameter.get("ConstraintDescription"):
            verb = "need" if len(constraints) > 1 else "needs"
            reason = f"{' and '.join(constraints)} {verb} a ConstraintDescription that says what is allowed"
            yield Finding(template.path, name, reason)
    for name in template.resources:
        if re.match(r"^r[A-Z]", name):
            yield Finding(template.path, name, "name a resource with a noun, without a type letter")


def spelling(template: Template) -> Iterator[Finding]:
    """Short forms, flow style, lowercase booleans, no commented-out YAML, lines that fit a screen."""
    for number, line in enumerate(template.text.splitlines(), start=1):
        if COMMENTED_OUT.match(line):
            yield Finding(template.path, f"line {number}", "commented-out YAML: delete it, history keeps it")
        # One long word, such as an ARN or a URL, cannot be broken.
        if len(line) > 110 and " " in re.sub(r"^\s*(- )?([\w:]+: )?(!\w+ )?", "", line).strip():
            yield Finding(template.path, f"line {number}", f"has {len(line)} characters: 110 at most")
    for number, line in numbered_lines(template):
        # The long form is needed where the only argument of a function is another function.
        if re.search(r"\bFn::\w+", line) and not re.search(r"Fn::\w+: !", line):
            yield Finding(template.path, f"line {number}", "use the short form of a function, such as !Sub")
        if block := IN_FLOW_STYLE.match(line):
            reason = f"write {block[1]} in flow style, on one line"
            yield Finding(template.path, f"line {number}", reason)
        if UPPER_BOOLEAN.search(line):
            yield Finding(template.path, f"line {number}", "write a boolean as true or false")


def quotes(template: Template) -> Iterator[Finding]:
    """Quotes are single, and no words have them that YAML reads as the same text without them."""
    for token in yaml.scan(template.text, Loader=LOADER):
        if isinstance(token, yaml.ScalarToken):
            place, value = f"line {token.start_mark.line + 1}", str(token.value)
            if token.style == '"':
                yield Finding(template.path, place, "use single quotes")
            elif token.style == "'" and WORDS.fullmatch(value) and yaml.safe_load(value) == value:
                yield Finding(template.path, place, f"{value} needs no quotes")


def ascii_only(template: Template) -> Iterator[Finding]:
    """CloudFormation replaces any other character with ?, so its copy would differ from the file."""
    for number, line in enumerate(template.text.splitlines(), start=1):
        for character in dict.fromkeys(character for character in line if not character.isascii()):
            name = f"U+{ord(character):04X} ({unicodedata.name(character, 'without a name')})"
            reason = f"{name}: write it in ASCII, since CloudFormation's GetTemplate returns ? for it"
            yield Finding(template.path, f"line {number}", reason)


def partition(template: Template) -> Iterator[Finding]:
    """A template works in every partition: no arn:aws:, and amazonaws.com in service principals only."""
    for number, line in numbered_lines(template):
        if "arn:aws:" in line:
            yield Finding(template.path, f"line {number}", "write arn:${AWS::Partition}: instead of arn:aws:")
        if re.search(r"https://\S*amazonaws\.com", line) or re.search(r"\.\*\.amazonaws\.com", line):
            yield Finding(template.path, f"line {number}", "write ${AWS::URLSuffix} instead of amazonaws.com")


def suppressions(template: Template) -> Iterator[Finding]:
    """A suppression gives its reason in words, so that a reader can decide whether it still applies."""
    for one in suppressed(template.path, template.body):
        if not one.rule or len(one.reason.split()) < 4:
            reason = f"suppresses {one.analyzer} {one.rule} without a reason"
            yield Finding(template.path, one.resource, reason)
        if one.resource == "template":
            reason = f"suppress {one.rule} in the resource that it is about"
            yield Finding(template.path, one.resource, reason)
