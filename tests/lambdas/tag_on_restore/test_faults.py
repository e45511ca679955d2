"""Whichever call fails: either the tags are right, or the invocation fails and its retry repairs them.

The builds run with three of the faults, `make test` with all.
"""

from collections.abc import Iterator
from datetime import timedelta

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from tag_on_restore.aws import CONFIG, Aws
from tag_on_restore.errors import CallFailedError, TagOnRestoreError

from tests.generated import IN_CODEBUILD
from tests.lambdas.tag_on_restore import fake_aws
from tests.lambdas.tag_on_restore.accounts import (
    account_with,
    instance_with_two_volumes,
    run,
    snapshot,
    table,
    volume,
)
from tests.lambdas.tag_on_restore.fake_aws import CREATED, STARTED, FakeAws, Fault, Killed
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, RESTORED_TYPES, RestoredType

SOURCE = {"project": "shop", "stage": "production", "aws:cloudformation:stack-name": "shop"}
RESTORED = {"stage": "rehearsal"}
RIGHT = {"stage": "rehearsal", "project": "shop"}
FAULTS = {
    name.lower(): getattr(fake_aws, name)
    for name in ("NOT_FOUND", "DENIED", "LATE_SERVER_ERROR")
    + (() if IN_CODEBUILD else ("THROTTLED", "SERVER_ERROR", "KILLED", "KILLED_LATE"))
}
EACH_FAULT = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


def succeeds(aws: FakeAws, each: RestoredType) -> bool:
    """Whether the invocation ends without an error."""
    try:
        run(aws, each.event)
    except (TagOnRestoreError, Killed):
        return False
    return True


def calls_without_fault(aws: FakeAws, each: RestoredType) -> int:
    assert succeeds(aws, each)
    return len(aws.calls)


@EACH_FAULT
def test_a_fault_at_any_call_loses_no_tags(fault: Fault) -> None:
    for each in RESTORED_TYPES:
        for source in (SOURCE, None):
            for position in range(
                calls_without_fault(account_with(each, source, RESTORED, recovery_point=SOURCE), each)
            ):
                at = f"{each.name}, source {'deleted' if source is None else 'exists'}, call {position}"
                aws = account_with(each, source, RESTORED, recovery_point=SOURCE)
                with aws.fault(position, fault):
                    if succeeds(aws, each):
                        assert aws.tags[each.created] == RIGHT, f"silently wrong: {at}"
                assert aws.tags[each.created] in (RESTORED, RIGHT), f"something else was written: {at}"
                assert succeeds(aws, each), f"the retry fails: {at}"
                assert aws.tags[each.created] == RIGHT, f"not repaired: {at}"


@EACH_FAULT
@pytest.mark.parametrize("old", [True, False], ids=["existing", "new"])
def test_a_fault_at_any_call_selects_no_existing_resource_for_backup(old: bool, fault: Fault) -> None:
    selected = RIGHT | {"backup": "daily"}

    def restored(each: RestoredType) -> FakeAws:
        source = SOURCE | {"backup": "daily"}
        aws = account_with(each, source, RESTORED, recovery_point=source)
        aws.attributes[each.created]["created_at"] = STARTED - timedelta(days=1) if old else CREATED
        return aws

    for each in (each for each in RESTORED_TYPES if each.reads_date):
        for position in range(calls_without_fault(restored(each), each)):
            at = f"{each.name}, call {position}"
            aws = restored(each)
            with aws.fault(position, fault):
                succeeds(aws, each)
            assert aws.tags[each.created] in ((RESTORED, RIGHT) if old else (RESTORED, RIGHT, selected)), at
            assert succeeds(aws, each), f"the retry fails: {at}"
            assert aws.tags[each.created] == (RIGHT if old else selected), f"not repaired: {at}"


