"""The sweep goes through all completed jobs, past failures, and goes on where it had to stop."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tag_on_restore import sweep
from tag_on_restore.aws import Aws
from tag_on_restore.errors import CallFailedError
from tag_on_restore.event import SweepRequest, parse
from tag_on_restore.outcome import Kind
from tag_on_restore.sweep import FAILURES_NAMED, RESERVE_MS, SweepResult

from tests.generated import thorough
from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, DENIED, REGION, THROTTLED, FakeAws
from tests.lambdas.tag_on_restore.situations import NOW, SETTINGS

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PLENTY = 15 * 60 * 1000


def table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def add_job(aws: FakeAws, number: int, completed: datetime | None = None, **more: Any) -> str:
    """A finished job that restored table-<number> from source-<number>."""
    job_id = f"JOB-{number:05}"
    created = table(f"table-{number}")
    aws.jobs[job_id] = {
        "RestoreJobId": job_id,
        "AccountId": ACCOUNT,
        "Status": "COMPLETED",
        "ResourceType": "DynamoDB",
        "CreatedResourceArn": created,
        "SourceResourceArn": table(f"source-{number}"),
        "RecoveryPointArn": f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:{number}",
        "CompletionDate": completed or BEGIN + timedelta(seconds=number),
    } | more
    aws.add(created)
    aws.add(table(f"source-{number}"), {"number": str(number)})
    return created


def jobs(count: int) -> FakeAws:
    aws = FakeAws()
    for number in range(count):
        add_job(aws, number)
    return aws


def clock(jobs_per_call: int) -> Callable[[], int]:
    """Time that is asked before each job and runs out after so many."""
    left = iter([PLENTY] * jobs_per_call + [RESERVE_MS - 1])
    return lambda: next(left)


def run(
    aws: FakeAws, request: SweepRequest | None = None, remaining: Callable[[], int] = lambda: PLENTY
) -> SweepResult:
    return sweep.run(Aws(aws), SETTINGS, request or SweepRequest(), remaining)


def tagged(aws: FakeAws) -> set[str]:
    return {arn for arn, tags in aws.tags.items() if "/table-" in arn and tags}


# 5,000 jobs in `make test`, elsewhere 500.
MANY = 5000 if thorough() else 500
FAILING = MANY // 100


@pytest.fixture
def many_jobs() -> FakeAws:
    """Jobs in five pages; writing to every hundredth of the tables is denied."""
    aws = jobs(MANY)
    aws.page_size = MANY // 5
    aws.denied = {("dynamodb:TagResource", table(f"table-{number}'")) for number in range(0, MANY, 100)}
    return aws


def test_thousands_of_jobs_with_some_failures_are_counted_exactly(many_jobs: FakeAws) -> None:
    result = run(many_jobs)
    assert result.counts == {Kind.TAGGED: MANY - FAILING, Kind.FAILED: FAILING}
    assert len(tagged(many_jobs)) == MANY - FAILING
    assert result.next is None
    assert len(result.failures) == FAILING
    assert all("AccessDenied" in failure for failure in result.failures)


def test_a_sweep_in_pieces_handles_each_job_once_and_counts_exactly(many_jobs: FakeAws) -> None:
    total = dict.fromkeys(Kind, 0)
    request: SweepRequest | None = SweepRequest()
    pieces = 0
    while request:
        result = run(many_jobs, request, clock(MANY * 1234 // 5000))
        for kind, count in result.counts.items():
            total[kind] += count
        answer = result.answer()["next"]
        # The next call gets what this one answered, through JSON.
        parsed = parse(answer, NOW) if answer else None
        assert not answer or isinstance(parsed, SweepRequest)
        request = parsed if isinstance(parsed, SweepRequest) else None
        pieces += 1
    assert pieces == 5
    assert total == {**dict.fromkeys(Kind, 0), Kind.TAGGED: MANY - FAILING, Kind.FAILED: FAILING}
    assert many_jobs.calls.count("dynamodb:TagResource") == MANY


def test_jobs_that_ended_at_the_same_moment_are_not_lost_between_pieces() -> None:
    aws = FakeAws()
    for number in range(10):
        add_job(aws, number, completed=BEGIN)
    first = run(aws, remaining=clock(4))
    assert first.next == SweepRequest(since=BEGIN, after="JOB-00003")
    second = run(aws, first.next)
    assert (first.counts, second.counts) == ({Kind.TAGGED: 4}, {Kind.TAGGED: 6})


def test_without_time_for_one_job_nothing_is_done_and_the_same_sweep_is_due() -> None:
    aws = jobs(3)
    result = run(aws, SweepRequest(since=BEGIN), clock(0))
    assert result.counts == {}
    assert result.next == SweepRequest(since=BEGIN)
    assert aws.writes == []


def test_the_oldest_job_comes_first_whatever_order_aws_lists() -> None:
    aws = FakeAws()
    for number in (2, 0, 1):
        add_job(aws, number)
    assert run(aws, remaining=clock(1)).next == SweepRequest(since=BEGIN, after="JOB-00000")


def test_a_second_sweep_changes_nothing() -> None:
    aws = jobs(5)
    run(aws)
    aws.calls.clear()
    assert run(aws).counts == {Kind.UNCHANGED: 5}
    assert aws.writes == []


def test_the_sweep_repairs_what_failed_before() -> None:
    aws = jobs(3)
    aws.denied = {("dynamodb:TagResource", table("table-1"))}
    assert run(aws).counts == {Kind.TAGGED: 2, Kind.FAILED: 1}
    aws.denied = set()
    assert run(aws).counts == {Kind.TAGGED: 1, Kind.UNCHANGED: 2}


def test_only_the_period_is_swept() -> None:
    aws = jobs(10)
    run(aws, SweepRequest(since=BEGIN + timedelta(seconds=3), until=BEGIN + timedelta(seconds=6)))
    assert tagged(aws) == {table(f"table-{number}") for number in (3, 4, 5, 6)}


def test_jobs_that_are_not_completed_are_none_of_its_business() -> None:
    aws = jobs(2)
    aws.jobs["JOB-00001"]["Status"] = "FAILED"
    assert run(aws).counts == {Kind.TAGGED: 1}


def test_restore_tests_are_skipped() -> None:
    aws = jobs(1)
    add_job(aws, 7, CreatedBy={"RestoreTestingPlanArn": "arn:aws:backup:us-west-2:1:restore-testing-plan:x"})
    assert run(aws).counts == {Kind.TAGGED: 1, Kind.SKIPPED: 1}


def test_a_resource_deleted_since_its_restore_is_skipped_not_failed() -> None:
    aws = jobs(2)
    del aws.tags[table("table-0")]
    assert run(aws).counts == {Kind.TAGGED: 1, Kind.SKIPPED: 1}


def test_unsupported_types_have_their_own_count() -> None:
    aws = jobs(1)
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/1"
    add_job(aws, 7, ResourceType="CloudFormation", CreatedResourceArn=stack)
    assert run(aws).counts == {Kind.TAGGED: 1, Kind.UNSUPPORTED: 1}


@pytest.mark.parametrize("lists_children", [False, True])
def test_parents_and_children_are_handled_once_each(lists_children: bool) -> None:
    aws = FakeAws(lists_children=lists_children)
    parent = add_job(aws, 0, IsParent=True)
    children = [add_job(aws, number, ParentJobId="JOB-00000") for number in (1, 2)]
    assert run(aws).counts == {Kind.TAGGED: 3}
    assert tagged(aws) == {parent, *children}


def test_a_job_with_a_broken_arn_is_one_failure_among_others() -> None:
    aws = jobs(2)
    aws.jobs["JOB-00000"]["SourceResourceArn"] = "source"
    result = run(aws)
    assert result.counts == {Kind.TAGGED: 1, Kind.FAILED: 1}
    assert result.failures[0].startswith("JOB-00000: MalformedEventError: SourceResourceArn is not an ARN")


def test_a_bug_of_ours_is_one_failure_among_others(caplog: pytest.LogCaptureFixture) -> None:
    aws = jobs(2)
    aws.jobs["JOB-00000"]["CreatedBy"] = "not an object"
    with caplog.at_level(logging.ERROR):
        result = run(aws)
    assert result.counts == {Kind.TAGGED: 1, Kind.FAILED: 1}
    assert "AttributeError" in result.failures[0]
    assert caplog.records[0].exc_info is not None


def test_many_failures_are_all_counted_but_only_a_hundred_named() -> None:
    aws = jobs(120)
    aws.denied = {("dynamodb:TagResource", "table-")}
    result = run(aws)
    assert result.counts == {Kind.FAILED: 120}
    assert len(result.failures) == FAILURES_NAMED


@pytest.mark.parametrize("fault", [THROTTLED, DENIED], ids=["throttled", "denied"])
def test_a_listing_that_fails_fails_the_sweep(fault: Any) -> None:
    aws = jobs(3)
    with aws.fault(0, fault), pytest.raises(CallFailedError, match="list_restore_jobs"):
        run(aws)


def test_jobs_are_not_looked_up_again() -> None:
    aws = jobs(2)
    assert run(aws).counts == {Kind.TAGGED: 2}
    assert "backup:DescribeRestoreJob" not in aws.calls
    assert len(aws.calls) == 1 + 2 * 3


def test_a_source_that_the_listing_does_not_name_is_asked_of_the_recovery_point() -> None:
    aws = jobs(2)
    aws.unlisted = ("SourceResourceArn",)
    for number, job in enumerate(aws.jobs.values()):
        job["BackupVaultArn"] = f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:vault"
        aws.recovery_points[job["RecoveryPointArn"]] = {
            "BackupVaultName": "vault",
            "ResourceArn": table(f"source-{number}"),
        }
    assert run(aws).counts == {Kind.TAGGED: 2}
    assert len(aws.calls) == 1 + 2 * 4


def test_left_out_tags_are_counted() -> None:
    aws = jobs(1)
    aws.tags[table("table-0")] = {f"own-{number}": "x" for number in range(50)}
    result = run(aws)
    told = {"FromSource": 1, "TagsLeftOut": 1, "TagsWithheld": 0}
    assert result.metrics() == {"Unchanged": 1, "SweepProblems": 0} | told


def test_the_metrics_show_failures_and_an_unfinished_sweep() -> None:
    aws = jobs(3)
    aws.denied = {("dynamodb:TagResource", table("table-0"))}
    told = {"FromSource": 2, "TagsLeftOut": 0, "TagsWithheld": 0}
    assert run(aws).metrics() == {"Tagged": 2, "Failed": 1, "SweepProblems": 1} | told
    assert run(aws, remaining=clock(2)).metrics()["SweepProblems"] == 2
