"""Which events are handled, which are skipped and why, and what is looked up if an event lacks it."""

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
from tag_on_restore.result import Outcome

from tests.lambdas.tag_on_restore.accounts import NOW, account_with, add_job, run
from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, DENIED, REGION, FakeAws
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, EVENTS, RESTORED_TYPES, event

DYNAMODB = BY_NAME["dynamodb"]


@pytest.mark.parametrize("status", ["created", "pending", "running", "aborted", "failed"])
def test_an_event_of_a_job_that_is_not_completed_makes_no_call(status: str) -> None:
    aws = FakeAws()
    result = run(aws, event(f"status-{status}"))
    assert result.outcome is Outcome.SKIPPED
    assert f"{status.upper()}, not COMPLETED" in result.reason
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
def test_a_job_without_a_restored_copy_of_a_source_is_skipped(name: str, reason: str) -> None:
    aws = FakeAws()
    add_job(aws, event(name))
    result = run(aws, event(name))
    assert result.outcome is Outcome.SKIPPED
    assert reason in result.reason
    assert aws.calls == ["backup:DescribeRestoreJob"]


# Every caller of the function can forge these events.


def test_an_event_of_a_job_that_does_not_exist_is_refused_by_name() -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    aws.jobs.clear()
    job = DYNAMODB.detail["restoreJobId"]
    with pytest.raises(
        RestoreJobRefusedError, match=f"{job} of the event does not exist in Region us-west-2"
    ):
        run(aws, DYNAMODB.event)
    assert aws.calls == ["backup:DescribeRestoreJob"]


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "ABORTED", "FAILED"])
def test_an_event_that_calls_a_job_completed_too_early_is_refused_by_name(status: str) -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    job = DYNAMODB.detail["restoreJobId"]
    aws.jobs[job]["Status"] = status
    with pytest.raises(RestoreJobRefusedError, match=f"{job} is {status}; the event says COMPLETED"):
        run(aws, DYNAMODB.event)
    assert aws.calls == ["backup:DescribeRestoreJob"]


@pytest.mark.parametrize(
    "field", ["createdResourceArn", "sourceResourceArn", "recoveryPointArn", "resources"]
)
def test_resources_that_only_the_event_names_are_neither_read_nor_written(field: str) -> None:
    for each in RESTORED_TYPES:
        names = {"createdResourceArn": each.created, "sourceResourceArn": each.source}
        other = f"{names.get(field, each.recovery_point)}-other"
        forged = each.event
        if field == "resources":
            forged["resources"] = [other]
        else:
            forged["detail"][field] = other
        aws = account_with(each, {"project": "shop"} if field in names else None)
        aws.add(other, {"role": "administrator"})
        assert run(aws, forged).outcome is Outcome.TAGGED, each.name
        assert aws.tags[other] == {"role": "administrator"}, each.name
        assert aws.tags[each.created] in ({"project": "shop"}, {"from": "recovery point"}), each.name


def test_the_account_in_the_event_is_ignored() -> None:
    foreign = DYNAMODB.event | {"account": "999988887777"}
    aws = account_with(DYNAMODB, {"project": "shop"})
    assert run(aws, foreign).outcome is Outcome.TAGGED
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_the_job_and_not_the_event_says_whether_it_is_a_restore_test() -> None:
    plan = f"arn:aws:backup:{REGION}:{ACCOUNT}:restore-testing-plan:x"
    claimed = DYNAMODB.event
    claimed["detail"]["restoreTestingPlanArn"] = plan
    aws = account_with(DYNAMODB, {"backup": "daily"})
    assert run(aws, claimed).outcome is Outcome.TAGGED
    aws = account_with(DYNAMODB, {"backup": "daily"})
    add_job(aws, DYNAMODB.event, CreatedBy={"RestoreTestingPlanArn": plan})
    assert run(aws, DYNAMODB.event).outcome is Outcome.SKIPPED
    assert aws.tags[DYNAMODB.created] == {}


def test_an_event_may_have_state_instead_of_status() -> None:
    changed = DYNAMODB.event
    changed["detail"]["state"] = changed["detail"].pop("status")
    aws = account_with(DYNAMODB, {"project": "shop"})
    assert run(aws, changed).outcome is Outcome.TAGGED


def test_a_stack_is_unsupported_and_named() -> None:
    aws = FakeAws()
    add_job(aws, event("cloudformation"))
    result = run(aws, event("cloudformation"))
    assert result.outcome is Outcome.UNSUPPORTED
    assert "CloudFormation" in result.reason
    assert "stack/shop-restored" in result.reason


