"""The report names every account and Region in which a StackSet has failed, and fails only for failures."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from buildspecs import rollout_report
from buildspecs.names import MEMBER_SET, PACKAGES_SET, STACKSETS
from buildspecs.rollout_report import report
from rehearsal.machine import environment

MODEL = ServiceModel(create_loader().load_service_model("cloudformation", "service-2"))


def summary(account: str, region: str, status: str, detail: str, reason: str = "") -> dict[str, Any]:
    """A StackInstanceSummary."""
    found = {"Account": account, "Region": region, "Status": status}
    return {**found, "StackInstanceStatus": {"DetailedStatus": detail}, "StatusReason": reason}


class FakeCloudFormation:
    """StackSets by the CallAs that lists them; one summary a page."""

    def __init__(self, stack_sets: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> None:
        self._stack_sets = stack_sets

    def list_stack_sets(self, **request: str) -> Mapping[str, Any]:
        assert request["Status"] == "ACTIVE"
        names = self._stack_sets.get(request["CallAs"], {})
        return self._page([{"StackSetName": name} for name in names], request)

    def list_stack_instances(self, **request: str) -> Mapping[str, Any]:
        return self._page(self._stack_sets[request["CallAs"]][request["StackSetName"]], request)

    @staticmethod
    def _page(entries: list[dict[str, Any]], request: Mapping[str, str]) -> Mapping[str, Any]:
        at = int(request.get("NextToken", "0"))
        more = {"NextToken": str(at + 1)} if at + 1 < len(entries) else {}
        return {"Summaries": entries[at : at + 1], **more}


def of_members(*summaries: dict[str, Any]) -> FakeCloudFormation:
    good = summary("222222222222", "us-east-1", "CURRENT", "SUCCEEDED")
    return FakeCloudFormation(
        {"SELF": {PACKAGES_SET: [good]}, "DELEGATED_ADMIN": {MEMBER_SET: [good, *summaries]}}
    )


def test_nothing_to_report_is_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(of_members()) == 0
    assert capsys.readouterr() == ("2 StackSets checked\n", "")


def test_every_failed_account_and_region_is_named_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    broken = [
        summary("444444444444", "us-east-1", "OUTDATED", "FAILED", "Vault: exists already"),
        summary("555555555555", "us-east-2", "INOPERABLE", "INOPERABLE", "delete it by hand"),
    ]
    assert report(of_members(*broken)) == 1
    out, err = capsys.readouterr()
    assert f"FAILED  account 444444444444, us-east-1: {MEMBER_SET}: FAILED: Vault: exists already\n" in out
    assert f"FAILED  account 555555555555, us-east-2: {MEMBER_SET}: INOPERABLE: delete it by hand\n" in out
    assert "2 stack instances in account 444444444444, 555555555555" in err
    assert "docs/operations.md" in err


@pytest.mark.parametrize("detail", ["PENDING", "RUNNING"])
def test_an_account_that_has_just_joined_is_named_but_is_not_a_failure(
    capsys: pytest.CaptureFixture[str], detail: str
) -> None:
    assert report(of_members(summary("444444444444", "us-east-1", "OUTDATED", detail))) == 0
    assert f"not yet  account 444444444444, us-east-1: {MEMBER_SET}: {detail}\n" in capsys.readouterr().out


SUSPENDED = "444444444444"


# AWS documents the detailed status, but not the status that goes with it; OUTDATED has been seen.
@pytest.mark.parametrize("status", ["OUTDATED", "CURRENT", "INOPERABLE"])
def test_a_suspended_account_is_named_whatever_its_status_and_is_not_a_failure(
    capsys: pytest.CaptureFixture[str], status: str
) -> None:
    skipped = [
        summary(SUSPENDED, region, status, "SKIPPED_SUSPENDED_ACCOUNT", "This account is suspended.")
        for region in ("us-east-1", "us-east-2")
    ]
    assert report(of_members(*skipped)) == 0
    out, err = capsys.readouterr()
    for region in ("us-east-1", "us-east-2"):
        where = f"account {SUSPENDED}, {region}: {MEMBER_SET}"
        assert f"suspended  {where}: SKIPPED_SUSPENDED_ACCOUNT: This account is suspended.\n" in out
    assert f"account {SUSPENDED} is suspended: CloudFormation leaves it out" in out
    assert "docs/operations.md" in out
    assert err == ""


def test_a_suspended_account_of_a_self_managed_stack_set_is_named_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The response in github.com/ansible-collections/community.aws/issues/2358, which has no StackId."""
    instance = {
        "StackSetId": f"{PACKAGES_SET}:00000000-0000-4000-8000-000000000000",
        "Region": "us-east-2",
        "Account": SUSPENDED,
        "Status": "OUTDATED",
        "StatusReason": "This account is suspended. To remove this instance from the stack set, run "
        "DeleteStackInstances with the RetainStacks parameter.",
        "StackInstanceStatus": {"DetailedStatus": "SKIPPED_SUSPENDED_ACCOUNT"},
        "OrganizationalUnitId": "",
        "DriftStatus": "NOT_CHECKED",
    }
    assert report(FakeCloudFormation({"SELF": {PACKAGES_SET: [instance]}})) == 0
    out = capsys.readouterr().out
    assert f"suspended  account {SUSPENDED}, us-east-2: {PACKAGES_SET}: SKIPPED_SUSPENDED_ACCOUNT: " in out


