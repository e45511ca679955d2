"""Closed accounts: CloseAccount, and the State of an account.

AWS closes a member account in the background: its State goes from ACTIVE through PENDING_CLOSURE to CLOSED,
its Status to SUSPENDED, and the account can only be used to view bills. ministack closes every open account,
the management account too, and knows Status only.

Emulated: the management account cannot be closed; State in addition to Status; the account stays where it is
in the organization and can be moved, which AWS does not rule out. Sources: CloseAccount, Account and
ConstraintViolationException, Organizations API Reference; "Monitor the state of your AWS accounts",
Organizations User Guide. stacksets/resource.py has what StackSets does then.

Not emulated: PENDING_CLOSURE, the quota of closures, the removal after 90 days; that no one can use the
account, so that a rehearsal can read what is in it.
"""

from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import organization

_SUSPENDED = "SUSPENDED"


def install() -> None:
    hooks.organizations._DISPATCH["CloseAccount"] = organization.checking(
        _refuse_management_account, hooks.organizations._DISPATCH["CloseAccount"]
    )
    public = hooks.organizations._public_account
    hooks.organizations._public_account = lambda account: {**public(account), "State": _state(account)}


def is_suspended(account: str) -> bool:
    """Whether an account of the organization is suspended."""
    found = organization.record(account)
    return found is not None and found.get("Status") == _SUSPENDED


def _refuse_management_account(payload: dict[str, Any]) -> None:
    if payload.get("AccountId") == organization.management_account():
        raise ApiError(
            "ConstraintViolationException",
            "You attempted to close the management account (CANNOT_CLOSE_MANAGEMENT_ACCOUNT).",
        )


def _state(account: dict[str, Any]) -> str:
    return "CLOSED" if account["Status"] == _SUSPENDED else str(account["Status"])
