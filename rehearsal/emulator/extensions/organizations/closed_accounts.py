"""Accounts that the organization has closed: CloseAccount, and what is said of them afterwards.

AWS closes a member account in the background: its State goes from ACTIVE over PENDING_CLOSURE to CLOSED, its
Status to SUSPENDED, and nobody can use it but to look at bills. ministack closes every account that exists
and is not closed yet, the management account too, and knows Status only.

Emulated: the management account cannot be closed; State beside Status; the account stays where it is in the
organization and can be moved, which AWS does not deny. Sources: CloseAccount, Account and
ConstraintViolationException, Organizations API Reference; "Monitor the state of your AWS accounts",
Organizations User Guide. What StackSets does then is in stacksets.py.

Not emulated: PENDING_CLOSURE, the quota of closures, the end after 90 days; that nobody can use the account,
so that a rehearsal can look into it.
"""

from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import organizations

_SUSPENDED = "SUSPENDED"


def install() -> None:
    hooks.organizations._DISPATCH["CloseAccount"] = organizations.checking(
        _refuse_management_account, hooks.organizations._DISPATCH["CloseAccount"]
    )
    public = hooks.organizations._public_account
    hooks.organizations._public_account = lambda account: {**public(account), "State": _state(account)}


def is_suspended(account: str) -> bool:
    """Whether an account is suspended, as far as the organization knows it."""
    found = organizations.record(account)
    return found is not None and found.get("Status") == _SUSPENDED


def _refuse_management_account(payload: dict[str, Any]) -> None:
    if payload.get("AccountId") == organizations.management_account():
        raise ApiError(
            "ConstraintViolationException",
            "You attempted to close the management account (CANNOT_CLOSE_MANAGEMENT_ACCOUNT).",
        )


def _state(account: dict[str, Any]) -> str:
    return "CLOSED" if account["Status"] == _SUSPENDED else str(account["Status"])
