"""Complete policy documents in the styles that are in use, and the result for each."""

import json
from pathlib import Path
from typing import Any

import pytest
from backup_org_policy_manager import policy

DOCUMENTS = Path(__file__).parent / "documents"
REGIONS = ["us-east-1", "us-east-2"]
HOURLY = "PolicyContent.plans.Compliance.rules.Hourly"
SECOND = "arn:aws:backup:us-east-1:$account:backup-vault:second"
PARENT = "ChildPolicy: must be true if a parent policy supplies what is missing"

# document: the problems on its own, and as a child policy
EXPECTED: dict[str, tuple[list[str], list[str]]] = {
    "five-rules-with-booleans": ([], []),
    "appended-regions": ([], []),
    "resources-with-conditions": ([], []),
    "locked-for-children": ([], []),
    "air-gapped-with-scans-and-index": ([], []),
    "nth-weekday": ([], []),
    "child-with-other-hours": (
        [
            f"{HOURLY}: no target_backup_vault_name",
            f"{HOURLY}.copy_actions.{SECOND}: no target_backup_vault_arn",
            "PolicyContent.plans.Compliance.selections: no selection",
            PARENT,
        ],
        [],
    ),
    "child-with-another-value": (
        [
            "PolicyContent.plans.Compliance.rules: no rule",
            "PolicyContent.plans.Compliance.selections.tags.datatype: no iam_role_arn",
            "PolicyContent.plans.Compliance.selections.tags.datatype: no tag_key",
            PARENT,
        ],
        [],
    ),
    "child-that-breaks-rules": (
        [
            f"{HOURLY}.schedule_expression.@@asign: no such operator",
            f"{HOURLY}.start_backup_window_minutes: 30, at least 60",
            f"{HOURLY}.lifecycle.delete_after_days: needs an operator such as @@assign",
            f"{HOURLY}: no target_backup_vault_name",
            "PolicyContent.plans.Compliance.selections: no selection",
            PARENT,
        ],
        [
            f"{HOURLY}.schedule_expression.@@asign: no such operator",
            f"{HOURLY}.start_backup_window_minutes: 30, at least 60",
            f"{HOURLY}.lifecycle.delete_after_days: needs an operator such as @@assign",
        ],
    ),
}


def test_every_document_has_a_row() -> None:
    assert {path.stem for path in DOCUMENTS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_document_is_accepted_unchanged_or_refused_with_every_problem(name: str) -> None:
    text = (DOCUMENTS / f"{name}.json").read_text()
    for child, faults in enumerate(EXPECTED[name]):
        compact, found = policy.compose(text, {}, REGIONS, child=bool(child))
        assert [str(fault) for fault in found] == faults
        if not faults:
            assert json.loads(compact) == _in_regions(json.loads(text))


def _in_regions(content: dict[str, Any]) -> dict[str, Any]:
    for name, plan in content["plans"].items():
        if not name.startswith("@@"):
            control = {key: value for key, value in plan.get("regions", {}).items() if "allowed" in key}
            plan["regions"] = {**control, "@@assign": REGIONS}
    return content
