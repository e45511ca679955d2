"""Every type that AWS Backup restores: where its tags come from, and the calls that this takes."""

from tag_on_restore.arn import Arn
from tag_on_restore.result import Origin, Outcome
from tag_on_restore.taggers import TAGGERS, tagger_for

from tests.lambdas.tag_on_restore.accounts import account_with, add_job, run
from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT
from tests.lambdas.tag_on_restore.restored_types import RESTORED_TYPES, RestoredType

FIFTY = {f"key-{number:02}": str(number) for number in range(50)}


def calls(each: RestoredType, *between: str) -> list[str]:
    """Describe the job, read the restored resource (an instance together with its source, then its volumes),
    the calls `between`, write."""
    volumes = ["ec2:DescribeVolumes"] if each.has_volumes else []
    others = [call for call in between if not (each.has_volumes and call == each.reads)]
    return ["backup:DescribeRestoreJob", each.reads, *volumes, *others, each.writes]


def test_the_tags_of_the_source_are_copied_with_these_calls_and_a_second_run_writes_nothing() -> None:
    for each in RESTORED_TYPES:
        aws = account_with(each, {"project": "shop", "aws:cloudformation:stack-name": "shop"})
        result = run(aws, each.event)
        assert (result.outcome, result.reason) == (Outcome.TAGGED, "tags copied from the source"), each.name
        assert result.origins == {each.created: Origin.SOURCE}, each.name
        assert aws.tags[each.created] == {"project": "shop"}, each.name
        assert aws.calls == calls(each, each.reads_source), each.name
        assert len(aws.clients) == len({call.split(":")[0] for call in aws.calls}), each.name
        aws.calls.clear()
        assert run(aws, each.event).outcome is Outcome.UNCHANGED, each.name
        assert aws.writes == [], each.name


def test_if_the_source_is_deleted_the_tags_of_the_recovery_point_are_copied() -> None:
    for each in RESTORED_TYPES:
        aws = account_with(each, None)
        result = run(aws, each.event)
        assert result.reason == "tags copied from the recovery point (source deleted)", each.name
        assert result.origins == {each.created: Origin.GONE}, each.name
        assert aws.tags[each.created] == {"from": "recovery point"}, each.name
        assert aws.calls == calls(each, each.reads_source, each.reads_recovery_point), each.name


def test_a_source_in_another_account_is_not_read() -> None:
    for each in RESTORED_TYPES:
        source = each.source.replace(ACCOUNT, "999988887777")
        aws = account_with(each, None)
        add_job(aws, each.event, SourceResourceArn=source)
        aws.add(source, {"foreign": "yes"}, owner="999988887777")
        result = run(aws, each.event)
        assert aws.tags[each.created] == {"from": "recovery point"}, each.name
        # The ARN of a bucket does not name its account: S3 is called, and only denies access.
        is_bucket = each.name == "s3"
        assert result.reason == f"tags copied {Origin.UNREADABLE if is_bucket else Origin.ELSEWHERE}"
        reads_source = [each.reads_source] if is_bucket else []
        assert aws.calls == calls(each, *reads_source, each.reads_recovery_point), each.name


def test_every_page_of_the_tags_is_read_and_the_fifty_first_tag_is_left_out() -> None:
    for each in RESTORED_TYPES:
        aws = account_with(each, FIFTY, {"own": "x", "aws:backup:source-resource": "arn"})
        aws.page_size = 20
        result = run(aws, each.event)
        assert result.plans[each.created].left_out == ("key-49",), each.name
        assert len(aws.tags[each.created]) == 51, each.name
        read_together = each.has_volumes or each.reads != each.reads_source
        pages = 3 if each.pages else 1
        assert aws.calls.count(each.reads_source) == pages + (not read_together), each.name


def test_every_page_of_the_recovery_points_tags_is_read() -> None:
    for each in RESTORED_TYPES:
        aws = account_with(each, None, recovery_point=FIFTY)
        aws.page_size = 20
        run(aws, each.event)
        assert aws.tags[each.created] == FIFTY, each.name


def test_every_row_of_the_table_of_taggers_takes_part() -> None:
    arns = [arn for each in RESTORED_TYPES for arn in (each.created, each.source, each.recovery_point)]
    assert {tagger_for(Arn.parse(arn)) for arn in arns} == set(TAGGERS)
