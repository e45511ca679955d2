"""A restore into something that was there before does not enrol it in backups by a copied tag."""

import logging
from datetime import datetime, timedelta

import pytest
from tag_on_restore import sweep
from tag_on_restore.aws import Aws
from tag_on_restore.errors import CallFailedError
from tag_on_restore.event import SweepRequest
from tag_on_restore.outcome import Kind
from tag_on_restore.settings import Settings

from tests.lambdas.tag_on_restore.fake_aws import COMPLETED, DENIED, MADE, STARTED, THROTTLED, FakeAws
from tests.lambdas.tag_on_restore.resources import ROWS, Row
from tests.lambdas.tag_on_restore.situations import SETTINGS, add_job, estate, run

SOURCE = {"project": "shop", "backup": "daily"}
OLD = STARTED - timedelta(days=400)
INTO_EXISTING = [row for row in ROWS if row.age]
ALWAYS_NEW = [row for row in ROWS if not row.age]
INTO = pytest.mark.parametrize("row", INTO_EXISTING, ids=lambda row: row.name)


def restored(row: Row, created_at: datetime, tags: dict[str, str] | None = None) -> FakeAws:
    """The row's estate, in which the job restored into what exists since `created_at`."""
    aws = estate(row, SOURCE, tags)
    aws.attributes[row.created]["created_at"] = created_at
    return aws


def test_the_types_that_aws_restores_into_what_exists_are_known() -> None:
    assert {row.name for row in INTO_EXISTING} == {"s3", "efs", "eks", "eks-child-state"}


@INTO
@pytest.mark.parametrize("created_at", [OLD, STARTED - timedelta(seconds=2)], ids=["long ago", "just before"])
def test_what_is_older_than_its_job_gets_all_tags_but_those_that_select_for_backup(
    row: Row, created_at: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    aws = restored(row, created_at)
    outcome = run(aws, row.event)
    assert outcome.kind is Kind.TAGGED
    assert aws.tags[row.created] == {"project": "shop"}
    assert outcome.plans[row.created].withheld == ("backup",)
    assert outcome.answer()["resources"][row.created]["withheld"] == ["backup"]
    assert "what selects for backup is withheld" in outcome.reason
    assert outcome.metrics()["TagsWithheld"] == 1
    outcome.log()
    assert caplog.records[0].levelno == logging.WARNING


@INTO
@pytest.mark.parametrize("created_at", [STARTED, MADE, COMPLETED], ids=["began", "between", "ended"])
def test_what_the_job_made_gets_all_tags(row: Row, created_at: datetime) -> None:
    aws = restored(row, created_at)
    assert run(aws, row.event).plans[row.created].withheld == ()
    assert aws.tags[row.created] == SOURCE


@INTO
def test_the_age_costs_one_call_and_only_where_it_matters(row: Row) -> None:
    aws = restored(row, MADE)
    run(aws, row.event)
    assert aws.calls.count(row.age) == 1
    assert len(aws.calls) == 5
    aws = estate(row, {"project": "shop"})
    run(aws, row.event)
    assert row.age not in aws.calls
    aws = restored(row, OLD, {"backup": "none"})
    run(aws, row.event)
    assert row.age not in aws.calls


@pytest.mark.parametrize("row", ALWAYS_NEW, ids=lambda row: row.name)
def test_the_age_of_what_a_job_always_makes_is_not_read(row: Row) -> None:
    aws = restored(row, OLD)
    run(aws, row.event)
    assert aws.tags[row.created] == SOURCE
    assert not {other.age for other in INTO_EXISTING} & set(aws.calls)


@INTO
def test_a_tag_that_the_old_resource_has_is_left_to_it(row: Row) -> None:
    for settings in (SETTINGS, Settings.from_environment({"OVERWRITE_EXISTING_TAGS": "true"})):
        aws = restored(row, OLD, {"backup": "none"})
        run(aws, row.event, settings)
        assert aws.tags[row.created] == {"backup": "none", "project": "shop"}


@INTO
def test_the_recovery_points_tags_do_not_enrol_it_either(row: Row) -> None:
    aws = estate(row, None, point=SOURCE)
    aws.attributes[row.created]["created_at"] = OLD
    run(aws, row.event)
    assert aws.tags[row.created] == {"project": "shop"}


@INTO
def test_an_age_that_may_not_be_read_counts_as_old(row: Row) -> None:
    aws = restored(row, MADE)
    with aws.fault(3, DENIED):
        outcome = run(aws, row.event)
    assert outcome.plans[row.created].withheld == ("backup",)
    assert aws.tags[row.created] == {"project": "shop"}


@INTO
def test_an_age_that_cannot_be_read_now_is_asked_for_again(row: Row) -> None:
    aws = restored(row, MADE)
    with aws.fault(3, THROTTLED), pytest.raises(CallFailedError, match=row.created.rpartition(":")[2]):
        run(aws, row.event)
    assert aws.tags[row.created] == {}


@INTO
def test_a_job_that_does_not_say_when_it_began_counts_as_younger(row: Row) -> None:
    aws = restored(row, MADE)
    add_job(aws, row.event, ("CreationDate",))
    run(aws, row.event)
    assert aws.tags[row.created] == {"project": "shop"}


@INTO
def test_the_sweep_decides_the_same_even_when_a_policy_edit_has_moved_the_buckets_date(row: Row) -> None:
    """AmazonS3/latest/API/API_Bucket.html: the date "can change when making changes to your bucket"."""
    aws = restored(row, COMPLETED + timedelta(hours=5))
    aws.lists_children = True
    result = sweep.run(Aws(aws), SETTINGS, SweepRequest(), lambda: 900_000)
    assert aws.tags[row.created] == {"project": "shop"}
    assert result.metrics()["TagsWithheld"] == 1


def test_a_bucket_is_told_from_others_whose_names_begin_alike() -> None:
    (row,) = (row for row in INTO_EXISTING if row.name == "s3")
    aws = restored(row, OLD)
    for suffix in ("-2", "x", ".logs", *map(str, range(1000))):
        aws.add(row.created + suffix, created_at=MADE)
    run(aws, row.event)
    assert aws.tags[row.created] == {"project": "shop"}


def test_a_bucket_that_the_account_does_not_list_counts_as_old() -> None:
    (row,) = (row for row in INTO_EXISTING if row.name == "s3")
    aws = restored(row, MADE)
    aws.attributes[row.created]["hidden"] = True
    run(aws, row.event)
    assert aws.tags[row.created] == {"project": "shop"}


@pytest.mark.parametrize(
    ("variable", "withheld"),
    [("backup,monthly", ("backup",)), ("project,backup", ("backup", "project")), ("other,other", ())],
)
def test_the_keys_come_from_the_environment(variable: str, withheld: tuple[str, ...]) -> None:
    (row,) = (row for row in INTO_EXISTING if row.name == "eks")
    aws = restored(row, OLD)
    settings = Settings.from_environment({"BACKUP_SELECTION_KEYS": variable})
    assert run(aws, row.event, settings).plans[row.created].withheld == withheld
