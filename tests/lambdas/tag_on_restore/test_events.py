"""Which events are handled, which are skipped with a reason, and what is looked up when an event says too
little."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tag_on_restore.errors import (
    CallFailedError,
    MalformedEventError,
    RestoredResourceMissingError,
    TagsUnavailableError,
)
from tag_on_restore.event import SweepRequest, parse
from tag_on_restore.outcome import Kind

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, DENIED, REGION, FakeAws, Fault
from tests.lambdas.tag_on_restore.resources import EVENTS, ROWS, Row, event
from tests.lambdas.tag_on_restore.situations import NOW, estate, run

BY_NAME = {row.name: row for row in ROWS}
DYNAMODB, RDS = BY_NAME["dynamodb"], BY_NAME["rds"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("status-created", "CREATED, not COMPLETED"),
        ("status-pending", "PENDING, not COMPLETED"),
        ("status-running", "RUNNING, not COMPLETED"),
        ("status-aborted", "ABORTED, not COMPLETED"),
        ("status-failed", "FAILED, not COMPLETED"),
        ("restore-test", "restore test"),
        ("efs-in-place", "into the source itself"),
        ("ebs-items-to-bucket", "item-level restore"),
        ("s3-items-to-prefix", "item-level restore"),
    ],
)
def test_what_is_no_restored_resource_is_skipped_without_any_call(name: str, reason: str) -> None:
    aws = FakeAws()
    outcome = run(aws, event(name))
    assert outcome.kind is Kind.SKIPPED
    assert reason in outcome.reason
    assert aws.calls == []


def test_a_completed_job_may_say_state_instead_of_status() -> None:
    changed = DYNAMODB.event
    changed["detail"]["state"] = changed["detail"].pop("status")
    aws = estate(DYNAMODB, {"project": "shop"})
    assert run(aws, changed).kind is Kind.TAGGED


def test_a_stack_is_unsupported_by_name_and_no_failure() -> None:
    outcome = run(FakeAws(), event("cloudformation"))
    assert outcome.kind is Kind.UNSUPPORTED
    assert "CloudFormation" in outcome.reason
    assert "stack/shop-restored" in outcome.reason


def test_a_service_that_nobody_has_heard_of_is_unsupported() -> None:
    changed = DYNAMODB.event
    changed["detail"] |= {
        "resourceType": "Quantum",
        "createdResourceArn": f"arn:aws:quantum:{REGION}:{ACCOUNT}:state/1",
    }
    assert run(FakeAws(), changed).kind is Kind.UNSUPPORTED


def test_a_parent_job_without_a_resource_leaves_it_to_its_children() -> None:
    parent = event("eks-parent")
    aws = FakeAws(jobs={parent["detail"]["restoreJobId"]: {"Status": "COMPLETED", "IsParent": True}})
    outcome = run(aws, parent)
    assert outcome.kind is Kind.SKIPPED
    assert "child jobs" in outcome.reason
    assert aws.calls == ["backup:DescribeRestoreJob"]


def test_a_child_job_is_handled_like_any_other() -> None:
    child = event("eks-child-ebs")
    aws = FakeAws()
    aws.add(child["detail"]["createdResourceArn"])
    aws.add(child["detail"]["sourceResourceArn"], {"claim": "shop-data"})
    assert run(aws, child).kind is Kind.TAGGED
    assert aws.tags[child["detail"]["createdResourceArn"]] == {"claim": "shop-data"}


def test_a_snapshot_wins_over_the_name_that_aws_backup_has_for_it() -> None:
    twice = event("rds-snapshot-named-twice")
    aws = estate(RDS, None)
    assert run(aws, twice).kind is Kind.TAGGED
    assert aws.calls.count("rds:ListTagsForResource") == 3
    assert "backup:ListTags" not in aws.calls


def job_of(row: Row, *without: str) -> dict[str, Any]:
    """What DescribeRestoreJob says about the row's job."""
    job = {
        "RestoreJobId": row.detail["restoreJobId"],
        "AccountId": ACCOUNT,
        "Status": "COMPLETED",
        "ResourceType": row.detail["resourceType"],
        "CreatedResourceArn": row.created,
        "SourceResourceArn": row.original,
        "RecoveryPointArn": row.recovery_point,
        "BackupVaultArn": row.detail["backupVaultArn"],
        "CompletionDate": datetime(2026, 11, 2, 3, 14, 53, tzinfo=UTC),
    }
    return {key: value for key, value in job.items() if key not in without}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_event_with_nothing_but_its_job_id_is_enough(row: Row) -> None:
    poor = row.event
    poor["resources"] = []
    poor["detail"] = {key: poor["detail"][key] for key in ("restoreJobId", "status")}
    aws = estate(row, {"project": "shop"})
    aws.jobs[row.detail["restoreJobId"]] = job_of(row)
    assert run(aws, poor).kind is Kind.TAGGED
    assert aws.tags[row.created] == {"project": "shop"}
    assert aws.calls.count("backup:DescribeRestoreJob") == 1


