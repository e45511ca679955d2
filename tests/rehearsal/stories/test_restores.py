"""Restores: each kind of resource is restored by the emulator's means, and what goes wrong is told."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from buildspecs.names import MEMBER_ROLE, MEMBER_VAULT
from buildspecs.paths import ROOT
from rehearsal.emulator import Accounts, Denied, Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization import stacks
from rehearsal.stories import restores
from rehearsal.stories.restore_cases import ITSELF, NOT_COPIED, RESTORES, TABLE, TAGS, Place, Restore

MEMBER, REGION = "444444444444", "us-east-2"
ACCOUNTS = Accounts("111111111111", "222222222222", "333333333333", (MEMBER,))
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "backup.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A member account with a vault and the role of backups, but without TagOnRestore."""
    folder: Path = tmp_path_factory.mktemp("emulator")
    with Emulator(folder, ACCOUNTS, "us-east-1") as emulator:
        made = Place(emulator, MEMBER, REGION)
        made.client("backup").create_backup_vault(BackupVaultName=MEMBER_VAULT)
        made.client("iam").create_role(RoleName=MEMBER_ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restores, "_WAIT_SECONDS", 0.2)


@pytest.mark.parametrize("restore", RESTORES, ids=lambda restore: restore.title)
def test_what_is_restored_has_every_part_and_no_tags_until_somebody_copies_them(
    place: Place, restore: Restore
) -> None:
    backup = restores.back_up(place, replace(restore, remove=None))
    source = restore.tags(place, backup.source)
    assert source == {
        part: {**tags, **restore.withheld, **NOT_COPIED} for part, tags in restore.expected.items()
    }
    if restore.remove:
        restore.remove(place, backup.source)
    _, created = restores.start(place, backup, "restored-thing")
    assert restore.tags(place, created) == {part: {} for part in restore.expected}
    assert created != backup.source


def table(place: Place, name: str) -> str:
    """The ARN of a new table without tags."""
    made = place.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return str(made["TableDescription"]["TableArn"])


def test_missing_tags_are_told_with_the_resource_and_the_functions_log(place: Place, hasty: None) -> None:
    bare = table(place, "bare")
    with pytest.raises(OutcomeError, match="table/bare was restored but has the tags none") as caught:
        restores.wait_for_tags(place, TABLE, bare)
    assert caught.value.details[-1] == (
        "the function TagOnRestore was not started: no rule has it as target "
        "(in account 444444444444, us-east-2)"
    )


def test_a_rule_that_matches_no_restore_is_named_with_its_pattern(place: Place, hasty: None) -> None:
    """Nothing else tells why nothing happens: AWS drops an event that no rule matches."""
    events = place.client("events")
    pattern = {"source": ["aws.backup"], "detail": {"status": ["COMPLETE"]}}
    events.put_rule(Name="misspelt", EventPattern=json.dumps(pattern))
    function = place.arn("lambda", "function:TagOnRestore")
    events.put_targets(Rule="misspelt", Targets=[{"Id": "it", "Arn": function}])
    with pytest.raises(OutcomeError) as caught:
        restores.wait_for_tags(place, TABLE, table(place, "unnoticed"))
    where = "account 444444444444, us-east-2"
    assert caught.value.details[-2:] == (
        f"the function TagOnRestore was not started: no rule matched an event for it (in {where}):",
        f"rule misspelt (ENABLED) waits for {json.dumps(pattern)}; it has sent on nothing",
    )
    events.remove_targets(Rule="misspelt", Ids=["it"])
    events.delete_rule(Name="misspelt")


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        (TAGS, False),
        ({**TAGS, **NOT_COPIED}, True),
        ({**TAGS, "Name": "invented"}, True),
        ({}, True),
    ],
)
def test_only_exactly_the_tags_of_the_source_are_right(
    place: Place, hasty: None, tags: dict[str, str], wrong: bool
) -> None:
    row = replace(TABLE, tags=lambda _place, _arn: {ITSELF: tags})
    if wrong:
        with pytest.raises(OutcomeError, match=r"instead of \{'backup': 'daily'"):
            restores.wait_for_tags(place, row, "arn:aws:dynamodb:us-east-2:4:table/t")
    else:
        restores.wait_for_tags(place, row, "arn:aws:dynamodb:us-east-2:4:table/t")


