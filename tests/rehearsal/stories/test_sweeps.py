"""Sweeps: what a schedule sends, what its alarm watches, and the counts of a sweep by hand."""

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from buildspecs.paths import ROOT
from rehearsal.errors import OutcomeError
from rehearsal.organization import stacks
from rehearsal.organization.rules import Trigger
from rehearsal.stories import restore_jobs, sweeps
from rehearsal.stories.member import Member

MEMBER = "444444444444"


class Lambda:
    """An emulator, its session and its clients in one: every invocation returns the same."""

    def __init__(self, response: dict[str, Any]) -> None:
        self._response = response

    def session(self, *_: str) -> "Lambda":
        return self

    def client(self, _service: str) -> "Lambda":
        return self

    def invoke(self, **_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(json.dumps(self._response).encode())}

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"LoggingConfig": {"LogGroup": "g"}}

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        return {"logStreams": [{"logStreamName": "s"}]}

    def get_log_events(self, **_: Any) -> dict[str, Any]:
        return {"events": [{"timestamp": 1, "message": "START"}]}


COUNTS = {"tagged": 1, "unchanged": 6, "skipped": 1, "unsupported": 0, "failed": 0, "finished": True}


def swept(response: dict[str, Any]) -> str:
    emulator: Any = Lambda(response)
    return sweeps.by_hand(Member(MEMBER, "us-east-2", emulator), {"tagged": 1, "unchanged": 6, "skipped": 1})


def test_a_sweep_by_hand_reports_its_counts() -> None:
    assert swept(COUNTS) == "1 tagged, 6 unchanged, 1 skipped, 0 unsupported, 0 failed"


@pytest.mark.parametrize(
    "wrong",
    [
        {**COUNTS, "failed": 1},
        {**COUNTS, "tagged": 0},
        {**COUNTS, "finished": False},
        {"errorMessage": "Task timed out"},
    ],
)
def test_a_sweep_by_hand_with_other_counts_is_a_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(OutcomeError, match=r"the sweep in account 444444444444, us-east-2 returned"):
        swept(wrong)


TEMPLATES = ROOT / "templates/member-account"
TEMPLATE = TEMPLATES / "aws-backup-tagonrestore.yaml"
HERE = "us-east-1"  # the other tests use another Region, with resources of the same names
PARAMETERS = {
    "HomeAccountId": MEMBER,
    "PackageBucketPrefix": "packages",
    "DeployedPackage": f"aws-backup-tagonrestore-{'0' * 16}.zip",
}


@pytest.fixture(scope="module")
def scheduled(member: Member) -> Member:
    """The function as the repository has it, with its schedule, in an account where nothing was restored."""
    there = Member(MEMBER, HERE, member.emulator)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((ROOT / "lambdas/tag_on_restore").glob("*.py")):
            archive.write(path, f"tag_on_restore/{path.name}")
    bucket = f"packages-{MEMBER}-{HERE}"
    there.client("s3").create_bucket(Bucket=bucket)
    there.client("s3").put_object(Bucket=bucket, Key=PARAMETERS["DeployedPackage"], Body=packed.getvalue())
    role = (TEMPLATES / "aws-backup-tagonrestore-role.yaml").read_text()
    stacks.deploy(
        there.client("cloudformation"),
        stacks.Deployment("role", role, capabilities=["CAPABILITY_NAMED_IAM"]),
        str(there),
    )
    return there


def deploy(member: Member, old: str = "", new: str = "") -> None:
    """The function's template, changed in one member."""
    text = TEMPLATE.read_text()
    assert not old or text.count(old) == 1, f"{TEMPLATE.name} does not hold this once: {old}"
    deployment = stacks.Deployment(
        "aws-backup-tagonrestore", text.replace(old, new) if old else text, PARAMETERS
    )
    stacks.deploy(member.client("cloudformation"), deployment, str(member))


def test_a_schedule_starts_the_sweep_with_what_the_deployed_rule_holds(scheduled: Member) -> None:
    deploy(scheduled)
    done = sweeps.scheduled(scheduled, {})
    assert re.fullmatch(
        r'rule \S+, rate\(1 day\), sent \{"RefreshTagItems": "true", "since": "P2D"\}', done
    ), done
    with pytest.raises(
        OutcomeError, match=r"the sweep in account .* counted .* instead of \{'TagOnRestore Ta"
    ):
        sweeps.scheduled(scheduled, {"Tagged": 1})


MISSPELLED = '{"RefreshTagItem": "true", "since"'


@pytest.mark.parametrize(
    ("old", "new", "seconds", "reason"),
    [
        (
            '{"RefreshTagItems": "true", "since"',
            MISSPELLED,
            0.2,
            rf"has not swept: rule .*, rate\(1 day\), sent it {MISSPELLED}",
        ),
        (
            "Name: SweepProblems",
            "Name: SweepProblem",
            20.0,
            r"watches TagOnRestore SweepProblem, but a sweep writes",
        ),
        ("State: !Ref SweepState", "State: DISABLED", 0.0, r"0 enabled schedules start TagOnRestore"),
    ],
)
def test_a_schedule_that_sweeps_nothing_and_an_alarm_that_watches_nothing_are_faults(
    scheduled: Member, monkeypatch: pytest.MonkeyPatch, old: str, new: str, seconds: float, reason: str
) -> None:
    monkeypatch.setattr(restore_jobs, "_WAIT_SECONDS", seconds)
    deploy(scheduled, old, new)
    with pytest.raises(OutcomeError, match=reason):
        sweeps.scheduled(scheduled, {})


DAY = timedelta(days=1)
DAILY = Trigger({"Name": "daily", "ScheduleExpression": "rate(1 day)", "State": "ENABLED"}, {}, 0)


@pytest.mark.parametrize(("since", "pause"), [("P2D", DAY), ("P1DT6H", DAY / 2), (None, 7 * DAY)])
def test_a_sweep_that_looks_back_over_two_runs_or_over_everything_is_right(
    since: str | None, pause: timedelta
) -> None:
    sweeps.check_look_back(DAILY, json.dumps({"since": since} if since else {}), pause)


@pytest.mark.parametrize(
    ("since", "pause", "reason"),
    [
        ("P2D", 7 * DAY, r"runs every 7 days.* looks back 2 days"),
        ("PT30H", DAY, r"rule daily, rate\(1 day\), runs every 1 day.* looks back 1 day, 6:00:00"),
    ],
)
def test_a_sweep_that_does_not_look_back_over_two_runs_is_a_fault(
    since: str, pause: timedelta, reason: str
) -> None:
    with pytest.raises(OutcomeError, match=reason):
        sweeps.check_look_back(DAILY, json.dumps({"since": since}), pause)
