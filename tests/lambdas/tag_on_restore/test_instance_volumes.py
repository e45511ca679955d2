"""An EC2 instance is restored with its volumes; each gets the tags of the volume that it is a copy of."""

from datetime import timedelta

import pytest
from tag_on_restore.errors import CallFailedError, TagOnRestoreError, TagsUnavailableError
from tag_on_restore.result import Origin

from tests.lambdas.tag_on_restore.accounts import (
    account_with,
    attach,
    instance_with_two_volumes,
    instance_with_volumes,
    run,
    snapshot,
    volume,
)
from tests.lambdas.tag_on_restore.fake_aws import COMPLETED
from tests.lambdas.tag_on_restore.restored_types import BY_NAME

INSTANCE = BY_NAME["ec2"]


@pytest.mark.parametrize(("source", "most"), [({"disk": "0"}, 5), (None, 6)], ids=["exists", "deleted"])
@pytest.mark.parametrize("sets", [1, 2, 5, 40])
@pytest.mark.parametrize("volumes", [2, 40])
def test_the_number_of_calls_depends_on_the_sets_of_tags_and_not_on_the_volumes(
    volumes: int, sets: int, source: dict[str, str] | None, most: int
) -> None:
    aws = instance_with_volumes([{"disk": str(number % sets)} for number in range(volumes)], source)
    run(aws, INSTANCE.event)
    assert [aws.tags[volume(f"vol-new{number}")] for number in range(1, volumes + 1)] == [
        {"disk": str(number % sets)} for number in range(volumes)
    ]
    different = len(
        {tuple(aws.tags[arn].items()) for arn in aws.tags if "-new" in arn or arn == INSTANCE.created}
    )
    assert aws.calls.count("ec2:CreateTags") == different
    assert len(aws.calls) <= most + different


def test_more_volumes_than_a_filter_allows_are_all_tagged() -> None:
    aws = instance_with_volumes([{"disk": "data"}] * 201, {"disk": "data"})
    run(aws, INSTANCE.event)
    assert {tuple(tags.items()) for arn, tags in aws.tags.items() if "vol-new" in arn} == {
        (("disk", "data"),)
    }
    assert aws.calls.count("ec2:CreateTags") == 1
    assert aws.calls.count("ec2:DescribeSnapshots") == 2


def test_a_set_of_tags_that_instance_and_volumes_share_is_written_once() -> None:
    aws = instance_with_volumes([{"project": "shop"}] * 3, {"project": "shop"})
    run(aws, INSTANCE.event)
    assert aws.writes == ["ec2:CreateTags"]


def test_only_what_is_missing_is_written_to_each_volume() -> None:
    aws = instance_with_volumes([{"project": "shop", "disk": "data"}] * 3, {"project": "shop"})
    aws.tags[volume("vol-new2")] = {"disk": "kept"}
    aws.tags[volume("vol-new3")] = {"project": "shop", "disk": "data"}
    result = run(aws, INSTANCE.event)
    assert aws.tags[volume("vol-new2")] == {"project": "shop", "disk": "kept"}
    assert result.plans[volume("vol-new3")].write == {}


def test_the_result_says_where_the_tags_of_each_volume_come_from() -> None:
    aws = instance_with_two_volumes()
    del aws.tags[volume("vol-old2")]
    result = run(aws, INSTANCE.event)
    assert result.origins == {
        INSTANCE.created: Origin.SOURCE,
        volume("vol-new1"): Origin.SOURCE,
        volume("vol-new2"): Origin.GONE,
    }
    assert result.reason == "tags copied from the source and from the recovery point (source deleted)"
    assert result.metrics()["FromSource"] == 2
    assert result.metrics()["FromRecoveryPointSourceGone"] == 1


def test_a_copied_snapshot_names_no_source_so_its_own_tags_are_copied() -> None:
    aws = instance_with_two_volumes()
    aws.attributes[snapshot("snap-1")]["VolumeId"] = "vol-ffffffff"
    run(aws, INSTANCE.event)
    assert aws.tags[volume("vol-new1")] == {"disk": "as of backup 1"}


def test_volumes_of_other_instances_are_not_touched() -> None:
    aws = instance_with_two_volumes()
    attach(aws, "vol-other", "snap-1", attached_to="i-0000000000000000f")
    run(aws, INSTANCE.event)
    assert aws.tags[volume("vol-other")] == {}


def test_a_volume_without_a_snapshot_is_not_touched() -> None:
    aws = instance_with_two_volumes()
    attach(aws, "vol-empty", "")
    run(aws, INSTANCE.event)
    assert aws.tags[volume("vol-empty")] == {}


def test_a_volume_created_after_the_restore_is_not_touched() -> None:
    aws = instance_with_two_volumes()
    attach(aws, "vol-later", "snap-1", CreateTime=COMPLETED + timedelta(hours=6))
    run(aws, INSTANCE.event)
    assert aws.tags[volume("vol-later")] == {}


def test_one_volume_without_known_tags_does_not_stop_the_others() -> None:
    aws = instance_with_two_volumes()
    del aws.tags[volume("vol-old1")]
    del aws.tags[snapshot("snap-1")]
    with pytest.raises(TagsUnavailableError, match="vol-new1"):
        run(aws, INSTANCE.event)
    assert aws.tags[INSTANCE.created] == {"project": "shop"}
    assert aws.tags[volume("vol-new2")] == {"disk": "data", "backup": "daily"}


def test_all_failures_are_named() -> None:
    aws = instance_with_two_volumes()
    aws.denied = {("ec2:CreateTags", "vol-new")}
    with pytest.raises(TagOnRestoreError, match=r"vol-new1.*vol-new2"):
        run(aws, INSTANCE.event)


def test_a_denied_call_is_named_with_its_volume() -> None:
    aws = instance_with_two_volumes()
    aws.denied = {("ec2:CreateTags", "vol-new2")}
    with pytest.raises(CallFailedError, match=r"^ec2 create_tags for .*vol-new2.*AccessDenied"):
        run(aws, INSTANCE.event)


def test_every_page_of_volumes_is_read() -> None:
    aws = instance_with_two_volumes()
    aws.page_size = 1
    run(aws, INSTANCE.event)
    assert aws.tags[volume("vol-new2")] == {"disk": "data", "backup": "daily"}


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_a_terminated_source_instance_counts_as_deleted(state: str) -> None:
    aws = account_with(INSTANCE, {"project": "shop"})
    aws.attributes[INSTANCE.source]["State"] = {"Name": state}
    run(aws, INSTANCE.event)
    assert aws.tags[INSTANCE.created] == {"from": "recovery point"}


def test_a_source_volume_that_is_being_deleted_counts_as_deleted() -> None:
    ebs = BY_NAME["ebs"]
    aws = account_with(ebs, {"project": "shop"})
    aws.attributes[ebs.source]["State"] = "deleting"
    run(aws, ebs.event)
    assert aws.tags[ebs.created] == {"from": "recovery point"}