REFUSED = Denied(
    time=1.0,
    account=MEMBER,
    principal=f"arn:aws:sts::{MEMBER}:assumed-role/TagOnRestoreFunctionForAWSBackup/TagOnRestore",
    action="dynamodb:TagResource",
    resource="arn:aws:dynamodb:us-east-2:444444444444:table/t",
    reason="explicit deny",
)


@pytest.mark.parametrize(
    ("entry", "planned"),
    [
        (REFUSED, True),
        (replace(REFUSED, action="ec2:CreateTags"), False),
        (replace(REFUSED, account="555555555555"), False),
        (replace(REFUSED, principal=f"arn:aws:sts::{MEMBER}:assumed-role/Another/x"), False),
    ],
)
def test_only_the_call_that_was_taken_away_is_announced(place: Place, entry: Denied, planned: bool) -> None:
    assert restores.refused_for(place, "dynamodb:TagResource")(entry) == planned


class Lambda:
    """Answers every invocation alike."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def session(self, *_: str) -> "Lambda":
        return self

    def client(self, _service: str) -> "Lambda":
        return self

    def invoke(self, **_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(json.dumps(self._answer).encode())}

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"LoggingConfig": {"LogGroup": "g"}}

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        return {"logStreams": [{"logStreamName": "s"}]}

    def get_log_events(self, **_: Any) -> dict[str, Any]:
        return {"events": [{"timestamp": 1, "message": "START"}]}


COUNTS = {"tagged": 1, "unchanged": 6, "skipped": 1, "unsupported": 0, "failed": 0, "finished": True}


def swept(answer: dict[str, Any]) -> str:
    emulator: Any = Lambda(answer)
    return restores.sweep(Place(emulator, MEMBER, REGION), {"tagged": 1, "unchanged": 6, "skipped": 1})


def test_a_sweep_tells_its_counts() -> None:
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
def test_a_sweep_with_other_counts_is_a_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(OutcomeError, match=r"the sweep in account 444444444444, us-east-2 answered"):
        swept(wrong)


TEMPLATES = ROOT / "templates/member-account"
SWEPT = TEMPLATES / "aws-backup-tagonrestore.yaml"
SWEEP_STACK = "aws-backup-tagonrestore"
HERE = "us-east-1"  # another region than that of the other tests, which have things of the same names
PARAMETERS = {
    "HomeAccountId": MEMBER,
    "PackageBucketPrefix": "packages",
    "DeployedPackage": f"aws-backup-tagonrestore-{'0' * 16}.zip",
}


@pytest.fixture(scope="module")
def scheduled(place: Place) -> Place:
    """The function as the repository has it, with its schedule, in an account where nothing was restored."""
    there = Place(place.emulator, MEMBER, HERE)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((TEMPLATES.parents[1] / "lambdas/tag_on_restore").glob("*.py")):
            archive.write(path, f"tag_on_restore/{path.name}")
    bucket = f"packages-{MEMBER}-{HERE}"
    there.client("s3").create_bucket(Bucket=bucket)
    there.client("s3").put_object(Bucket=bucket, Key=PARAMETERS["DeployedPackage"], Body=packed.getvalue())
    role = (TEMPLATES / "aws-backup-tagonrestore-role.yaml").read_text()
    stacks.deploy(
        there.client("cloudformation"),
        stacks.Deployment("role", role, capabilities=["CAPABILITY_NAMED_IAM"]),
        str(there),
        replace_failed=False,
    )
    return there


def sweep_with(place: Place, old: str, new: str, expected: dict[str, int] | None = None) -> str:
    """A daily sweep, the function's template being changed in one place."""
    text = SWEPT.read_text()
    assert text.count(old) == 1, f"{SWEPT.name} holds {text.count(old)} times instead of once: {old}"
    cloudformation = place.client("cloudformation")
    deployment = stacks.Deployment(SWEEP_STACK, text.replace(old, new), PARAMETERS)
    stacks.deploy(cloudformation, deployment, str(place), replace_failed=True)
    return restores.scheduled_sweep(place, expected or {})


