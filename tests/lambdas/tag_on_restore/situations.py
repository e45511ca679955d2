"""What several tests share: an event's way through the function, and an estate to work on."""

from datetime import UTC, datetime
from typing import Any

from tag_on_restore import restore
from tag_on_restore.aws import Aws
from tag_on_restore.event import RestoreJob, parse
from tag_on_restore.outcome import Outcome
from tag_on_restore.settings import Settings

from tests.lambdas.tag_on_restore.fake_aws import FakeAws
from tests.lambdas.tag_on_restore.resources import Row

NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
SETTINGS = Settings.from_environment({})


def run(aws: FakeAws, event: dict[str, Any], settings: Settings = SETTINGS) -> Outcome:
    """What the function does with a restore event."""
    job = parse(event, NOW)
    assert isinstance(job, RestoreJob)
    return restore.apply(Aws(aws), settings, job)


def estate(
    row: Row,
    source: dict[str, str] | None,
    restored: dict[str, str] | None = None,
    point: dict[str, str] | None = None,
) -> FakeAws:
    """An account with the restored resource, its recovery point and (unless None) its source."""
    aws = FakeAws()
    aws.add(row.created, restored)
    aws.add(row.recovery_point, {"from": "recovery point"} if point is None else point)
    if source is not None:
        aws.add(row.original, source)
    return aws
