"""The sweep handles all completed jobs, continues after failures, and resumes where it had to stop."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tag_on_restore import sweep
from tag_on_restore.aws import Aws
from tag_on_restore.errors import CallFailedError
from tag_on_restore.event import SweepRequest, parse
from tag_on_restore.result import Outcome
from tag_on_restore.sweep import MAX_FAILURES_LISTED, MIN_REMAINING_MS, SweepResult

from tests.generated import thorough
from tests.lambdas.tag_on_restore.accounts import (
    FIRST_COMPLETED,
    NOW,
    SETTINGS,
    account_with_tables,
    add_table,
    table,
)
from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, DENIED, REGION, THROTTLED, FakeAws

PLENTY = 15 * 60 * 1000


def clock(jobs_per_call: int) -> Callable[[], int]:
    """The remaining time: read before each job, it runs out after so many."""
    left = iter([PLENTY] * jobs_per_call + [MIN_REMAINING_MS - 1])
    return lambda: next(left)


def run(
    aws: FakeAws, request: SweepRequest | None = None, remaining: Callable[[], int] = lambda: PLENTY
) -> SweepResult:
    return sweep.run(Aws(aws), SETTINGS, request or SweepRequest(), remaining)


def tagged(aws: FakeAws) -> set[str]:
    return {arn for arn, tags in aws.tags.items() if "/table-" in arn and tags}


# 5,000 jobs in `make bench`, otherwise 200.
MANY = 5000 if thorough() else 200
FAILING = MANY // 100


@pytest.fixture
def many_jobs() -> FakeAws:
    """Jobs in five pages; writing to every hundredth of the tables is denied."""
    aws = account_with_tables(MANY)
    aws.page_size = MANY // 5
    aws.denied = {("dynamodb:TagResource", table(f"table-{number}'")) for number in range(0, MANY, 100)}
    return aws


def test_thousands_of_jobs_with_some_failures_are_counted_exactly(many_jobs: FakeAws) -> None:
    result = run(many_jobs)
    assert result.counts == {Outcome.TAGGED: MANY - FAILING, Outcome.FAILED: FAILING}
    assert len(tagged(many_jobs)) == MANY - FAILING
    assert result.next is None
    assert len(result.failures) == FAILING
    assert all("AccessDenied" in failure for failure in result.failures)


def test_a_sweep_in_pieces_handles_each_job_once_and_counts_exactly(many_jobs: FakeAws) -> None:
    total = dict.fromkeys(Outcome, 0)
    request: SweepRequest | None = SweepRequest()
    pieces = 0
    while request:
        result = run(many_jobs, request, clock(MANY * 1234 // 5000))
        for outcome, count in result.counts.items():
            total[outcome] += count
        response = result.response()["next"]
        # The next call takes the response of this one.
        parsed = parse(response, NOW) if response else None
        assert not response or isinstance(parsed, SweepRequest)
        request = parsed if isinstance(parsed, SweepRequest) else None
        pieces += 1
    assert pieces == 5
    assert total == {**dict.fromkeys(Outcome, 0), Outcome.TAGGED: MANY - FAILING, Outcome.FAILED: FAILING}
    assert many_jobs.calls.count("dynamodb:TagResource") == MANY


def test_jobs_that_completed_at_the_same_time_are_not_lost_between_pieces() -> None:
    aws = FakeAws()
    for number in range(10):
        add_table(aws, number, completed=FIRST_COMPLETED)
    first = run(aws, remaining=clock(4))
    assert first.next == SweepRequest(since=FIRST_COMPLETED, after="JOB-00003")
    second = run(aws, first.next)
    assert (first.counts, second.counts) == ({Outcome.TAGGED: 4}, {Outcome.TAGGED: 6})


def test_without_time_for_a_job_nothing_is_done_and_the_same_sweep_is_next() -> None:
    aws = account_with_tables(3)
    result = run(aws, SweepRequest(since=FIRST_COMPLETED), clock(0))
    assert result.counts == {}
    assert result.next == SweepRequest(since=FIRST_COMPLETED)
    assert aws.writes == []


def test_the_oldest_job_comes_first_in_any_order_of_the_list() -> None:
    aws = FakeAws()
    for number in (2, 0, 1):
        add_table(aws, number)
    assert run(aws, remaining=clock(1)).next == SweepRequest(since=FIRST_COMPLETED, after="JOB-00000")


def test_a_job_without_a_completion_date_comes_first() -> None:
    aws = account_with_tables(2)
    del aws.jobs["JOB-00001"]["CompletionDate"]
    run(aws, remaining=clock(1))
    assert tagged(aws) == {table("table-1")}


def test_the_sweep_repairs_what_failed_before() -> None:
    aws = account_with_tables(3)
    aws.denied = {("dynamodb:TagResource", table("table-1"))}
    assert run(aws).counts == {Outcome.TAGGED: 2, Outcome.FAILED: 1}
    aws.denied = set()
    assert run(aws).counts == {Outcome.TAGGED: 1, Outcome.UNCHANGED: 2}


def test_only_the_period_is_swept() -> None:
    aws = account_with_tables(10)
    run(
        aws,
        SweepRequest(
            since=FIRST_COMPLETED + timedelta(seconds=3), until=FIRST_COMPLETED + timedelta(seconds=6)
        ),
    )
    assert tagged(aws) == {table(f"table-{number}") for number in (3, 4, 5, 6)}


def test_jobs_that_are_not_completed_are_ignored() -> None:
    aws = account_with_tables(2)
    aws.jobs["JOB-00001"]["Status"] = "FAILED"
    assert run(aws).counts == {Outcome.TAGGED: 1}


def test_a_resource_deleted_since_its_restore_is_skipped_not_failed() -> None:
    aws = account_with_tables(2)
    del aws.tags[table("table-0")]
    assert run(aws).counts == {Outcome.TAGGED: 1, Outcome.SKIPPED: 1}


def test_unsupported_types_are_counted_separately() -> None:
    aws = account_with_tables(1)
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/1"
    add_table(aws, 7, ResourceType="CloudFormation", CreatedResourceArn=stack)
    assert run(aws).counts == {Outcome.TAGGED: 1, Outcome.UNSUPPORTED: 1}


@pytest.mark.parametrize("lists_children", [False, True])
def test_parents_and_children_are_handled_once_each(lists_children: bool) -> None:
    aws = FakeAws(lists_children=lists_children)
    parent = add_table(aws, 0, IsParent=True)
    children = [add_table(aws, number, ParentJobId="JOB-00000") for number in (1, 2)]
    assert run(aws).counts == {Outcome.TAGGED: 3}
    assert tagged(aws) == {parent, *children}


def test_a_job_with_a_broken_arn_is_one_failure_among_others() -> None:
    aws = account_with_tables(2)
    aws.jobs["JOB-00000"]["SourceResourceArn"] = "source"
    result = run(aws)
    assert result.counts == {Outcome.TAGGED: 1, Outcome.FAILED: 1}
    assert result.failures[0].startswith("JOB-00000: MalformedEventError: SourceResourceArn is not an ARN")


def test_a_bug_in_the_function_is_one_failure_among_others(caplog: pytest.LogCaptureFixture) -> None:
    aws = account_with_tables(2)
    aws.jobs["JOB-00000"]["CreatedBy"] = "not an object"
    with caplog.at_level(logging.ERROR):
        result = run(aws)
    assert result.counts == {Outcome.TAGGED: 1, Outcome.FAILED: 1}
    assert "AttributeError" in result.failures[0]
    assert caplog.records[0].exc_info is not None


def test_all_failures_are_counted_but_only_a_hundred_are_listed() -> None:
    aws = account_with_tables(120)
    aws.denied = {("dynamodb:TagResource", "table-")}
    result = run(aws)
    assert result.counts == {Outcome.FAILED: 120}
    assert len(result.failures) == MAX_FAILURES_LISTED


@pytest.mark.parametrize("fault", [THROTTLED, DENIED], ids=["throttled", "denied"])
def test_if_the_list_of_jobs_fails_the_sweep_fails(fault: Any) -> None:
    aws = account_with_tables(3)
    with aws.fault(0, fault), pytest.raises(CallFailedError, match="list_restore_jobs"):
        run(aws)


def test_listed_jobs_are_not_described_again() -> None:
    aws = account_with_tables(2)
    assert run(aws).counts == {Outcome.TAGGED: 2}
    assert "backup:DescribeRestoreJob" not in aws.calls
    assert len(aws.calls) == 1 + 2 * 3


def test_if_the_list_does_not_name_the_source_the_recovery_point_does() -> None:
    aws = account_with_tables(2)
    aws.unlisted = ("SourceResourceArn",)
    for number, job in enumerate(aws.jobs.values()):
        job["BackupVaultArn"] = f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:vault"
        aws.recovery_points[job["RecoveryPointArn"]] = {
            "BackupVaultName": "vault",
            "ResourceArn": table(f"source-{number}"),
        }
    assert run(aws).counts == {Outcome.TAGGED: 2}
    assert len(aws.calls) == 1 + 2 * 4


def test_left_out_tags_are_counted() -> None:
    aws = account_with_tables(1)
    aws.tags[table("table-0")] = {f"own-{number}": "x" for number in range(50)}
    result = run(aws)
    counts = {"FromSource": 1, "TagsLeftOut": 1, "TagsWithheld": 0}
    assert result.metrics() == {"Unchanged": 1, "SweepProblems": 0} | counts


def test_the_metrics_show_failures_and_an_unfinished_sweep() -> None:
    aws = account_with_tables(3)
    aws.denied = {("dynamodb:TagResource", table("table-0"))}
    counts = {"FromSource": 2, "TagsLeftOut": 0, "TagsWithheld": 0}
    assert run(aws).metrics() == {"Tagged": 2, "Failed": 1, "SweepProblems": 1} | counts
    assert run(aws, remaining=clock(2)).metrics()["SweepProblems"] == 2
