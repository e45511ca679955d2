"""Every template of the repository passes every rule; for cfn-lint, see test_partitions.py."""

from __future__ import annotations

import pytest

from buildspecs.lint.rules import CHECKS, DOCUMENT_CHECKS, SET_CHECKS
from buildspecs.lint.rules.finding import Check, SetCheck
from buildspecs.lint.templates import documents, repository_templates
from buildspecs.names import TEMPLATES
from buildspecs.paths import ROOT


def test_every_template_of_the_contract_exists() -> None:
    assert sorted(path for path in TEMPLATES if not (ROOT / path).is_file()) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_template_has_a_finding(check: Check) -> None:
    found = [str(finding) for template in repository_templates() for finding in check(template)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", DOCUMENT_CHECKS, ids=lambda check: check.__name__)
def test_service_control_policies_and_tags_have_no_finding(check: Check) -> None:
    assert len(documents()) == 5
    found = [str(finding) for document in documents() for finding in check(document)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", SET_CHECKS, ids=lambda check: check.__name__)
def test_the_templates_agree_with_each_other(check: SetCheck) -> None:
    found = [str(finding) for finding in check(repository_templates())]
    assert not found, "\n".join(found)
