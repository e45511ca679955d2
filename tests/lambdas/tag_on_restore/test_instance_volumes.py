"""An EC2 instance comes back with its volumes; each gets the tags of the volume that it is a copy of."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tag_on_restore.errors import CallFailedError, TagOnRestoreError, TagsUnavailableError
from tag_on_restore.outcome import Kind, Origin

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, REGION, FakeAws
from tests.lambdas.tag_on_restore.resources import ROWS
from tests.lambdas.tag_on_restore.situations import estate, run

(ROW,) = (row for row in ROWS if row.name == "ec2")
BEFORE = datetime(2026, 11, 2, 3, 12, tzinfo=UTC)
AFTERWARDS = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def volume(name: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{name}"


def snapshot(name: str) -> str:
    return f"arn:aws:ec2:{REGION}::snapshot/{name}"


def attach(
    aws: FakeAws, name: str, snapshot_id: str, tags: dict[str, str] | None = None, **more: Any
) -> None:
    attributes = {
        "SnapshotId": snapshot_id,
        "CreateTime": BEFORE,
        "attached_to": "i-0bbbbbbbbbbbbbbb2",
    } | more
    aws.add(volume(name), tags, **attributes)


def instance_with_volumes(tags: list[dict[str, str]], source: dict[str, str] | None) -> FakeAws:
    """A restored instance; `tags` are those of its volumes' sources."""
    aws = estate(ROW, source)
    for number, own in enumerate(tags, 1):
        aws.add(volume(f"vol-old{number}"), own)
        aws.add(snapshot(f"snap-{number}"), {"disk": f"as of backup {number}"}, VolumeId=f"vol-old{number}")
        attach(aws, f"vol-new{number}", f"snap-{number}")
    return aws


def instance_with_two_volumes() -> FakeAws:
    return instance_with_volumes([{"disk": "root"}, {"disk": "data", "backup": "daily"}], {"project": "shop"})


@pytest.mark.parametrize(("source", "most"), [({"disk": "0"}, 5), (None, 6)], ids=["alive", "gone"])
@pytest.mark.parametrize("sets", [1, 2, 5, 40])
@pytest.mark.parametrize("volumes", [2, 40])
def test_calls_grow_with_the_different_sets_of_tags_and_not_with_the_volumes(
    volumes: int, sets: int, source: dict[str, str] | None, most: int
) -> None:
    aws = instance_with_volumes([{"disk": str(number % sets)} for number in range(volumes)], source)
    run(aws, ROW.event)
    assert [aws.tags[volume(f"vol-new{number}")] for number in range(1, volumes + 1)] == [
        {"disk": str(number % sets)} for number in range(volumes)
    ]
    different = len({tuple(aws.tags[arn].items()) for arn in aws.tags if "-new" in arn or arn == ROW.created})
    assert aws.calls.count("ec2:CreateTags") == different
    assert len(aws.calls) <= most + different


def test_more_volumes_than_one_filter_takes_are_all_tagged() -> None:
    aws = instance_with_volumes([{"disk": "data"}] * 201, {"disk": "data"})
    run(aws, ROW.event)
    assert {tuple(tags.items()) for arn, tags in aws.tags.items() if "vol-new" in arn} == {
        (("disk", "data"),)
    }
    assert aws.calls.count("ec2:CreateTags") == 1
    assert aws.calls.count("ec2:DescribeSnapshots") == 2


def test_a_set_of_tags_that_instance_and_volumes_share_is_written_once() -> None:
    aws = instance_with_volumes([{"project": "shop"}] * 3, {"project": "shop"})
    run(aws, ROW.event)
    assert aws.writes == ["ec2:CreateTags"]


def test_only_what_is_missing_is_written_to_each_volume() -> None:
    aws = instance_with_volumes([{"project": "shop", "disk": "data"}] * 3, {"project": "shop"})
    aws.tags[volume("vol-new2")] = {"disk": "kept"}
    aws.tags[volume("vol-new3")] = {"project": "shop", "disk": "data"}
    outcome = run(aws, ROW.event)
    assert aws.tags[volume("vol-new2")] == {"project": "shop", "disk": "kept"}
    assert outcome.plans[volume("vol-new3")].write == {}


