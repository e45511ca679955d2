"""Checks whether the resulting effective policies are valid. Reports problems but never fails a request.

Organizations can accept a policy that then has no effect: where two policies that apply to one account assign
different values to the same element, the account's effective policy is invalid and AWS Backup keeps the last
valid one. The policy is still as requested, and a rollback would remove protection where it works.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_effective.html
"""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .elements import as_object, members, missing
from .errors import CallFailedError, PolicyManagerError, shorten
from .organizations import Organization
from .policy import parse
from .request import ACCOUNT_ID, POLICY_TYPE, DesiredPolicy
from .retrier import WORK_RESERVE

log = logging.getLogger(__name__)

# A stack update waits for the result, so the check is limited: in time, and to what one response can show.
MAX_SECONDS = 20.0
MAX_ACCOUNTS = 10
MAX_REPORT_CHARACTERS = 600

VALID = "valid"
OFF = "off"


def verify(policy_id: str, desired: DesiredPolicy, organization: Organization) -> str:
    """One of: valid, off, "invalid: …" with accounts and paths, "unknown: …" with the reason.

    Organizations computes effective policies some time after a change: the result is the current state.
    """
    if not desired.verify:
        return OFF
    retrier = organization.retrier.with_reserve(WORK_RESERVE).limited_to(MAX_SECONDS)
    try:
        problems, unknown = _check(policy_id, desired, Organization(organization.client, retrier))
    except Exception:
        # The policy is as requested by now; an unexpected response must not undo that.
        log.exception("action=verify policy=%s failed", policy_id)
        problems, unknown = [], "a response from Organizations could not be read; see the log"
    for problem in problems:
        log.warning("action=verify policy=%s result=invalid %s", policy_id, problem)
    if unknown:
        log.info("action=verify policy=%s result=unknown reason=%s", policy_id, unknown)
    if problems:
        return shorten("invalid: " + "; ".join(problems), MAX_REPORT_CHARACTERS)
    return shorten(f"unknown: {unknown}", MAX_REPORT_CHARACTERS) if unknown else VALID


def _check(
    policy_id: str, desired: DesiredPolicy, organization: Organization
) -> tuple[list[str], str | None]:
    """The problems found, and the reason if there may be more.

    AWS does not say whether an incomplete plan makes an effective policy invalid, so the effective plans of a
    child policy are read as well.
    """
    problems: list[str] = []
    try:
        for problem in _invalid_accounts(policy_id, desired.targets, organization):
            problems.append(problem)  # keep what is found before a call fails
    except PolicyManagerError as error:
        log.info("action=verify policy=%s call failed: %s", policy_id, error)
        return (problems, str(error)) if problems else _from_effective_policies(desired, organization)
    return (
        _from_effective_policies(desired, organization)
        if desired.child and not problems
        else (problems, None)
    )


def _invalid_accounts(policy_id: str, targets: Sequence[str], organization: Organization) -> Iterator[str]:
    """The errors in effective policies that this policy contributes to: one call if there are none."""
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


def _from_effective_policies(
    desired: DesiredPolicy, organization: Organization
) -> tuple[list[str], str | None]:
    """The fallback: the plans in the effective policy of one account of each target."""
    problems, unknown = [], None
    checked = set()
    for target in desired.targets[:MAX_ACCOUNTS]:
        try:
            account = _an_account_of(target, organization)
            if account is None:
                unknown = f"no account is directly in {target}"
            elif account not in checked:
                checked.add(account)
                problems += _plan_problems(account, desired, organization)
        except PolicyManagerError as error:
            unknown = str(error)
            break
    return problems, unknown


def _plan_problems(account: str, desired: DesiredPolicy, organization: Organization) -> list[str]:
    """The plans that the account does not have; for a child policy, also what its plans lack."""
    plans = {name.lower() for name, _ in members(parse(desired.content)["plans"])}
    effective = _effective_plans(account, organization)
    problems = [
        f"account {account} at {problem.where}: {problem.what}"
        for name in sorted(plans & effective.keys() if desired.child else ())
        for problem in missing(f"plans.{name}", effective[name])
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
        response = organization.call(operation, account, PolicyType=POLICY_TYPE, TargetId=account)
    except CallFailedError as error:
        if error.code == "EffectivePolicyNotFoundException":
            return {}
        raise
    # Keys in effective policies are lowercase.
    plans = json.loads(response["EffectivePolicy"]["PolicyContent"]).get("plans", {})
    return {name.lower(): as_object(plan) for name, plan in plans.items()}


def _require(operation: str, organization: Organization) -> None:
    if not organization.offers(operation):
        raise CallFailedError(operation, "NotInThisSDK", "the runtime's boto3 does not have this call")
