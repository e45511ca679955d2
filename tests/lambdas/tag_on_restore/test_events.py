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
    RestoreJobRefusedError,
    TagsUnavailableError,
)
from tag_on_restore.event import SweepRequest, parse
from tag_on_restore.outcome import Kind

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, DENIED, REGION, FakeAws
from tests.lambdas.tag_on_restore.resources import EVENTS, ROWS, Row, event
from tests.lambdas.tag_on_restore.situations import NOW, add_job, estate, run

BY_NAME = {row.name: row for row in ROWS}
DYNAMODB = BY_NAME["dynamodb"]


@pytest.mark.parametrize("status", ["created", "pending", "running", "aborted", "failed"])
def test_an_event_that_tells_of_no_completed_job_asks_for_nothing(status: str) -> None:
    aws = FakeAws()
    outcome = run(aws, event(f"status-{status}"))
    assert outcome.kind is Kind.SKIPPED
    assert f"{status.upper()}, not COMPLETED" in outcome.reason
    assert aws.calls == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("restore-test", "restore test"),
        ("efs-in-place", "into the source itself"),
        ("ebs-items-to-bucket", "item-level restore"),
        ("s3-items-to-prefix", "item-level restore"),
        ("eks-parent", "child jobs"),
    ],
)
def test_what_is_no_restored_resource_is_skipped_once_the_job_has_said_so(name: str, reason: str) -> None:
    aws = FakeAws()
    add_job(aws, event(name))
    outcome = run(aws, event(name))
    assert outcome.kind is Kind.SKIPPED
    assert reason in outcome.reason
    assert aws.calls == ["backup:DescribeRestoreJob"]


# What anybody who may invoke the function can write into an event.


