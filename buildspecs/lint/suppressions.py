"""Which findings of the analyzers the templates suppress, and whether each suppression is still needed.

A suppression is in the Metadata of its resource, in its analyzer's syntax, with a reason:

    cfn_nag:  {rules_to_suppress: [{id: W28, reason: …}]}
    checkov:  {skip: [{id: CKV_AWS_33, comment: …}]}
    cfripper: {rules_to_suppress: [{id: PrivilegeEscalationRule, reason: …}]}
    cfn-lint: {config: {ignore_checks: [W3005]}}    has no place for a reason, so it is not used here
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from buildspecs.lint.templates import parsed


@dataclass(frozen=True)
class Finding:
    """What an analyzer reports about a resource, which is given by its logical ID."""

    file: str
    resource: str
    analyzer: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.resource}: {self.analyzer} {self.rule}: {self.text}"


@dataclass(frozen=True)
class Suppression:
    """What a template accepts of an analyzer, and why."""

    file: str
    resource: str
    analyzer: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.resource}: {self.analyzer} {self.rule}: {self.reason}"


def read(file: str) -> Iterator[Suppression]:
    """Every suppression in a template, in its order."""
    return of(file, parsed(file))


def of(file: str, body: Mapping[str, Any]) -> Iterator[Suppression]:
    """Every suppression in a parsed template."""
    parts = [("template", body), *(body.get("Resources") or {}).items()]
    for resource, part in parts:
        metadata = part.get("Metadata") or {}
        for analyzer, key, rows, reason in (
            ("cfn-nag", "cfn_nag", "rules_to_suppress", "reason"),
            ("checkov", "checkov", "skip", "comment"),
            ("cfripper", "cfripper", "rules_to_suppress", "reason"),
        ):
            for row in (metadata.get(key) or {}).get(rows) or []:
                yield Suppression(
                    file, resource, analyzer, str(row.get("id", "")), str(row.get(reason, "")).strip()
                )
        for rule in ((metadata.get("cfn-lint") or {}).get("config") or {}).get("ignore_checks") or []:
            yield Suppression(file, resource, "cfn-lint", str(rule), "")


def faults(analyzer: str, findings: Iterable[Finding], suppressions: Iterable[Suppression]) -> list[str]:
    """What fails a gate: findings that nothing suppresses, and suppressions that suppress nothing."""
    found = {(finding.file, finding.resource, finding.rule): finding for finding in findings}
    given = {(one.file, one.resource, one.rule): one for one in suppressions if one.analyzer == analyzer}
    return [
        *(str(finding) for place, finding in found.items() if place not in given),
        *(
            f"{one.file}: {one.resource}: {analyzer} {one.rule} is suppressed but not found: "
            "remove the suppression"
            for place, one in given.items()
            if place not in found
        ),
    ]


def listing(suppressions: Iterable[Suppression]) -> str:
    """All suppressions, one per line, then their number for each analyzer."""
    rows = list(suppressions)
    counts = Counter(row.analyzer for row in rows)
    summary = ", ".join(f"{analyzer} {count}" for analyzer, count in sorted(counts.items()))
    return "\n".join([*map(str, rows), f"{len(rows)} suppressions" + (f": {summary}" if rows else "")])
