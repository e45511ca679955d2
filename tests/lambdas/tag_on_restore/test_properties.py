"""Any event at all ends in a clear outcome; any tags at all in a plan that AWS accepts."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tag_on_restore.errors import TagOnRestoreError
from tag_on_restore.event import SweepRequest, parse
from tag_on_restore.outcome import Outcome
from tag_on_restore.tags import TAG_LIMIT, Exclusions, plan, reserved

from tests.generated import examples
from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, REGION, FakeAws
from tests.lambdas.tag_on_restore.resources import EVENTS, ROWS
from tests.lambdas.tag_on_restore.situations import NOW, run

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
PARTITION = st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "", "azure"])
SERVICE = st.sampled_from(
    sorted({row.created.split(":")[2] for row in ROWS} | {"cloudformation", "backup", "quantum", "", "S3"})
)
RESOURCE = st.sampled_from([row.created.split(":", 5)[5] for row in ROWS]) | st.text(max_size=30)
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
STATUS = st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CREATED", "completed", ""])
REAL = [json.loads(path.read_text()) for path in sorted(EVENTS.glob("restore-job-*.json"))]


@st.composite
def events(draw: st.DrawFn) -> Any:
    """A real event with some fields taken out, exchanged or filled with anything."""
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


def account() -> FakeAws:
    """An account in which every restored resource, source and recovery point of the table exists."""
    aws = FakeAws()
    for row in ROWS:
        aws.add(row.created, {"own": "x"})
        aws.add(row.original, {"project": "shop"})
        aws.add(row.recovery_point, {"project": "shop"})
    return aws


def outcome_of(event: Any, aws: FakeAws) -> Outcome | SweepRequest | TagOnRestoreError:
    """How the event ends."""
    try:
        request = parse(event, NOW)
        return request if isinstance(request, SweepRequest) else run(aws, event)
    except TagOnRestoreError as error:
        return error


@examples(thorough=5000)
@given(events())
def test_every_event_has_a_clear_outcome_and_a_second_run_changes_nothing(event: Any) -> None:
    aws = account()
    outcome = outcome_of(event, aws)
    assert str(outcome) if isinstance(outcome, TagOnRestoreError | SweepRequest) else outcome.reason
    if aws.writes:
        aws.calls.clear()
        outcome_of(event, aws)
        assert aws.writes == []


@given(JSON)
def test_every_json_document_has_a_clear_outcome(event: Any) -> None:
    assert isinstance(outcome_of(event, account()), TagOnRestoreError)


@given(
    st.dictionaries(st.sampled_from(["RefreshTagItems", "since", "until", "after"]), JSON | st.just("true"))
)
def test_every_sweep_request_is_parsed_or_refused(event: dict[str, Any]) -> None:
    outcome = outcome_of(event, account())
    assert isinstance(outcome, TagOnRestoreError | SweepRequest)
    if isinstance(outcome, SweepRequest):
        assert parse(outcome.payload(), NOW) == outcome


KEYS = st.text(min_size=1, max_size=12) | st.sampled_from(["aws:x", "AWS:y", "Name", "backup"])
TAGS = st.dictionaries(KEYS, st.text(max_size=5), max_size=70)
PATTERNS = st.lists(st.text(max_size=6).filter(lambda text: "," not in text), max_size=3)


@given(TAGS, TAGS, PATTERNS, st.booleans())
def test_any_tags_end_in_a_plan_that_aws_accepts(
    source: dict[str, str], restored: dict[str, str], patterns: list[str], overwrite: bool
) -> None:
    exclusions = Exclusions.parse(",".join(patterns))
    decided = plan(source, restored, exclusions, overwrite)
    after = restored | decided.write
    assert not any(reserved(key) or exclusions.match(key) for key in decided.write)
    assert decided.write.items() <= source.items()
    own = sum(not reserved(key) for key in restored)
    assert sum(not reserved(key) for key in after) <= max(TAG_LIMIT, own)
    assert overwrite or after.items() >= restored.items()
    assert set(after) >= set(restored)
    assert plan(source, after, exclusions, overwrite).write == {}
    assert plan(source, after, exclusions, overwrite).left_out == decided.left_out