def instance_backed_up_just_now() -> FakeAws:
    """An instance whose backups have the tags of their sources, so that only one result is right."""
    aws = instance_with_two_volumes()
    instance = BY_NAME["ec2"]
    aws.tags[instance.recovery_point] = dict(aws.tags[instance.source])
    for number in (1, 2):
        aws.tags[snapshot(f"snap-{number}")] = dict(aws.tags[volume(f"vol-old{number}")])
    return aws


@EACH_FAULT
def test_a_fault_at_any_call_loses_no_tags_of_a_volume(fault: Fault) -> None:
    instance = BY_NAME["ec2"]
    right = instance_backed_up_just_now()
    assert calls_without_fault(right, instance) >= 7
    for position in range(len(right.calls)):
        aws = instance_backed_up_just_now()
        with aws.fault(position, fault):
            if succeeds(aws, instance):
                assert aws.tags == right.tags, f"silently wrong after call {position}"
        assert succeeds(aws, instance)
        assert aws.tags == right.tags, f"not repaired after call {position}"


@pytest.mark.parametrize("name", ["THROTTLED", "SERVER_ERROR", "DENIED"])
def test_a_fault_at_the_write_fails_the_invocation_and_names_the_resource(name: str) -> None:
    fault = getattr(fake_aws, name)
    for each in RESTORED_TYPES:
        last = calls_without_fault(account_with(each, SOURCE, RESTORED), each) - 1
        aws = account_with(each, SOURCE, RESTORED)
        with aws.fault(last, fault), pytest.raises(CallFailedError) as failure:
            run(aws, each.event)
        assert each.created in str(failure.value)
        assert failure.value.code == fault.code


@pytest.fixture
def pauses_made(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that botocore makes before it retries."""
    pauses: list[float] = []
    monkeypatch.setattr(botocore.endpoint.time, "sleep", pauses.append)
    return pauses


class Body:
    """The body of an HTTP response."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.content


def respond_with(aws: Aws, responses: list[tuple[int, bytes]]) -> None:
    """Return these responses of DynamoDB one after the other, below botocore's retries."""

    def respond(request: object, **_: object) -> AWSResponse:
        status, body = responses.pop(0)
        if status == 0:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.us-west-2.amazonaws.com")
        return AWSResponse("https://dynamodb.us-west-2.amazonaws.com", status, {}, Body(body))

    client = fake_aws.new_client("dynamodb", CONFIG)
    client.meta.events.register("before-send.dynamodb.*", respond)
    aws._clients["dynamodb"] = client  # the only way below botocore's retries


GOOD = (200, b'{"Tags": [{"Key": "project", "Value": "shop"}]}')
BAD = {
    "throttled": (400, b'{"__type": "ThrottlingException"}'),
    "unavailable": (503, b"{}"),
    "no response": (0, b""),
}
TABLE = table("orders")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_transient_errors_are_retried_inside_the_call(
    bad: tuple[int, bytes], pauses_made: list[float]
) -> None:
    aws = Aws(FakeAws())
    respond_with(aws, [bad, bad, bad, bad, GOOD])
    assert aws.call("dynamodb", "list_tags_of_resource", TABLE, ResourceArn=TABLE)["Tags"]
    assert len(pauses_made) == 4


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_after_five_attempts_the_invocation_fails(bad: tuple[int, bytes], pauses_made: list[float]) -> None:
    aws = Aws(FakeAws())
    respond_with(aws, [bad] * 5)
    with pytest.raises(CallFailedError, match=f"dynamodb list_tags_of_resource for {TABLE}"):
        aws.call("dynamodb", "list_tags_of_resource", TABLE, ResourceArn=TABLE)
    assert len(pauses_made) == 4


def test_denied_access_is_not_retried(pauses_made: list[float]) -> None:
    aws = Aws(FakeAws())
    respond_with(aws, [(400, b'{"__type": "AccessDeniedException"}')])
    with pytest.raises(CallFailedError):
        aws.call("dynamodb", "list_tags_of_resource", TABLE, ResourceArn=TABLE)
    assert pauses_made == []
