"""Asks Organizations whether the resulting effective policies are valid. Tells; never fails a request.

A policy can be accepted and still be without effect: where two policies that reach one account assign
different values to the same element, the account's effective policy is invalid and AWS Backup keeps the
last valid one.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_effective.html
"""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .elements import as_object, missing, named
from .errors import CallFailedError, PolicyManagerError, shorten
from .organizations import Organization
from .patience import WORK_RESERVE
from .policy import parse
from .request import ACCOUNT_ID, POLICY_TYPE, Wanted

log = logging.getLogger(__name__)

# A stack update waits for the answer, so asking is bounded: in time, and in what one answer can show.
MAX_SECONDS = 20.0
MAX_ACCOUNTS = 10
MAX_REPORT = 600

VALID = "valid"
OFF = "off"


def verify(policy_id: str, wanted: Wanted, organization: Organization) -> str:
    """One of: valid, off, "invalid: …" naming accounts and paths, "unknown: …" with the reason.

    Organizations computes effective policies some time after a change: the answer is what it knows now.
    """
    if not wanted.verify:
        return OFF
    patience = organization.patience.keeping(WORK_RESERVE).at_most(MAX_SECONDS)
    try:
        problems, unknown = _ask(policy_id, wanted, Organization(organization.client, patience))
    except Exception:
        # The policy is as requested by now; an answer of unknown form must not undo that.
        log.exception("action=verify policy=%s failed", policy_id)
        problems, unknown = [], "an answer of Organizations was not understood, see the log"
    for problem in problems:
        log.warning("action=verify policy=%s result=invalid %s", policy_id, problem)
    if unknown:
        log.info("action=verify policy=%s result=unknown reason=%s", policy_id, unknown)
    if problems:
        return shorten("invalid: " + "; ".join(problems), MAX_REPORT)
    return shorten(f"unknown: {unknown}", MAX_REPORT) if unknown else VALID


def _ask(policy_id: str, wanted: Wanted, organization: Organization) -> tuple[list[str], str | None]:
    """The problems found, and why more may be unknown (None if nothing is).

    AWS's own list of invalid policies does not promise to name a plan that lacks something, so a child
    policy's effective plans are read as well.
    """
    problems: list[str] = []
    try:
        for problem in _invalid_accounts(policy_id, wanted.targets, organization):
            problems.append(problem)  # what was found before a call failed is kept
    except PolicyManagerError as error:
        log.info("action=verify policy=%s call failed: %s", policy_id, error)
        return (problems, str(error)) if problems else _from_effective_policies(wanted, organization)
    return (
        _from_effective_policies(wanted, organization) if wanted.child and not problems else (problems, None)
    )


def _invalid_accounts(policy_id: str, targets: Sequence[str], organization: Organization) -> Iterator[str]:
    """The errors in the effective policies that this policy has a part in: one call if there are none."""
    operation = "ListAccountsWithInvalidEffectivePolicy"
    _require(operation, organization)
    accounts = [
        account["Id"]
        for page in organization.pages(operation, POLICY_TYPE, PolicyType=POLICY_TYPE)
        for account in page.get("Accounts", [])
    ]
    for account in accounts[:MAX_ACCOUNTS]:
        yield from _errors_of(account, policy_id, targets, organization)
    if len(accounts) > MAX_ACCOUNTS:
        yield f"{len(accounts) - MAX_ACCOUNTS} more accounts have an invalid effective policy"


def _errors_of(
    account: str, policy_id: str, targets: Sequence[str], organization: Organization
) -> Iterator[str]:
    operation = "ListEffectivePolicyValidationErrors"
    for page in organization.pages(operation, account, AccountId=account, PolicyType=POLICY_TYPE):
        reached = not set(targets).isdisjoint([account, *page.get("Path", "").split("/")])
        for error in page.get("EffectivePolicyValidationErrors", []):
            if reached or policy_id in error.get("ContributingPolicies", []):
                place = error.get("PathToError", "an unknown path")
                yield f"account {account} at {place}: {error.get('ErrorMessage') or error.get('ErrorCode')}"


def _from_effective_policies(wanted: Wanted, organization: Organization) -> tuple[list[str], str | None]:
    """The second way: the plans in the effective policy of an account of each target."""
    problems, unknown = [], None
    asked = set()
    for target in wanted.targets[:MAX_ACCOUNTS]:
        try:
            account = _an_account_of(target, organization)
            if account is None:
                unknown = f"no account is directly in {target}"
            elif account not in asked:
                asked.add(account)
                problems += _plan_problems(account, wanted, organization)
        except PolicyManagerError as error:
            unknown = str(error)
            break
    return problems, unknown


def _plan_problems(account: str, wanted: Wanted, organization: Organization) -> list[str]:
    """The plans that the account does not have, and what those lack for which a parent supplies the rest."""
    plans = {name.lower() for name, _ in named(parse(wanted.content)["plans"])}
    effective = _effective_plans(account, organization)
    problems = [
        f"account {account} at {fault.where}: {fault.what}"
        for name in sorted(plans & effective.keys() if wanted.child else ())
        for fault in missing(f"plans.{name}", effective[name])
    ]
    if absent := plans - effective.keys():
        problems.append(f"account {account} at plans: no effective plan {', '.join(sorted(absent))} yet")
    return problems


def _an_account_of(target: str, organization: Organization) -> str | None:
    if re.fullmatch(ACCOUNT_ID, target):
        return target
    pages = organization.pages("ListAccountsForParent", target, ParentId=target)
    return next((account["Id"] for page in pages for account in page["Accounts"]), None)


def _effective_plans(account: str, organization: Organization) -> dict[str, dict[str, Any]]:
    operation = "DescribeEffectivePolicy"
    try:
        answer = organization.call(operation, account, PolicyType=POLICY_TYPE, TargetId=account)
    except CallFailedError as error:
        if error.code == "EffectivePolicyNotFoundException":
            return {}
        raise
    # Effective policies are shown with keys in small letters.
    plans = json.loads(answer["EffectivePolicy"]["PolicyContent"]).get("plans", {})
    return {name.lower(): as_object(plan) for name, plan in plans.items()}


def _require(operation: str, organization: Organization) -> None:
    if not organization.offers(operation):
        raise CallFailedError(operation, "NotInThisSDK", "the runtime's boto3 does not have this call")
