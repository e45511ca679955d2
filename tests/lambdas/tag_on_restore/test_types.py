"""Every type that AWS Backup restores, in every situation of source and restored resource."""

import pytest
from tag_on_restore.outcome import Kind, Origin
from tag_on_restore.settings import Settings

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT
from tests.lambdas.tag_on_restore.resources import ROWS, Row
from tests.lambdas.tag_on_restore.situations import add_job, estate, run

EACH_TYPE = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
FIFTY = {f"key-{number:02}": str(number) for number in range(50)}


def calls(row: Row, *between: str, write: bool = True) -> list[str]:
    """Look the job up, read the restored resource (an instance together with its source, then its volumes),
    whatever is in between, write."""
    volumes = ["ec2:DescribeVolumes"] if row.looks_for_volumes else []
    others = [call for call in between if not (row.looks_for_volumes and call == row.read)]
    return ["backup:DescribeRestoreJob", row.read, *volumes, *others, *([row.write] if write else [])]


@EACH_TYPE
def test_source_alive_its_tags_are_copied(row: Row) -> None:
    aws = estate(row, {"project": "shop"})
    outcome = run(aws, row.event)
    assert (outcome.kind, outcome.reason) == (Kind.TAGGED, "tags copied from the source")
    assert outcome.origins == {row.created: Origin.SOURCE}
    assert aws.tags[row.created] == {"project": "shop"}
    assert aws.calls == calls(row, row.read_source)


@EACH_TYPE
def test_source_gone_the_recovery_point_knows_its_tags(row: Row) -> None:
    aws = estate(row, None)
    outcome = run(aws, row.event)
    assert outcome.reason == "tags copied from the recovery point (source gone)"
    assert outcome.origins == {row.created: Origin.GONE}
    assert aws.tags[row.created] == {"from": "recovery point"}
    assert aws.calls == calls(row, row.read_source, row.point)


@EACH_TYPE
def test_source_in_another_account_is_not_asked(row: Row) -> None:
    far = row.original.replace(ACCOUNT, "999988887777")
    aws = estate(row, None)
    add_job(aws, row.event, SourceResourceArn=far)
    aws.add(far, {"foreign": "yes"}, owner="999988887777")
    outcome = run(aws, row.event)
    assert aws.tags[row.created] == {"from": "recovery point"}
    # The ARN of a bucket does not say whose it is: S3 is asked, and its refusal does not say it either.
    asked, why = ([row.read_source], Origin.UNREADABLE) if row.name == "s3" else ([], Origin.ELSEWHERE)
    assert outcome.reason == f"tags copied {why}"
    assert aws.calls == calls(row, *asked, row.point)


@EACH_TYPE
def test_values_of_the_restored_resource_stay(row: Row) -> None:
    aws = estate(row, {"project": "shop", "stage": "production"}, {"stage": "rehearsal", "own": "x"})
    assert run(aws, row.event).kind is Kind.TAGGED
    assert aws.tags[row.created] == {"stage": "rehearsal", "own": "x", "project": "shop"}


@EACH_TYPE
def test_values_of_the_restored_resource_give_way_on_request(row: Row) -> None:
    aws = estate(row, {"project": "shop", "stage": "production"}, {"stage": "rehearsal", "own": "x"})
    settings = Settings.from_environment({"OVERWRITE_EXISTING_TAGS": "true"})
    assert run(aws, row.event, settings).kind is Kind.TAGGED
    assert aws.tags[row.created] == {"stage": "production", "own": "x", "project": "shop"}


@EACH_TYPE
def test_tags_of_aws_are_left_where_they_are(row: Row) -> None:
    own = {"aws:cloudformation:stack-name": "shop", "AWS:odd": "x"}
    aws = estate(row, {**own, "project": "shop"}, {"aws:backup:source-resource": "arn"})
    assert run(aws, row.event).kind is Kind.TAGGED
    assert aws.tags[row.created] == {"aws:backup:source-resource": "arn", "project": "shop"}


@EACH_TYPE
def test_fifty_tags_fit(row: Row) -> None:
    aws = estate(row, FIFTY, {"aws:backup:source-resource": "arn"})
    outcome = run(aws, row.event)
    assert aws.tags[row.created] == {"aws:backup:source-resource": "arn"} | FIFTY
    assert outcome.left_out == 0


@EACH_TYPE
def test_the_fifty_first_tag_is_left_out_and_counted(row: Row) -> None:
    aws = estate(row, FIFTY, {"own": "x"})
    outcome = run(aws, row.event)
    assert outcome.kind is Kind.TAGGED
    assert outcome.plans[row.created].left_out == ("key-49",)
    assert aws.tags[row.created] == {"own": "x"} | {key: FIFTY[key] for key in sorted(FIFTY)[:49]}


@EACH_TYPE
def test_every_page_of_the_tags_is_read(row: Row) -> None:
    aws = estate(row, FIFTY, {"own": "x"})
    aws.page_size = 20
    run(aws, row.event)
    assert len(aws.tags[row.created]) == 50
    together = row.looks_for_volumes or row.read != row.read_source
    assert aws.calls.count(row.read_source) == (3 if row.pages else 1) + (not together)


@EACH_TYPE
def test_every_page_of_the_recovery_point_is_read(row: Row) -> None:
    aws = estate(row, None, point=FIFTY)
    aws.page_size = 20
    run(aws, row.event)
    assert aws.tags[row.created] == FIFTY


@EACH_TYPE
def test_nothing_to_copy_writes_nothing(row: Row) -> None:
    aws = estate(row, {})
    assert run(aws, row.event).kind is Kind.UNCHANGED
    assert aws.tags[row.created] == {}
    assert aws.calls == calls(row, row.read_source, write=False)


@EACH_TYPE
def test_a_second_run_changes_nothing(row: Row) -> None:
    aws = estate(row, FIFTY, {"own": "x", "key-07": "kept"})
    run(aws, row.event)
    after_first = dict(aws.tags)
    aws.calls.clear()
    assert run(aws, row.event).kind is Kind.UNCHANGED
    assert aws.tags == after_first
    assert aws.writes == []


@EACH_TYPE
def test_only_the_clients_needed_are_created(row: Row) -> None:
    aws = estate(row, {"project": "shop"})
    run(aws, row.event)
    services = {call.split(":")[0] for call in aws.calls}
    assert len(aws.clients) == len(set(aws.clients)) == len(services)


@EACH_TYPE
@pytest.mark.parametrize(("source", "most"), [({"project": "shop"}, 4), (None, 5)], ids=["alive", "gone"])
def test_a_resource_takes_few_calls(row: Row, source: dict[str, str] | None, most: int) -> None:
    aws = estate(row, source)
    run(aws, row.event)
    assert len(aws.calls) <= most + row.looks_for_volumes