@pytest.mark.parametrize("field", ["createdResourceArn", "sourceResourceArn", "recoveryPointArn"])
def test_one_missing_field_costs_one_look_up(field: str) -> None:
    poor = DYNAMODB.event
    poor["resources"] = []
    del poor["detail"][field]
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.jobs[DYNAMODB.detail["restoreJobId"]] = job_of(DYNAMODB)
    assert run(aws, poor).kind is Kind.TAGGED
    assert aws.calls[0] == "backup:DescribeRestoreJob"
    assert len(aws.calls) == 4


def test_a_job_that_does_not_know_its_source_has_a_recovery_point_that_does() -> None:
    poor = DYNAMODB.event
    del poor["detail"]["sourceResourceArn"]
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.jobs[DYNAMODB.detail["restoreJobId"]] = job_of(DYNAMODB, "SourceResourceArn")
    aws.recovery_points[DYNAMODB.recovery_point] = {
        "BackupVaultName": "AWSBackupSolutionVault",
        "ResourceArn": DYNAMODB.original,
    }
    assert run(aws, poor).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_a_source_that_nobody_knows_leaves_the_recovery_point() -> None:
    poor = DYNAMODB.event
    del poor["detail"]["sourceResourceArn"]
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.jobs[DYNAMODB.detail["restoreJobId"]] = job_of(DYNAMODB, "SourceResourceArn")
    assert run(aws, poor).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}


def test_a_recovery_point_that_may_not_be_described_fails_the_event() -> None:
    poor = DYNAMODB.event
    del poor["detail"]["sourceResourceArn"]
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.jobs[DYNAMODB.detail["restoreJobId"]] = job_of(DYNAMODB, "SourceResourceArn")
    with aws.fault(1, DENIED), pytest.raises(CallFailedError, match="backup describe_recovery_point"):
        run(aws, poor)
    assert aws.tags[DYNAMODB.created] == {}


def test_a_restore_test_is_recognized_by_its_job_too() -> None:
    poor = DYNAMODB.event
    del poor["detail"]["sourceResourceArn"]
    aws = estate(DYNAMODB, {"backup": "daily"})
    aws.jobs[DYNAMODB.detail["restoreJobId"]] = {
        **job_of(DYNAMODB),
        "CreatedBy": {"RestoreTestingPlanArn": f"arn:aws:backup:{REGION}:{ACCOUNT}:restore-testing-plan:x"},
    }
    assert run(aws, poor).kind is Kind.SKIPPED
    assert aws.tags[DYNAMODB.created] == {}


def test_the_tag_of_restore_tests_is_never_copied() -> None:
    aws = estate(DYNAMODB, {"awsbackup-restore-test": "yes", "project": "shop"})
    run(aws, DYNAMODB.event)
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_a_source_in_another_region_is_left_alone() -> None:
    far = DYNAMODB.event
    far["detail"]["sourceResourceArn"] = DYNAMODB.original.replace(REGION, "eu-central-1")
    aws = estate(DYNAMODB, None)
    assert run(aws, far).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}
    assert "dynamodb:ListTagsOfResource" in aws.calls[:1]
    assert aws.calls.count("dynamodb:ListTagsOfResource") == 1