def test_an_unknown_service_is_unsupported() -> None:
    aws = FakeAws()
    created = f"arn:aws:quantum:{REGION}:{ACCOUNT}:state/1"
    add_job(aws, DYNAMODB.event, ResourceType="Quantum", CreatedResourceArn=created)
    assert run(aws, DYNAMODB.event).outcome is Outcome.UNSUPPORTED


def test_a_child_job_is_handled_like_any_other() -> None:
    child = event("eks-child-ebs")
    aws = FakeAws()
    add_job(aws, child)
    aws.add(child["detail"]["createdResourceArn"])
    aws.add(child["detail"]["sourceResourceArn"], {"claim": "shop-data"})
    assert run(aws, child).outcome is Outcome.TAGGED
    assert aws.tags[child["detail"]["createdResourceArn"]] == {"claim": "shop-data"}


def test_of_two_recovery_points_in_an_event_the_one_of_the_job_is_used() -> None:
    twice = event("rds-snapshot-named-twice")
    aws = FakeAws()
    add_job(aws, twice)
    aws.add(twice["detail"]["createdResourceArn"])
    aws.add(twice["resources"][0], {"from": "the event's resources"})
    aws.add(twice["detail"]["recoveryPointArn"], {"from": "recovery point"})
    assert run(aws, twice).outcome is Outcome.TAGGED
    assert aws.tags[twice["detail"]["createdResourceArn"]] == {"from": "recovery point"}


def test_an_event_with_only_a_job_id_and_status_is_enough() -> None:
    for each in RESTORED_TYPES:
        short = each.event
        short["resources"] = []
        short["detail"] = {key: short["detail"][key] for key in ("restoreJobId", "status")}
        aws = account_with(each, {"project": "shop"})
        assert run(aws, short).outcome is Outcome.TAGGED, each.name
        assert aws.tags[each.created] == {"project": "shop"}, each.name


@pytest.mark.parametrize("without", [("SourceResourceArn",), ("SourceResourceArn", "BackupVaultArn")])
@pytest.mark.parametrize(("source", "most"), [({"project": "shop"}, 5), (None, 6)], ids=["exists", "deleted"])
def test_if_a_job_does_not_name_its_source_the_recovery_point_does(
    without: tuple[str, ...], source: dict[str, str] | None, most: int
) -> None:
    aws = account_with(DYNAMODB, source)
    add_job(aws, DYNAMODB.event, without)
    aws.recovery_points[DYNAMODB.recovery_point] = {
        "BackupVaultName": "AWSBackupSolutionVault",
        "ResourceArn": DYNAMODB.source,
    }
    assert run(aws, DYNAMODB.event).outcome is Outcome.TAGGED
    assert aws.tags[DYNAMODB.created] == (source or {"from": "recovery point"})
    assert len(aws.calls) <= most


def test_the_vault_of_the_job_is_used_and_not_that_of_the_event() -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn",))
    aws.recovery_points[DYNAMODB.recovery_point] = {
        "BackupVaultName": "AWSBackupSolutionVault",
        "ResourceArn": DYNAMODB.source,
    }
    forged = DYNAMODB.event
    forged["detail"]["backupVaultArn"] += "-other"
    run(aws, forged)
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_a_restore_into_the_source_is_skipped_even_if_only_the_recovery_point_names_the_source() -> None:
    in_place = event("efs-in-place")
    detail = in_place["detail"]
    aws = FakeAws()
    add_job(aws, in_place, ("SourceResourceArn",))
    aws.recovery_points[detail["recoveryPointArn"]] = {
        "BackupVaultName": "AWSBackupSolutionVault",
        "ResourceArn": detail["createdResourceArn"],
    }
    assert run(aws, in_place).outcome is Outcome.SKIPPED


@pytest.mark.parametrize("given", [("backupVaultArn",), ()], ids=["with a vault", "without a vault"])
def test_if_the_source_is_unknown_the_tags_of_the_recovery_point_are_copied(given: tuple[str, ...]) -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn", "BackupVaultArn"))
    short = DYNAMODB.event
    short["detail"] = {key: short["detail"][key] for key in ("restoreJobId", "status", *given)}
    result = run(aws, short)
    assert result.reason == "tags copied from the recovery point (source unknown)"
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}


