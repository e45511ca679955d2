"""The rules of this repository for templates, by subject; each looks for what the public analyzers miss.

A rule is a pure function from a template to findings with file, resource and reason. CHECKS has those that
look at one template, DOCUMENT_CHECKS those that a service control policy or a tags file passes as well, and
SET_CHECKS those that look at several templates together. test_rules.py proves with the faulty templates of
tests/templates/bad that every rule can fail.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildspecs.lint.rules import policies, resources, sets, style
from buildspecs.lint.rules.finding import Check, Finding, SetCheck
from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.lint.templates import documents as repository_documents

CHECKS: tuple[Check, ...] = (
    style.layout,
    style.description,
    style.parameters,
    style.spelling,
    style.quotes,
    style.ascii_only,
    style.partition,
    style.suppressions,
    policies.statement_form,
    policies.version,
    policies.organization,
    policies.invocations,
    policies.wildcards,
    policies.pass_role,
    policies.trust,
    policies.named_roles,
    resources.retention,
    resources.keys,
    resources.buckets,
    resources.vaults,
    resources.log_groups,
    resources.handlers,
    resources.dead_letters,
    resources.member_alone,
    resources.builds_in_turn,
)
DOCUMENT_CHECKS: tuple[Check, ...] = (style.ascii_only, policies.statement_form, policies.version)
SET_CHECKS: tuple[SetCheck, ...] = (
    sets.unmatched_imports,
    sets.unmatched_ssm,
    sets.unexported_variables,
    sets.one_definition,
    sets.one_file,
    sets.names,
)


def findings(templates: Sequence[Template], documents: Sequence[Template] = ()) -> list[Finding]:
    """Everything that the rules find in a set of templates and documents, without repetitions."""
    single: Iterable[Finding] = (f for template in templates for check in CHECKS for f in check(template))
    together: Iterable[Finding] = (f for check in SET_CHECKS for f in check(templates))
    further: Iterable[Finding] = (f for one in documents for check in DOCUMENT_CHECKS for f in check(one))
    return list(dict.fromkeys([*single, *together, *further]))


def main(files: Sequence[str]) -> int:
    """Check the files, or every template of the repository with its policies and tags; 1 for a finding."""
    if files:
        found = findings([load(Path(file).resolve()) for file in files])
    else:
        found = findings(repository_templates(), repository_documents())
    sys.stdout.writelines(f"{finding}\n" for finding in found)
    return 1 if found else 0
