"""Any event has a clear result; any tags give a plan that AWS accepts."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tag_on_restore.errors import TagOnRestoreError
from tag_on_restore.event import SweepRequest, parse
from tag_on_restore.result import Result
from tag_on_restore.tags import MAX_TAGS, Exclusions, plan, reserved

from tests.generated import IN_CODEBUILD, examples
from tests.lambdas.tag_on_restore.accounts import NOW, add_job, run
from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, REGION, FakeAws
from tests.lambdas.tag_on_restore.restored_types import EVENTS, RESTORED_TYPES

# In a new clone, hypothesis takes more than a second to list all of Unicode: only `make test` uses it.
CHARACTERS = st.sampled_from("aZ09 :/*,-_.@é漢\U0001f600\n\0") if IN_CODEBUILD else st.characters()


def text(min_size: int = 0, *, max_size: int) -> st.SearchStrategy[str]:
    return st.text(CHARACTERS, min_size=min_size, max_size=max_size)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
PARTITION = st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "", "azure"])
SERVICE = st.sampled_from(
    sorted(
        {each.created.split(":")[2] for each in RESTORED_TYPES}
        | {"cloudformation", "backup", "quantum", "", "S3"}
    )
)
RESOURCE = st.sampled_from([each.created.split(":", 5)[5] for each in RESTORED_TYPES]) | text(max_size=30)
ARN = st.builds(
    "arn:{}:{}:{}:{}:{}".format,
    PARTITION,
    SERVICE,
    st.sampled_from([REGION, "", "eu-west-1"]),
    st.sampled_from([ACCOUNT, "", "111122223333"]),
    RESOURCE,
)
FIELDS = ("createdResourceArn", "sourceResourceArn", "recoveryPointArn", "resourceType", "status", "state")
MORE_FIELDS = ("restoreJobId", "restoreTestingPlanArn", "isParent", "parentJobId", "completionDate")
JOB_FIELDS = ("CreatedResourceArn", "SourceResourceArn", "RecoveryPointArn", "BackupVaultArn", "Status")
STATUS = st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CREATED", "completed", ""])
REAL = [json.loads(path.read_text()) for path in sorted(EVENTS.glob("restore-job-*.json"))]


@st.composite
def events(draw: st.DrawFn) -> Any:
    """A real event with some fields removed, replaced or filled with anything."""
    event = json.loads(json.dumps(draw(st.sampled_from(REAL))))
    for field in draw(st.lists(st.sampled_from(FIELDS + MORE_FIELDS), max_size=4)):
        match draw(st.integers(0, 2)):
            case 0:
                event["detail"].pop(field, None)
            case 1:
                event["detail"][field] = draw(STATUS if field in ("status", "state") else ARN)
            case 2:
                event["detail"][field] = draw(JSON)
    for field in draw(st.lists(st.sampled_from(sorted(event)), max_size=1)):
        if draw(st.booleans()):
            event[field] = draw(JSON)
    return event


def _jobs() -> dict[str, dict[str, Any]]:
    aws = FakeAws()
    for event in REAL:
        add_job(aws, event)
    return aws.jobs


JOBS = _jobs()


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A real event, and its job with some fields removed or replaced."""
    event = draw(st.sampled_from([event for event in REAL if event["detail"].get("status") == "COMPLETED"]))
    job = dict(JOBS[event["detail"]["restoreJobId"]])
    for field in draw(st.lists(st.sampled_from(JOB_FIELDS), max_size=3)):
        if draw(st.booleans()):
            job.pop(field, None)
        else:
            job[field] = draw(STATUS if field == "Status" else ARN)
    return event, job


def account() -> FakeAws:
    """An account in which the jobs, restored resources, sources and recovery points of all types exist."""
    aws = FakeAws(jobs=dict(JOBS))
    for each in RESTORED_TYPES:
        aws.add(each.created, {"own": "x"})
        aws.add(each.source, {"project": "shop"})
        aws.add(each.recovery_point, {"project": "shop"})
    return aws