def test_a_source_that_answers_denied_leaves_the_recovery_point() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.denied = {("dynamodb:ListTagsOfResource", DYNAMODB.original + "'")}
    assert run(aws, DYNAMODB.event).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}


@pytest.mark.parametrize("answer", [("AccessDenied", 403), ("PermanentRedirect", 301), ("NoSuchBucket", 404)])
def test_a_bucket_that_is_not_here_leaves_the_recovery_point(answer: tuple[str, int]) -> None:
    row = BY_NAME["s3"]
    aws = estate(row, {"project": "shop"})
    with aws.fault(1, Fault(answer[0], status=answer[1])):
        assert run(aws, row.event).kind is Kind.TAGGED
    assert aws.tags[row.created] == {"from": "recovery point"}


def test_a_bucket_that_s3_is_too_busy_for_is_no_reason_to_take_older_tags() -> None:
    row = BY_NAME["s3"]
    aws = estate(row, {"project": "shop"})
    with aws.fault(1, Fault("SlowDown", status=503)), pytest.raises(CallFailedError, match="SlowDown"):
        run(aws, row.event)


@pytest.mark.parametrize("text", [None, 5, "yesterday", "2026-11-02T03:14:53"])
def test_an_odd_completion_date_is_no_reason_to_fail(text: object) -> None:
    odd = DYNAMODB.event
    odd["detail"]["completionDate"] = text
    assert run(estate(DYNAMODB, {"project": "shop"}), odd).kind is Kind.TAGGED


def test_a_denied_write_fails_and_names_call_and_resource() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.denied = {("dynamodb:TagResource", DYNAMODB.created)}
    with pytest.raises(
        CallFailedError, match=r"dynamodb tag_resource for .*orders-restored.*AccessDenied"
    ) as failure:
        run(aws, DYNAMODB.event)
    assert failure.value.code == "AccessDeniedException"


def test_a_restored_resource_that_is_not_there_yet_fails_for_the_retry() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    del aws.tags[DYNAMODB.created]
    with pytest.raises(RestoredResourceMissingError, match="orders-restored"):
        run(aws, DYNAMODB.event)


def test_tags_that_nobody_knows_any_more_are_a_failure_that_says_so() -> None:
    aws = FakeAws()
    aws.add(DYNAMODB.created)
    with pytest.raises(
        TagsUnavailableError, match=r"table/orders no longer exists.*recovery-point.* no longer exists"
    ):
        run(aws, DYNAMODB.event)


def test_a_dynamodb_backup_without_advanced_features_cannot_carry_tags() -> None:
    plain = DYNAMODB.event
    backup = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/backup/01489602797149-73d8d5bc"
    plain["resources"] = [backup]
    plain["detail"]["recoveryPointArn"] = backup
    aws = estate(DYNAMODB, {"project": "shop"})
    assert run(aws, plain).kind is Kind.TAGGED
    del aws.tags[DYNAMODB.original]
    with pytest.raises(TagsUnavailableError, match="has no tags that can be read"):
        run(aws, plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "aws.ec2"}, "source 'aws.ec2'"),
        ({"detail-type": "Backup Job State Change"}, "Backup Job State Change"),
        ({"detail": None}, "detail is missing"),
        ({"detail": []}, "detail is missing"),
        ({"account": 444455556666}, "account is int, not text"),
        ({"detail": {"restoreJobId": "x"}}, "neither status nor state"),
        ({"detail": {"status": "COMPLETED"}}, "no restoreJobId"),
        ({"detail": {"status": ["COMPLETED"]}}, "status is list, not text"),
    ],
)
def test_a_malformed_event_says_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedEventError, match=message.replace("[", r"\[")):
        run(FakeAws(), DYNAMODB.event | change)


@pytest.mark.parametrize("field", ["createdResourceArn", "sourceResourceArn", "recoveryPointArn"])
@pytest.mark.parametrize("value", ["table/orders", "arn:aws:dynamodb", "arn:aws:dynamodb:::", 7, {}])
def test_something_that_is_no_arn_is_named_with_its_field(field: str, value: object) -> None:
    changed = DYNAMODB.event
    changed["detail"][field] = value
    with pytest.raises(MalformedEventError, match=f"{field} is not an ARN"):
        run(FakeAws(), changed)


