"""An organizational unit (OU) outside this solution, with a backup policy of its own that must not change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.emulator import Emulator
from rehearsal.organization.plan import Organization
from rehearsal.stories.policies_in_effect import Policy, read

# Its name begins with that of one of ours.
POLICY: Final = "org-daily-backup-policy-of-the-sandbox"
PLAN: Final = "Sandbox"
_UNIT: Final = "sandbox"


@dataclass(frozen=True)
class Sandbox:
    """The OU, an account in it, and its policy."""

    unit: str
    account: str
    policy: Policy


def create(emulator: Emulator, organization: Organization) -> Sandbox:
    """Create it before anything is deployed."""
    plan = organization.plan
    client = emulator.session(plan.accounts.management, plan.home_region).client("organizations")
    created = client.create_organizational_unit(ParentId=organization.root, Name=_UNIT)
    unit = created["OrganizationalUnit"]["Id"]
    made = client.create_account(Email=f"{_UNIT}@example.com", AccountName=_UNIT)
    account = made["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=account, SourceParentId=organization.root, DestinationParentId=unit)
    identifier = client.create_policy(
        Name=POLICY,
        Description="Created by hand",
        Type="BACKUP_POLICY",
        Content=json.dumps({"plans": {PLAN: _plan(plan.home_region)}}),
    )["Policy"]["PolicySummary"]["Id"]
    client.attach_policy(PolicyId=identifier, TargetId=unit)
    return Sandbox(unit, account, read(client, identifier))


def _plan(region: str) -> dict[str, Any]:
    role = {"@@assign": f"arn:aws:iam::$account:role/{_UNIT}"}
    return {
        "regions": {"@@assign": [region]},
        "rules": {
            "weekly": {
                "schedule_expression": {"@@assign": "cron(0 1 ? * 1 *)"},
                "target_backup_vault_name": {"@@assign": "Default"},
            }
        },
        "selections": {
            "tags": {
                "all": {
                    "iam_role_arn": role,
                    "tag_key": {"@@assign": _UNIT},
                    "tag_value": {"@@assign": ["yes"]},
                }
            }
        },
    }