def result_of(event: Any, aws: FakeAws) -> Result | SweepRequest | TagOnRestoreError:
    """Handle the event."""
    try:
        request = parse(event, NOW)
        return request if isinstance(request, SweepRequest) else run(aws, event)
    except TagOnRestoreError as error:
        return error


def assert_clear_result_and_nothing_written_by_a_second_run(event: Any, aws: FakeAws) -> None:
    result = result_of(event, aws)
    assert str(result) if isinstance(result, TagOnRestoreError | SweepRequest) else result.reason
    if aws.writes:
        aws.calls.clear()
        result_of(event, aws)
        assert aws.writes == []


@examples(2000)
@given(events())
def test_every_event_has_a_clear_result_and_a_second_run_changes_nothing(event: Any) -> None:
    assert_clear_result_and_nothing_written_by_a_second_run(event, account())


@given(jobs())
def test_every_job_has_a_clear_result_and_a_second_run_changes_nothing(
    event_and_job: tuple[Any, dict[str, Any]],
) -> None:
    event, job = event_and_job
    aws = account()
    aws.jobs[event["detail"]["restoreJobId"]] = job
    assert_clear_result_and_nothing_written_by_a_second_run(event, aws)


@given(events())
def test_an_event_changes_only_what_its_job_created(event: Any) -> None:
    aws = account()
    before = {arn: dict(tags) for arn, tags in aws.tags.items()}
    result_of(event, aws)
    changed = {arn for arn in aws.tags if aws.tags[arn] != before[arn]}
    detail = event.get("detail")
    job = aws.jobs.get(str(detail.get("restoreJobId"))) if isinstance(detail, dict) else None
    assert changed <= ({job.get("CreatedResourceArn")} if job else set())


@given(JSON)
def test_every_json_document_has_a_clear_result(event: Any) -> None:
    assert isinstance(result_of(event, account()), TagOnRestoreError)


@given(
    st.dictionaries(st.sampled_from(["RefreshTagItems", "since", "until", "after"]), JSON | st.just("true"))
)
def test_every_sweep_request_is_parsed_or_refused(event: dict[str, Any]) -> None:
    result = result_of(event, account())
    assert isinstance(result, TagOnRestoreError | SweepRequest)
    if isinstance(result, SweepRequest):
        assert parse(result.payload(), NOW) == result


KEYS = text(1, max_size=12) | st.sampled_from(["aws:x", "AWS:y", "Name", "backup"])
WITHHELD = st.frozensets(KEYS, max_size=3)
TAGS = st.dictionaries(KEYS, text(max_size=5), max_size=70)
PATTERNS = st.lists(text(max_size=6).filter(lambda text: "," not in text), max_size=3)


@given(TAGS, TAGS, PATTERNS, st.booleans(), WITHHELD)
def test_any_tags_end_in_a_plan_that_aws_accepts(
    source: dict[str, str],
    restored: dict[str, str],
    patterns: list[str],
    overwrite: bool,
    withhold: frozenset[str],
) -> None:
    exclusions = Exclusions.parse(",".join(patterns))
    decided = plan(source, restored, exclusions, overwrite, withhold)
    after = restored | decided.write
    assert not any(reserved(key) or exclusions.match(key) for key in decided.write)
    assert withhold.isdisjoint(decided.write)
    assert withhold.issuperset(decided.withheld)
    assert decided.write.items() <= source.items()
    own = sum(not reserved(key) for key in restored)
    assert sum(not reserved(key) for key in after) <= max(MAX_TAGS, own)
    assert overwrite or after.items() >= restored.items()
    assert set(after) >= set(restored)
    assert plan(source, after, exclusions, overwrite, withhold).write == {}
    assert plan(source, after, exclusions, overwrite, withhold).left_out == decided.left_out
    assert plan(source, after, exclusions, overwrite, withhold).withheld == decided.withheld
