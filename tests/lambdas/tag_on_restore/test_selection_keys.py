"""A restore into an existing resource copies no tag that would select it for backup."""

import logging
from datetime import datetime, timedelta

import pytest
from tag_on_restore import sweep
from tag_on_restore.aws import Aws
from tag_on_restore.errors import CallFailedError
from tag_on_restore.event import SweepRequest
from tag_on_restore.result import Outcome
from tag_on_restore.settings import Settings

from tests.lambdas.tag_on_restore.accounts import SETTINGS, account_with, add_job, run
from tests.lambdas.tag_on_restore.fake_aws import COMPLETED, CREATED, DENIED, STARTED, THROTTLED, FakeAws
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, RESTORED_TYPES, RestoredType

SOURCE = {"project": "shop", "backup": "daily"}
OLD = STARTED - timedelta(days=400)
ALWAYS_NEW = [each for each in RESTORED_TYPES if not each.reads_date]
MAY_EXIST = [each for each in RESTORED_TYPES if each.reads_date]
EACH = pytest.mark.parametrize("each", MAY_EXIST, ids=lambda each: each.name)


def restored(each: RestoredType, created_at: datetime, tags: dict[str, str] | None = None) -> FakeAws:
    """An account whose job restored into a resource with this creation date."""
    aws = account_with(each, SOURCE, tags)
    aws.attributes[each.created]["created_at"] = created_at
    return aws


def test_the_types_that_can_be_restored_into_an_existing_resource_are_known() -> None:
    assert {each.name for each in MAY_EXIST} == {"s3", "efs", "eks", "eks-child-state"}


@EACH
@pytest.mark.parametrize("created_at", [OLD, STARTED - timedelta(seconds=2)], ids=["long ago", "just before"])
def test_a_resource_older_than_its_job_gets_all_tags_except_those_that_select_for_backup(
    each: RestoredType, created_at: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    aws = restored(each, created_at)
    result = run(aws, each.event)
    assert result.outcome is Outcome.TAGGED
    assert aws.tags[each.created] == {"project": "shop"}
    assert result.plans[each.created].withheld == ("backup",)
    assert result.response()["resources"][each.created]["withheld"] == ["backup"]
    assert "tags that select for backup withheld" in result.reason
    assert result.metrics()["TagsWithheld"] == 1
    result.log()
    assert caplog.records[0].levelno == logging.WARNING


@EACH
@pytest.mark.parametrize(
    "created_at", [STARTED, CREATED, COMPLETED], ids=["at the start", "between", "at the end"]
)
def test_a_resource_that_the_job_created_gets_all_tags(each: RestoredType, created_at: datetime) -> None:
    aws = restored(each, created_at)
    assert run(aws, each.event).plans[each.created].withheld == ()
    assert aws.tags[each.created] == SOURCE


@EACH
def test_the_creation_date_is_read_once_and_only_if_such_a_tag_is_to_be_written(each: RestoredType) -> None:
    aws = restored(each, CREATED)
    run(aws, each.event)
    assert aws.calls.count(each.reads_date) == 1
    assert len(aws.calls) == 5
    aws = account_with(each, {"project": "shop"})
    run(aws, each.event)
    assert each.reads_date not in aws.calls
    aws = restored(each, OLD, {"backup": "none"})
    run(aws, each.event)
    assert each.reads_date not in aws.calls


def test_the_creation_date_of_types_that_are_always_new_is_not_read() -> None:
    for each in ALWAYS_NEW:
        aws = restored(each, OLD)
        run(aws, each.event)
        assert aws.tags[each.created] == SOURCE, each.name
        assert not {other.reads_date for other in MAY_EXIST} & set(aws.calls), each.name


@EACH
def test_a_tag_that_the_existing_resource_has_keeps_its_value(each: RestoredType) -> None:
    for settings in (SETTINGS, Settings.from_environment({"OVERWRITE_EXISTING_TAGS": "true"})):
        aws = restored(each, OLD, {"backup": "none"})
        run(aws, each.event, settings)
        assert aws.tags[each.created] == {"backup": "none", "project": "shop"}


@EACH
def test_the_tags_of_the_recovery_point_do_not_select_it_either(each: RestoredType) -> None:
    aws = account_with(each, None, recovery_point=SOURCE)
    aws.attributes[each.created]["created_at"] = OLD
    run(aws, each.event)
    assert aws.tags[each.created] == {"project": "shop"}


@EACH
def test_if_access_to_the_creation_date_is_denied_the_resource_counts_as_existing(each: RestoredType) -> None:
    aws = restored(each, CREATED)
    with aws.fault(3, DENIED):
        result = run(aws, each.event)
    assert result.plans[each.created].withheld == ("backup",)
    assert aws.tags[each.created] == {"project": "shop"}


@EACH
def test_if_the_creation_date_cannot_be_read_now_the_event_fails(each: RestoredType) -> None:
    aws = restored(each, CREATED)
    with aws.fault(3, THROTTLED), pytest.raises(CallFailedError, match=each.created.rpartition(":")[2]):
        run(aws, each.event)
    assert aws.tags[each.created] == {}


@EACH
def test_if_the_job_has_no_start_date_the_resource_counts_as_existing(each: RestoredType) -> None:
    aws = restored(each, CREATED)
    add_job(aws, each.event, ("CreationDate",))
    run(aws, each.event)
    assert aws.tags[each.created] == {"project": "shop"}


@EACH
def test_a_date_after_the_job_counts_as_existing_since_a_policy_edit_changes_it(each: RestoredType) -> None:
    """AmazonS3/latest/API/API_Bucket.html: the date "can change when making changes to your bucket"."""
    aws = restored(each, COMPLETED + timedelta(hours=5))
    aws.lists_children = True
    result = sweep.run(Aws(aws), SETTINGS, SweepRequest(), lambda: 900_000)
    assert aws.tags[each.created] == {"project": "shop"}
    assert result.metrics()["TagsWithheld"] == 1


def test_a_bucket_is_distinguished_from_others_with_the_same_prefix() -> None:
    each = BY_NAME["s3"]
    aws = restored(each, OLD)
    for suffix in ("-2", "x", ".logs", *map(str, range(1000))):
        aws.add(each.created + suffix, created_at=CREATED)
    run(aws, each.event)
    assert aws.tags[each.created] == {"project": "shop"}


def test_a_bucket_that_the_account_does_not_list_counts_as_existing() -> None:
    each = BY_NAME["s3"]
    aws = restored(each, CREATED)
    aws.attributes[each.created]["hidden"] = True
    run(aws, each.event)
    assert aws.tags[each.created] == {"project": "shop"}


@pytest.mark.parametrize(
    ("variable", "withheld"),
    [("backup,monthly", ("backup",)), ("project,backup", ("backup", "project")), ("other,other", ())],
)
def test_the_keys_come_from_the_environment(variable: str, withheld: tuple[str, ...]) -> None:
    each = BY_NAME["eks"]
    aws = restored(each, OLD)
    settings = Settings.from_environment({"BACKUP_SELECTION_KEYS": variable})
    assert run(aws, each.event, settings).plans[each.created].withheld == withheld
