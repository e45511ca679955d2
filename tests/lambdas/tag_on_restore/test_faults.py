"""Whatever goes wrong at whichever call: either the tags are right, or the invocation failed and its retry
sets right."""

from collections.abc import Iterator
from datetime import timedelta

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from tag_on_restore.aws import CONFIG, Aws
from tag_on_restore.errors import CallFailedError, TagOnRestoreError

from tests.lambdas.tag_on_restore import fake_aws
from tests.lambdas.tag_on_restore.fake_aws import MADE, STARTED, FakeAws, Fault, Killed
from tests.lambdas.tag_on_restore.resources import ROWS, Row
from tests.lambdas.tag_on_restore.situations import estate, run
from tests.lambdas.tag_on_restore.test_instance_volumes import instance_with_two_volumes, snapshot, volume

SOURCE = {"project": "shop", "stage": "production", "aws:cloudformation:stack-name": "shop"}
RESTORED = {"stage": "rehearsal"}
RIGHT = {"stage": "rehearsal", "project": "shop"}
FAULTS = {
    name.lower(): getattr(fake_aws, name)
    for name in (
        "THROTTLED",
        "DENIED",
        "NOT_FOUND",
        "SERVER_ERROR",
        "LATE_SERVER_ERROR",
        "KILLED",
        "KILLED_LATE",
    )
}


def ended(aws: FakeAws, row: Row) -> bool:
    """Whether the invocation ended without an error."""
    try:
        run(aws, row.event)
    except (TagOnRestoreError, Killed):
        return False
    return True


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("source", [SOURCE, None], ids=["alive", "gone"])
def test_a_fault_at_any_call_loses_nothing(row: Row, source: dict[str, str] | None, fault: Fault) -> None:
    without_fault = estate(row, source, RESTORED, point=SOURCE)
    assert ended(without_fault, row)
    for position in range(len(without_fault.calls)):
        aws = estate(row, source, RESTORED, point=SOURCE)
        with aws.fault(position, fault):
            if ended(aws, row):
                assert aws.tags[row.created] == RIGHT, f"silently wrong after call {position}"
        assert aws.tags[row.created] in (RESTORED, RIGHT), f"something else was written at call {position}"
        assert ended(aws, row)
        assert aws.tags[row.created] == RIGHT, f"not repaired after call {position}"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("row", [row for row in ROWS if row.age], ids=lambda row: row.name)
@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
def test_a_fault_at_any_call_enrols_nothing_old_in_backups(row: Row, old: bool, fault: Fault) -> None:
    enrolled = RIGHT | {"backup": "daily"}

    def restored() -> FakeAws:
        aws = estate(row, SOURCE | {"backup": "daily"}, RESTORED, point=SOURCE | {"backup": "daily"})
        aws.attributes[row.created]["created_at"] = STARTED - timedelta(days=1) if old else MADE
        return aws

    without_fault = restored()
    assert ended(without_fault, row)
    assert row.age in without_fault.calls
    for position in range(len(without_fault.calls)):
        aws = restored()
        with aws.fault(position, fault):
            ended(aws, row)
        assert aws.tags[row.created] in ((RESTORED, RIGHT) if old else (RESTORED, RIGHT, enrolled))
        assert ended(aws, row)
        assert aws.tags[row.created] == (RIGHT if old else enrolled), f"not repaired after call {position}"


def instance_backed_up_just_now() -> FakeAws:
    """An instance whose backups have the very tags of their sources, so that there is one right result."""
    aws = instance_with_two_volumes()
    (row,) = (row for row in ROWS if row.name == "ec2")
    aws.tags[row.recovery_point] = dict(aws.tags[row.original])
    for number in (1, 2):
        aws.tags[snapshot(f"snap-{number}")] = dict(aws.tags[volume(f"vol-old{number}")])
    return aws


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_at_any_call_loses_no_volume(fault: Fault) -> None:
    (row,) = (row for row in ROWS if row.name == "ec2")
    right = instance_backed_up_just_now()
    assert ended(right, row)
    assert len(right.calls) >= 7
    for position in range(len(right.calls)):
        aws = instance_backed_up_just_now()
        with aws.fault(position, fault):
            if ended(aws, row):
                assert aws.tags == right.tags, f"silently wrong after call {position}"
        assert ended(aws, row)
        assert aws.tags == right.tags, f"not repaired after call {position}"


def calls_of(row: Row) -> list[str]:
    """The calls for the row's job; the last one writes."""
    aws = estate(row, SOURCE, RESTORED)
    assert ended(aws, row)
    return aws.calls


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("name", ["THROTTLED", "SERVER_ERROR", "DENIED"])
def test_a_fault_at_the_write_fails_the_invocation_and_names_the_resource(row: Row, name: str) -> None:
    aws = estate(row, SOURCE, RESTORED)
    with (
        aws.fault(len(calls_of(row)) - 1, getattr(fake_aws, name)),
        pytest.raises(CallFailedError) as failure,
    ):
        run(aws, row.event)
    assert row.created in str(failure.value)
    assert failure.value.code == getattr(fake_aws, name).code


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that botocore makes before it tries again."""
    pauses: list[float] = []
    monkeypatch.setattr(botocore.endpoint.time, "sleep", pauses.append)
    return pauses


class Answer:
    """A raw answer on the wire."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.body


def wire(aws: Aws, answers: list[tuple[int, bytes]]) -> None:
    """Answer DynamoDB's requests one after the other, below botocore's retries."""

    def respond(request: object, **_: object) -> AWSResponse:
        status, body = answers.pop(0)
        if status == 0:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.us-west-2.amazonaws.com")
        return AWSResponse("https://dynamodb.us-west-2.amazonaws.com", status, {}, Answer(body))

    client = fake_aws.new_client("dynamodb", CONFIG)
    client.meta.events.register("before-send.dynamodb.*", respond)
    aws._clients["dynamodb"] = client  # the only way below botocore's retries


GOOD = (200, b'{"Tags": [{"Key": "project", "Value": "shop"}]}')
BAD = {
    "throttled": (400, b'{"__type": "ThrottlingException"}'),
    "unavailable": (503, b"{}"),
    "no answer": (0, b""),
}
TABLE = "arn:aws:dynamodb:us-west-2:444455556666:table/orders"


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_transient_errors_are_retried_inside_the_call(bad: tuple[int, bytes], naps: list[float]) -> None:
    aws = Aws(FakeAws())
    wire(aws, [bad, bad, bad, bad, GOOD])
    assert aws.call("dynamodb", "list_tags_of_resource", TABLE, ResourceArn=TABLE)["Tags"]
    assert len(naps) == 4


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_after_five_attempts_the_invocation_fails(bad: tuple[int, bytes], naps: list[float]) -> None:
    aws = Aws(FakeAws())
    wire(aws, [bad] * 5)
    with pytest.raises(CallFailedError, match=f"dynamodb list_tags_of_resource for {TABLE}"):
        aws.call("dynamodb", "list_tags_of_resource", TABLE, ResourceArn=TABLE)
    assert len(naps) == 4


def test_a_refusal_is_not_retried(naps: list[float]) -> None:
    aws = Aws(FakeAws())
    wire(aws, [(400, b'{"__type": "AccessDeniedException"}')])
    with pytest.raises(CallFailedError):
        aws.call("dynamodb", "list_tags_of_resource", TABLE, ResourceArn=TABLE)
    assert naps == []