def test_an_event_of_a_job_that_does_not_exist_is_refused_by_name() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    aws.jobs.clear()
    job = DYNAMODB.detail["restoreJobId"]
    with pytest.raises(
        RestoreJobRefusedError, match=f"{job} of the event does not exist in Region us-west-2"
    ):
        run(aws, DYNAMODB.event)
    assert aws.calls == ["backup:DescribeRestoreJob"]


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "ABORTED", "FAILED"])
def test_an_event_of_a_job_that_is_not_completed_is_refused_by_name(status: str) -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    job = DYNAMODB.detail["restoreJobId"]
    aws.jobs[job]["Status"] = status
    with pytest.raises(RestoreJobRefusedError, match=f"{job} is {status}; the event says COMPLETED"):
        run(aws, DYNAMODB.event)
    assert aws.calls == ["backup:DescribeRestoreJob"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize(
    "field", ["createdResourceArn", "sourceResourceArn", "recoveryPointArn", "resources"]
)
def test_resources_that_the_event_names_against_its_job_are_neither_read_nor_written(
    row: Row, field: str
) -> None:
    other = {"createdResourceArn": row.created, "sourceResourceArn": row.original}.get(
        field, row.recovery_point
    )
    other = f"{other}-other"
    forged = row.event
    if field == "resources":
        forged["resources"] = [other]
    else:
        forged["detail"][field] = other
    aws = estate(row, None if field in ("recoveryPointArn", "resources") else {"project": "shop"})
    aws.add(other, {"role": "administrator"})
    assert run(aws, forged).kind is Kind.TAGGED
    assert aws.tags[other] == {"role": "administrator"}
    assert aws.tags[row.created] in ({"project": "shop"}, {"from": "recovery point"})


def test_an_account_that_the_event_names_is_not_believed() -> None:
    foreign = DYNAMODB.event | {"account": "999988887777"}
    aws = estate(DYNAMODB, {"project": "shop"})
    assert run(aws, foreign).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_the_job_decides_whether_it_is_a_restore_test() -> None:
    plan = f"arn:aws:backup:{REGION}:{ACCOUNT}:restore-testing-plan:x"
    claimed = DYNAMODB.event
    claimed["detail"]["restoreTestingPlanArn"] = plan
    aws = estate(DYNAMODB, {"backup": "daily"})
    assert run(aws, claimed).kind is Kind.TAGGED
    aws = estate(DYNAMODB, {"backup": "daily"})
    add_job(aws, DYNAMODB.event, CreatedBy={"RestoreTestingPlanArn": plan})
    assert run(aws, DYNAMODB.event).kind is Kind.SKIPPED
    assert aws.tags[DYNAMODB.created] == {}


def test_a_completed_job_may_say_state_instead_of_status() -> None:
    changed = DYNAMODB.event
    changed["detail"]["state"] = changed["detail"].pop("status")
    aws = estate(DYNAMODB, {"project": "shop"})
    assert run(aws, changed).kind is Kind.TAGGED


def test_a_stack_is_unsupported_by_name_and_no_failure() -> None:
    aws = FakeAws()
    add_job(aws, event("cloudformation"))
    outcome = run(aws, event("cloudformation"))
    assert outcome.kind is Kind.UNSUPPORTED
    assert "CloudFormation" in outcome.reason
    assert "stack/shop-restored" in outcome.reason


def test_a_service_that_nobody_has_heard_of_is_unsupported() -> None:
    aws = FakeAws()
    created = f"arn:aws:quantum:{REGION}:{ACCOUNT}:state/1"
    add_job(aws, DYNAMODB.event, ResourceType="Quantum", CreatedResourceArn=created)
    assert run(aws, DYNAMODB.event).kind is Kind.UNSUPPORTED


def test_a_child_job_is_handled_like_any_other() -> None:
    child = event("eks-child-ebs")
    aws = FakeAws()
    add_job(aws, child)
    aws.add(child["detail"]["createdResourceArn"])
    aws.add(child["detail"]["sourceResourceArn"], {"claim": "shop-data"})
    assert run(aws, child).kind is Kind.TAGGED
    assert aws.tags[child["detail"]["createdResourceArn"]] == {"claim": "shop-data"}


def test_a_recovery_point_that_the_event_names_twice_is_the_jobs_own() -> None:
    twice = event("rds-snapshot-named-twice")
    aws = FakeAws()
    add_job(aws, twice)
    aws.add(twice["detail"]["createdResourceArn"])
    aws.add(twice["resources"][0], {"from": "the event's resources"})
    aws.add(twice["detail"]["recoveryPointArn"], {"from": "recovery point"})
    assert run(aws, twice).kind is Kind.TAGGED
    assert aws.tags[twice["detail"]["createdResourceArn"]] == {"from": "recovery point"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_event_with_nothing_but_its_job_id_is_enough(row: Row) -> None:
    poor = row.event
    poor["resources"] = []
    poor["detail"] = {key: poor["detail"][key] for key in ("restoreJobId", "status")}
    aws = estate(row, {"project": "shop"})
    assert run(aws, poor).kind is Kind.TAGGED
    assert aws.tags[row.created] == {"project": "shop"}
    assert aws.calls.count("backup:DescribeRestoreJob") == 1


@pytest.mark.parametrize("without", [("SourceResourceArn",), ("SourceResourceArn", "BackupVaultArn")])
@pytest.mark.parametrize(("source", "most"), [({"project": "shop"}, 5), (None, 6)], ids=["alive", "gone"])
def test_a_job_that_does_not_know_its_source_has_a_recovery_point_that_does(
    without: tuple[str, ...], source: dict[str, str] | None, most: int
) -> None:
    aws = estate(DYNAMODB, source)
    add_job(aws, DYNAMODB.event, without)
    aws.recovery_points[DYNAMODB.recovery_point] = {
        "BackupVaultName": "AWSBackupSolutionVault",
        "ResourceArn": DYNAMODB.original,
    }
    assert run(aws, DYNAMODB.event).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == (source or {"from": "recovery point"})
    assert len(aws.calls) <= most


def test_a_restore_into_the_source_itself_is_seen_too_when_its_recovery_point_names_the_source() -> None:
    in_place = event("efs-in-place")
    detail = in_place["detail"]
    aws = FakeAws()
    add_job(aws, in_place, ("SourceResourceArn",))
    aws.recovery_points[detail["recoveryPointArn"]] = {
        "BackupVaultName": "AWSBackupSolutionVault",
        "ResourceArn": detail["createdResourceArn"],
    }
    assert run(aws, in_place).kind is Kind.SKIPPED


def test_a_source_that_nobody_knows_leaves_the_recovery_point() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn",))
    outcome = run(aws, DYNAMODB.event)
    assert outcome.reason == "tags copied from the recovery point (source unknown)"
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}


def test_a_recovery_point_that_may_not_be_described_fails_the_event() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn",))
    with aws.fault(1, DENIED), pytest.raises(CallFailedError, match="backup describe_recovery_point"):
        run(aws, DYNAMODB.event)
    assert aws.tags[DYNAMODB.created] == {}


def test_the_tag_of_restore_tests_is_never_copied() -> None:
    aws = estate(DYNAMODB, {"awsbackup-restore-test": "yes", "project": "shop"})
    run(aws, DYNAMODB.event)
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_a_source_in_another_region_is_left_alone() -> None:
    aws = estate(DYNAMODB, None)
    add_job(aws, DYNAMODB.event, SourceResourceArn=DYNAMODB.original.replace(REGION, "eu-central-1"))
    assert run(aws, DYNAMODB.event).kind is Kind.TAGGED
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}
    assert aws.calls.count("dynamodb:ListTagsOfResource") == 1


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
    aws = estate(DYNAMODB, None)
    del aws.tags[DYNAMODB.recovery_point]
    with pytest.raises(
        TagsUnavailableError, match=r"table/orders no longer exists.*recovery-point.* no longer exists"
    ):
        run(aws, DYNAMODB.event)