def test_an_event_that_is_no_object_says_so() -> None:
    with pytest.raises(MalformedEventError, match="list, not a JSON object"):
        parse([], NOW)


def test_a_completed_job_without_a_created_resource_says_so() -> None:
    poor = DYNAMODB.event
    del poor["detail"]["createdResourceArn"]
    aws = FakeAws(jobs={DYNAMODB.detail["restoreJobId"]: job_of(DYNAMODB, "CreatedResourceArn")})
    with pytest.raises(MalformedEventError, match="nothing about what it created"):
        run(aws, poor)


@pytest.mark.parametrize("place", [("444455556666", "111122223333"), (REGION, "eu-west-1")])
def test_a_resource_outside_of_account_and_region_is_refused(place: tuple[str, str]) -> None:
    changed = DYNAMODB.event
    changed["detail"]["createdResourceArn"] = DYNAMODB.created.replace(*place)
    with pytest.raises(MalformedEventError, match="is not in account 444455556666 and region us-west-2"):
        run(FakeAws(), changed)


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso"])
def test_other_partitions_are_read_from_the_arns(partition: str) -> None:
    text = json.dumps(DYNAMODB.event).replace("arn:aws:", f"arn:{partition}:")
    aws = FakeAws()
    aws.add(DYNAMODB.created.replace("arn:aws:", f"arn:{partition}:"))
    aws.add(DYNAMODB.original.replace("arn:aws:", f"arn:{partition}:"), {"project": "shop"})
    assert run(aws, json.loads(text)).kind is Kind.TAGGED


@pytest.mark.parametrize("value", ["true", "True", True])
def test_a_sweep_is_asked_for_by_text_or_boolean(value: object) -> None:
    assert parse({"RefreshTagItems": value}, NOW) == SweepRequest()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T02:00:00+02:00", datetime(2026, 11, 1, tzinfo=UTC)),
        ("P2D", datetime(2026, 10, 31, 4, tzinfo=UTC)),
        ("PT6H", datetime(2026, 11, 1, 22, tzinfo=UTC)),
        ("P1DT4H", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_since_is_a_time_or_a_period(text: str, time: datetime) -> None:
    assert parse({"RefreshTagItems": "true", "since": text}, NOW) == SweepRequest(since=time)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"RefreshTagItems": "false"}, "RefreshTagItems is 'false'"),
        ({"RefreshTagItems": None}, "RefreshTagItems is None"),
        ({"RefreshTagItems": "true", "since": "yesterday"}, "since is 'yesterday'"),
        ({"RefreshTagItems": "true", "until": "P"}, "until is 'P'"),
        ({"RefreshTagItems": "true", "since": 5}, "since is int"),
        ({"RefreshTagItems": "true", "since": "0001-01-01"}, "since is '0001-01-01'"),
        ({"RefreshTagItems": "true", "until": "9999-12-31T23:59:59-12:00"}, "until is '9999"),
        ({"RefreshTagItems": "true", "sinse": "P2D"}, "not sinse"),
        ({"RefreshTagItems": "true", "since": "P1D", "until": "P2D"}, "later than until"),
    ],
)
def test_a_malformed_sweep_says_what_is_wrong(event: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedEventError, match=message):
        parse(event, NOW)


def test_every_event_file_is_in_a_test() -> None:
    used = {row.name for row in ROWS} | {
        "cloudformation",
        "ebs-items-to-bucket",
        "efs-in-place",
        "eks-child-ebs",
        "eks-parent",
        "rds-snapshot-named-twice",
        "restore-test",
        "s3-items-to-prefix",
        *(f"status-{status}" for status in ("aborted", "created", "failed", "pending", "running")),
    }
    assert {path.name for path in EVENTS.glob("restore-job-*.json")} == {
        f"restore-job-{name}.json" for name in used
    }
