"""What templates must have between them: exports, parameters, variables and names that match."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from buildspecs.lint.rules.finding import Finding
from buildspecs.lint.rules.reading import numbered_lines, walk
from buildspecs.lint.templates import Template
from buildspecs.names import NAMES
from buildspecs.paths import ROOT

SOLUTION_NAME = re.compile(
    r"\b(AWSBackupSolution\w*|AWSBackup-\w+|AWSCloudFormationStackSet\w+|BackupOrgPolicyManager\w*|TagOnRestore\w*)"
)
# Parameters that differ from function to function → the attributes that may differ.
PER_FUNCTION = {"DeployedPackage": {"Default"}}


def unexported_variables(templates: Sequence[Template]) -> Iterator[Finding]:
    """A variable that an action uses is in the namespace of an action, which exports it if it is a build.

    CodePipeline would fail in the middle of a rollout, when it starts the action.
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
        for value in walk(resource):
            if isinstance(value, dict) and "Fn::ImportValue" in value:
                yield name, str(value["Fn::ImportValue"])


def unmatched_imports(templates: Sequence[Template]) -> Iterator[Finding]:
    """An import has its export in a template of the same account, in which no name is exported twice."""
    exported: dict[tuple[str, str], str] = {}
    for template in templates:
        for output, name in exports(template):
            if (template.account, name) in exported:
                reason = f"{name} is already exported by {exported[template.account, name]}"
                yield Finding(template.path, output, reason)
            exported[template.account, name] = template.path
    for template in templates:
        for resource, name in imports(template):
            if (template.account, name) not in exported:
                reason = f"imports {name}, which no template of the account exports"
                yield Finding(template.path, resource, reason)


def ssm_reads(template: Template) -> Iterator[tuple[str, str]]:
    """(where, path) of what is read from SSM: typed parameters, dynamic references, CodeBuild's variables."""
    for name, parameter in template.parameters.items():
        if str(parameter.get("Type")).startswith("AWS::SSM::Parameter::Value"):
            yield name, str(parameter.get("Default"))
    for name, resource in template.resources.items():
        for value in walk(resource):
            if isinstance(value, str):
                for path in re.findall(r"\{\{resolve:ssm:([^:}]+)", value):
                    yield name, path
            if isinstance(value, dict) and value.get("Type") == "PARAMETER_STORE":
                yield name, str(value.get("Value"))


def unmatched_ssm(templates: Sequence[Template]) -> Iterator[Finding]:
    """An SSM parameter that is read is created by a template of the same account."""
    created = {
        (template.account, str(properties.get("Name")))
        for template in templates
        for _, properties in template.of_type("AWS::SSM::Parameter")
    }
    for template in templates:
        for where, path in ssm_reads(template):
            if (template.account, path) not in created:
                yield Finding(template.path, where, f"reads {path}, which no template of the account creates")


def _source(template: Template, parameter: Mapping[str, Any]) -> str:
    """Where a parameter's value comes from: a person, SSM, or the wrapper of a StackSet.

    A name has one definition for each source. The template that owns the SSM parameters and the template of
    a StackSet take plain values of the same names.
    """
    if any(template.of_type("AWS::SSM::Parameter")):
        return "owner"
    if template.account == "member" or template.path.endswith("/aws-backup-lambda-s3-bucket.yaml"):
        return "wrapper"
    return "SSM" if str(parameter.get("Type")).startswith("AWS::SSM::") else "person"


def one_definition(templates: Sequence[Template]) -> Iterator[Finding]:
    """The same parameter name has the same type, pattern, description and default in every template."""
    first: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for template in templates:
        for name, parameter in template.parameters.items():
            path, known = first.setdefault((_source(template, parameter), name), (template.path, parameter))
            for key in sorted({*known, *parameter} - PER_FUNCTION.get(name, set())):
                if known.get(key) != parameter.get(key):
                    reason = f"{key} {parameter.get(key)!r} differs from {known.get(key)!r} in {path}"
                    yield Finding(template.path, name, reason)


def one_file(templates: Sequence[Template]) -> Iterator[Finding]:
    """A file name is unique: published commands and the deployment bucket identify templates by it."""
    files: dict[str, list[str]] = defaultdict(list)
    for template in templates:
        files[template.path.rsplit("/", 1)[-1]].append(template.path)
    for paths in files.values():
        for path in paths[1:]:
            yield Finding(path, "template", f"has the same file name as {paths[0]}")


def names(templates: Sequence[Template]) -> Iterator[Finding]:
    """Text that looks like a name of the solution is one: a consumer repeats its owner's literal."""
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
                str(part["Name"]) for part in walk(pipeline) if isinstance(part, dict) and "Name" in part
            }
    for template in templates:
        for number, line in numbered_lines(template):
            for match in SOLUTION_NAME.finditer(line):
                word, group = match[0], line[match.end() :].startswith("*")
                if word not in known and not (group and any(name.startswith(word) for name in known)):
                    reason = f"{word} names nothing in these templates: is it misspelled?"
                    yield Finding(template.path, f"line {number}", reason)