def test_a_job_that_names_neither_source_nor_recovery_point_says_so() -> None:
    aws = estate(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn", "RecoveryPointArn"))
    with pytest.raises(TagsUnavailableError, match=r"Source: unknown\. Recovery point: unknown\."):
        run(aws, DYNAMODB.event)


def test_a_dynamodb_backup_without_advanced_features_cannot_carry_tags() -> None:
    backup = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/backup/01489602797149-73d8d5bc"
    aws = estate(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, RecoveryPointArn=backup)
    assert run(aws, DYNAMODB.event).kind is Kind.TAGGED
    del aws.tags[DYNAMODB.original]
    with pytest.raises(TagsUnavailableError, match="has no tags that can be read"):
        run(aws, DYNAMODB.event)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "aws.ec2"}, "source 'aws.ec2'"),
        ({"detail-type": "Backup Job State Change"}, "Backup Job State Change"),
        ({"detail": None}, "detail is missing"),
        ({"detail": []}, "detail is missing"),
        ({"detail": {"restoreJobId": "x"}}, "neither status nor state"),
        ({"detail": {"status": "COMPLETED"}}, "no restoreJobId"),
        ({"detail": {"status": "FAILED", "restoreJobId": ""}}, "no restoreJobId"),
        ({"detail": {"status": "COMPLETED", "restoreJobId": 7}}, "restoreJobId is int, not text"),
        (
            {"detail": {"status": "COMPLETED", "restoreJobId": "x", "backupVaultArn": "vault"}},
            "backupVaultArn is not an ARN",
        ),
        ({"detail": {"status": ["COMPLETED"]}}, "status is list, not text"),
    ],
)
def test_a_malformed_event_says_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedEventError, match=message.replace("[", r"\[")):
        run(FakeAws(), DYNAMODB.event | change)


@pytest.mark.parametrize("field", ["CreatedResourceArn", "SourceResourceArn", "RecoveryPointArn"])
@pytest.mark.parametrize("value", ["table/orders", "arn:aws:dynamodb", "arn:aws:dynamodb:::"])
def test_something_that_is_no_arn_is_named_with_its_field(field: str, value: str) -> None:
    aws = FakeAws()
    add_job(aws, DYNAMODB.event, **{field: value})
    with pytest.raises(MalformedEventError, match=f"{field} is not an ARN"):
        run(aws, DYNAMODB.event)


def test_an_event_that_is_no_object_says_so() -> None:
    with pytest.raises(MalformedEventError, match="list, not a JSON object"):
        parse([], NOW)


def test_a_completed_job_without_a_created_resource_says_so() -> None:
    aws = FakeAws()
    add_job(aws, DYNAMODB.event, ("CreatedResourceArn",))
    with pytest.raises(MalformedEventError, match="nothing about what it created"):
        run(aws, DYNAMODB.event)


@pytest.mark.parametrize("place", [("444455556666", "111122223333"), (REGION, "eu-west-1")])
def test_a_resource_outside_of_account_and_region_is_refused(place: tuple[str, str]) -> None:
    aws = FakeAws()
    add_job(aws, DYNAMODB.event, CreatedResourceArn=DYNAMODB.created.replace(*place))
    with pytest.raises(MalformedEventError, match="is not in account 444455556666 and Region us-west-2"):
        run(aws, DYNAMODB.event)


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso"])
def test_other_partitions_are_read_from_the_arns(partition: str) -> None:
    there = json.loads(json.dumps(DYNAMODB.event).replace("arn:aws:", f"arn:{partition}:"))
    aws = FakeAws()
    add_job(aws, there)
    aws.add(there["detail"]["createdResourceArn"])
    aws.add(there["detail"]["sourceResourceArn"], {"project": "shop"})
    assert run(aws, there).kind is Kind.TAGGED


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