def test_where_the_tags_of_each_volume_come_from_is_told() -> None:
    aws = instance_with_two_volumes()
    del aws.tags[volume("vol-old2")]
    outcome = run(aws, ROW.event)
    assert outcome.origins == {
        ROW.created: Origin.SOURCE,
        volume("vol-new1"): Origin.SOURCE,
        volume("vol-new2"): Origin.GONE,
    }
    assert outcome.reason == "tags copied from the source and from the recovery point (source gone)"
    assert outcome.metrics()["FromSource"] == 2
    assert outcome.metrics()["FromRecoveryPointSourceGone"] == 1


def test_each_volume_gets_the_tags_of_its_own_source() -> None:
    aws = instance_with_two_volumes()
    outcome = run(aws, ROW.event)
    assert outcome.kind is Kind.TAGGED
    assert aws.tags[ROW.created] == {"project": "shop"}
    assert aws.tags[volume("vol-new1")] == {"disk": "root"}
    assert aws.tags[volume("vol-new2")] == {"disk": "data", "backup": "daily"}
    assert set(outcome.plans) == {ROW.created, volume("vol-new1"), volume("vol-new2")}


def test_a_volume_whose_source_is_gone_gets_the_tags_of_its_snapshot() -> None:
    aws = instance_with_two_volumes()
    del aws.tags[volume("vol-old2")]
    run(aws, ROW.event)
    assert aws.tags[volume("vol-new1")] == {"disk": "root"}
    assert aws.tags[volume("vol-new2")] == {"disk": "as of backup 2"}


def test_a_snapshot_copied_from_elsewhere_names_no_source_and_is_used_itself() -> None:
    aws = instance_with_two_volumes()
    aws.attributes[snapshot("snap-1")]["VolumeId"] = "vol-ffffffff"
    run(aws, ROW.event)
    assert aws.tags[volume("vol-new1")] == {"disk": "as of backup 1"}


def test_volumes_of_other_instances_are_not_touched() -> None:
    aws = instance_with_two_volumes()
    attach(aws, "vol-other", "snap-1", attached_to="i-0000000000000000f")
    run(aws, ROW.event)
    assert aws.tags[volume("vol-other")] == {}


def test_an_empty_volume_attached_by_somebody_is_not_touched() -> None:
    aws = instance_with_two_volumes()
    attach(aws, "vol-empty", "")
    run(aws, ROW.event)
    assert aws.tags[volume("vol-empty")] == {}


def test_a_volume_made_after_the_restore_is_not_touched() -> None:
    aws = instance_with_two_volumes()
    attach(aws, "vol-later", "snap-1", CreateTime=AFTERWARDS)
    run(aws, ROW.event)
    assert aws.tags[volume("vol-later")] == {}


def test_one_volume_without_known_tags_does_not_keep_the_others_from_theirs() -> None:
    aws = instance_with_two_volumes()
    del aws.tags[volume("vol-old1")]
    del aws.tags[snapshot("snap-1")]
    with pytest.raises(TagsUnavailableError, match="vol-new1"):
        run(aws, ROW.event)
    assert aws.tags[ROW.created] == {"project": "shop"}
    assert aws.tags[volume("vol-new2")] == {"disk": "data", "backup": "daily"}


def test_several_failures_are_all_named() -> None:
    aws = instance_with_two_volumes()
    aws.denied = {("ec2:CreateTags", "vol-new")}
    with pytest.raises(TagOnRestoreError, match=r"vol-new1.*vol-new2"):
        run(aws, ROW.event)


def test_a_refused_tag_call_is_named_with_its_volume() -> None:
    aws = instance_with_two_volumes()
    aws.denied = {("ec2:CreateTags", "vol-new2")}
    with pytest.raises(CallFailedError, match=r"ec2 create_tags for .*vol-new2.*AccessDenied"):
        run(aws, ROW.event)


def test_many_pages_of_volumes_are_all_found() -> None:
    aws = instance_with_two_volumes()
    aws.page_size = 1
    run(aws, ROW.event)
    assert aws.tags[volume("vol-new2")] == {"disk": "data", "backup": "daily"}


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_a_terminated_source_instance_counts_as_gone(state: str) -> None:
    aws = estate(ROW, {"project": "half gone"})
    aws.attributes[ROW.original]["State"] = {"Name": state}
    run(aws, ROW.event)
    assert aws.tags[ROW.created] == {"from": "recovery point"}


def test_a_deleted_source_volume_counts_as_gone() -> None:
    (row,) = (row for row in ROWS if row.name == "ebs")
    aws = estate(row, {"project": "half gone"})
    aws.attributes[row.original]["State"] = "deleting"
    run(aws, row.event)
    assert aws.tags[row.created] == {"from": "recovery point"}