def test_a_suspended_account_and_a_failure_are_both_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    skipped = summary(SUSPENDED, "us-east-1", "OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT")
    failed = summary("555555555555", "us-east-1", "OUTDATED", "FAILED", "Vault: exists already")
    assert report(of_members(skipped, failed)) == 1
    out, err = capsys.readouterr()
    assert f"account {SUSPENDED} is suspended" in out
    assert "error: 1 stack instances in account 555555555555 are not up to date" in err


def test_an_account_in_which_everything_is_denied_has_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """CloudFormation cannot know that the service control policy was meant as a suspension."""
    reason = "explicit deny in a service control policy"
    assert report(of_members(summary(SUSPENDED, "us-east-1", "OUTDATED", "FAILED", reason))) == 1
    out = capsys.readouterr().out
    assert f"FAILED  account {SUSPENDED}, us-east-1: {MEMBER_SET}: FAILED: {reason}\n" in out
    assert "is suspended" not in out


@pytest.mark.parametrize("detail", ["CANCELLED", "FAILED", "FAILED_IMPORT", "INOPERABLE"])
def test_every_other_status_is_a_failure(detail: str) -> None:
    assert report(of_members(summary("444444444444", "us-east-1", "OUTDATED", detail))) == 1


def test_the_statuses_are_those_of_the_service() -> None:
    known = set(MODEL.shape_for("StackInstanceDetailedStatus").enum)
    assert known >= {rollout_report.SUSPENDED, *rollout_report.UNDER_WAY}
    assert "CURRENT" in MODEL.shape_for("StackInstanceStatus").enum


def test_other_stack_sets_of_the_organization_are_left_alone() -> None:
    bad = summary("444444444444", "us-east-1", "OUTDATED", "FAILED")
    good = summary("444444444444", "us-east-1", "CURRENT", "SUCCEEDED")
    aws = FakeCloudFormation({"DELEGATED_ADMIN": {MEMBER_SET: [good], "guardrails": [bad]}})
    assert report(aws) == 0


def test_no_stack_set_at_all_is_an_error_and_not_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = environment.session()
    client = session.client("cloudformation")
    monkeypatch.setattr(session, "client", lambda *_, **__: client)
    with Stubber(client) as stub:
        for call_as in ("SELF", "DELEGATED_ADMIN"):
            stub.add_response("list_stack_sets", {"Summaries": []}, {"Status": "ACTIVE", "CallAs": call_as})
        assert rollout_report.main([], session=session) == 1
    assert (
        "no StackSet exists whose name begins with account-aws-backup- or organizations-aws-backup-"
        in capsys.readouterr().err
    )


def test_a_refused_call_fails_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = environment.session()
    client = session.client("cloudformation")
    monkeypatch.setattr(session, "client", lambda *_, **__: client)
    with Stubber(client) as stub:
        stub.add_client_error("list_stack_sets", "AccessDenied")
        assert rollout_report.main([], session=session) == 1
    assert "AccessDenied" in capsys.readouterr().err


def test_every_stack_set_of_the_templates_is_checked() -> None:
    for stack_set in STACKSETS:
        call_as = "SELF" if stack_set.name.startswith("account-") else "DELEGATED_ADMIN"
        assert stack_set.name.startswith(rollout_report.PREFIXES[call_as])


DETAILS = st.sampled_from(["SUCCEEDED", "FAILED", "RUNNING", "SKIPPED_SUSPENDED_ACCOUNT", "CANCELLED"])


@given(st.lists(st.tuples(st.integers(0, 10**12 - 1), DETAILS), max_size=30))
def test_it_fails_exactly_if_one_has_failed(members: list[tuple[int, str]]) -> None:
    summaries = [
        summary(f"{number:012d}", "us-east-1", "CURRENT" if detail == "SUCCEEDED" else "OUTDATED", detail)
        for number, detail in members
    ]
    failed = any(detail in ("FAILED", "CANCELLED") for _, detail in members)
    assert report(of_members(*summaries)) == int(failed)