def test_a_schedule_starts_the_sweep_with_what_the_deployed_rule_holds(scheduled: Place) -> None:
    told = sweep_with(scheduled, "rate(1 day)", "rate(1 day)")
    assert re.fullmatch(
        r'rule \S+, rate\(1 day\), sent \{"RefreshTagItems": "true", "since": "P2D"\}', told
    ), told


MISSPELT = '{"RefreshTagItem": "true", "since"'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            '{"RefreshTagItems": "true", "since"',
            MISSPELT,
            rf"has not swept: rule .*, rate\(1 day\), sent it {MISSPELT}",
        ),
        ("rate(1 day)", "rate(7 days)", r"rate\(7 days\), runs every 7 days.* looks back 2 days"),
        ("rate(1 day)", "cron(0 5 ? * MON *)", r"runs every 7 days"),
        ('"P2D"', '"PT30H"', r"runs every 1 day.* looks back 1 day, 6:00:00"),
        (
            "Name: SweepProblems",
            "Name: SweepProblem",
            r"watches TagOnRestore SweepProblem, but a sweep writes",
        ),
        (
            "AlarmName: TagOnRestoreSweep",
            "AlarmName: Sweep",
            r"there is no alarm TagOnRestoreSweep in account",
        ),
        ("State: !Ref SweepState", "State: DISABLED", r"0 enabled schedules start TagOnRestore"),
    ],
)
def test_a_schedule_that_sweeps_nothing_is_a_fault(
    scheduled: Place, monkeypatch: pytest.MonkeyPatch, old: str, new: str, reason: str
) -> None:
    monkeypatch.setattr(restores, "_WAIT_SECONDS", 3.0)
    with pytest.raises(OutcomeError, match=reason):
        sweep_with(scheduled, old, new)


def test_a_sweep_that_counts_otherwise_is_a_fault(scheduled: Place) -> None:
    with pytest.raises(
        OutcomeError, match=r"the sweep in account .* counted .* instead of \{'TagOnRestore Ta"
    ):
        sweep_with(scheduled, "rate(1 day)", "rate(12 hours)", {"TagOnRestore Tagged": 1})


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ('{"since": "P2D"}', timedelta(days=2)),
        ('{"since": "P1DT6H"}', timedelta(hours=30)),
        ('{"RefreshTagItems": "true"}', None),
    ],
)
def test_what_a_sweep_looks_back_on_is_read_from_its_input(sent: str, back: timedelta | None) -> None:
    assert restores.looks_back(sent) == back


def test_a_queue_that_no_alarm_watches_is_a_fault(place: Place) -> None:
    sqs, cloudwatch = place.client("sqs"), place.client("cloudwatch")
    queue = sqs.create_queue(QueueName=restores.FAILURE_QUEUE)["QueueUrl"]
    alarm = {
        "AlarmName": restores.FAILURE_ALARM,
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    elsewhere = [{"Name": "QueueName", "Value": "another"}]
    cloudwatch.put_metric_alarm(**alarm, Dimensions=elsewhere)
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    with pytest.raises(OutcomeError, match="1 messages in TagOnRestoreFailures set off no alarm"):
        restores.alarm(place)
    here = [{"Name": "QueueName", "Value": restores.FAILURE_QUEUE}]
    cloudwatch.put_metric_alarm(**alarm, Dimensions=here)
    assert restores.alarm(place) == "1 in TagOnRestoreFailures: above the 0 of alarm TagOnRestoreFailures"
    restores.purge(place)
    with pytest.raises(OutcomeError, match="0 messages"):
        restores.alarm(place)


def test_the_reason_is_read_from_the_message_of_the_job(place: Place, hasty: None) -> None:
    sqs = place.client("sqs")
    queue = sqs.create_queue(QueueName=restores.FAILURE_QUEUE)["QueueUrl"]
    for job, reason in (("job-1", "one"), ("job-2", "two")):
        body = {
            "requestPayload": {"detail": {"restoreJobId": job}},
            "responsePayload": {"errorMessage": reason},
        }
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body))
    assert restores.failure(place, "job-2") == "two"
    with pytest.raises(OutcomeError, match="job-3 failed, but is not in the queue"):
        restores.failure(place, "job-3")
    restores.purge(place)