def test_denied_access_to_the_recovery_point_fails_the_event() -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn",))
    with aws.fault(1, DENIED), pytest.raises(CallFailedError, match="backup describe_recovery_point"):
        run(aws, DYNAMODB.event)
    assert aws.tags[DYNAMODB.created] == {}


def test_the_tag_of_restore_tests_is_never_copied() -> None:
    aws = account_with(DYNAMODB, {"awsbackup-restore-test": "yes", "project": "shop"})
    run(aws, DYNAMODB.event)
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_a_source_in_another_region_is_not_read() -> None:
    aws = account_with(DYNAMODB, None)
    add_job(aws, DYNAMODB.event, SourceResourceArn=DYNAMODB.source.replace(REGION, "eu-central-1"))
    assert run(aws, DYNAMODB.event).outcome is Outcome.TAGGED
    assert aws.tags[DYNAMODB.created] == {"from": "recovery point"}
    assert aws.calls.count("dynamodb:ListTagsOfResource") == 1


def test_a_denied_write_fails_and_names_call_and_resource() -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    aws.denied = {("dynamodb:TagResource", DYNAMODB.created)}
    with pytest.raises(
        CallFailedError, match=r"dynamodb tag_resource for .*orders-restored.*AccessDenied"
    ) as failure:
        run(aws, DYNAMODB.event)
    assert failure.value.code == "AccessDeniedException"


def test_a_restored_resource_that_does_not_exist_yet_fails_the_event() -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    del aws.tags[DYNAMODB.created]
    with pytest.raises(RestoredResourceMissingError, match="orders-restored"):
        run(aws, DYNAMODB.event)


def test_if_source_and_recovery_point_are_deleted_the_event_fails_and_says_so() -> None:
    aws = account_with(DYNAMODB, None)
    del aws.tags[DYNAMODB.recovery_point]
    with pytest.raises(
        TagsUnavailableError, match=r"table/orders no longer exists.*recovery-point.* no longer exists"
    ):
        run(aws, DYNAMODB.event)


def test_a_job_that_names_neither_source_nor_recovery_point_says_so() -> None:
    aws = account_with(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, ("SourceResourceArn", "RecoveryPointArn"))
    with pytest.raises(TagsUnavailableError, match=r"Source: unknown\. Recovery point: unknown\."):
        run(aws, DYNAMODB.event)


def test_a_dynamodb_backup_without_advanced_features_cannot_carry_tags() -> None:
    backup = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/backup/01489602797149-73d8d5bc"
    aws = account_with(DYNAMODB, {"project": "shop"})
    add_job(aws, DYNAMODB.event, RecoveryPointArn=backup)
    assert run(aws, DYNAMODB.event).outcome is Outcome.TAGGED
    del aws.tags[DYNAMODB.source]
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
def test_a_field_that_is_not_an_arn_is_named(field: str, value: str) -> None:
    aws = FakeAws()
    add_job(aws, DYNAMODB.event, **{field: value})
    with pytest.raises(MalformedEventError, match=f"{field} is not an ARN"):
        run(aws, DYNAMODB.event)


def test_an_event_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(MalformedEventError, match="list, not a JSON object"):
        parse([], NOW)


def test_a_completed_job_without_a_created_resource_fails() -> None:
    aws = FakeAws()
    add_job(aws, DYNAMODB.event, ("CreatedResourceArn",))
    with pytest.raises(MalformedEventError, match="does not name the resource that it created"):
        run(aws, DYNAMODB.event)


@pytest.mark.parametrize("place", [("444455556666", "111122223333"), (REGION, "eu-west-1")])
def test_a_resource_in_another_account_or_region_is_refused(place: tuple[str, str]) -> None:
    aws = FakeAws()
    add_job(aws, DYNAMODB.event, CreatedResourceArn=DYNAMODB.created.replace(*place))
    with pytest.raises(MalformedEventError, match="is not in account 444455556666 and Region us-west-2"):
        run(aws, DYNAMODB.event)


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso"])
def test_the_partition_is_that_of_the_arns(partition: str) -> None:
    there = json.loads(json.dumps(DYNAMODB.event).replace("arn:aws:", f"arn:{partition}:"))
    aws = FakeAws()
    add_job(aws, there)
    aws.add(there["detail"]["createdResourceArn"])
    aws.add(there["detail"]["sourceResourceArn"], {"project": "shop"})
    assert run(aws, there).outcome is Outcome.TAGGED


@pytest.mark.parametrize("value", ["true", "True", True])
def test_refresh_tag_items_is_text_or_boolean(value: object) -> None:
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
    used = set(BY_NAME) | {
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
