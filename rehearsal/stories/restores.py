"""Restores in a member account: does the deployed TagOnRestore, started by the event, put the tags back?

And if it may not: does the account hear of it, and does the sweep mend it?
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from buildspecs.names import MEMBER_ROLE, MEMBER_VAULT, TAG_FUNCTION, TAG_ROLE
from rehearsal.emulator import Denied, Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization import logs, rules
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Holding, Journal, describe
from rehearsal.stories.restore_cases import (
    EXCLUDED,
    ITSELF,
    NOT_COPIED,
    RESTORES,
    TABLE,
    TAGS,
    VOLUME,
    Place,
    Restore,
    Tags,
)

# An option for the operator's file: it reaches the function in each account through SSM and a StackSet.
OPTIONS: Final = {"TagsToExcludeInCopy": f"aws:backup:source-resource, {EXCLUDED}"}
FAILURE_QUEUE: Final = "TagOnRestoreFailures"
FAILURE_ALARM: Final = "TagOnRestoreFailures"
SWEEP_ALARM: Final = "TagOnRestoreSweep"
SWEEP: Final = {"RefreshTagItems": "true"}
DENIED_ACTION: Final = "dynamodb:TagResource"
_DENIAL: Final = "denied-by-the-accounts-administrator"
_NAME: Final = "payroll-restored"
_WAIT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05
_LOG_LINES: Final = 15
# One lost run must do no harm: docs/decisions/024-sweep.md.
_RUNS_IN_LOOK_BACK: Final = 2


@dataclass(frozen=True)
class Backup:
    """A backup of a resource; `arn` is the recovery point."""

    restore: Restore
    source: str
    arn: str


def rehearse(emulator: Emulator, organization: Organization, journal: Journal) -> None:
    """The story of all restores, step by step. Raises OutcomeError at the first thing that is wrong."""
    plan = organization.plan
    account = plan.accounts.members[0]
    elsewhere = next((region for region in plan.regions if region != plan.home_region), plan.home_region)
    home = Place(emulator, account, plan.home_region)
    other = Place(emulator, account, elsewhere)
    if home != other:
        for restore in (TABLE, VOLUME):
            _restored_with_tags(home, restore, journal)
    backups = [_restored_with_tags(other, restore, journal) for restore in RESTORES]
    table = next(backup for backup in backups if backup.restore is TABLE)
    with journal.step(f"restore test in {other}: {TABLE.kind}") as step:
        arn = leaves_a_test_alone(other, table, "payroll-tested")
        step.summary = f"{_short(arn)} is left as it is"
    _denial_and_repair(other, table, backups, journal)


def _restored_with_tags(place: Place, restore: Restore, journal: Journal) -> Backup:
    with journal.step(f"restore in {place}: {restore.title}") as step:
        backup = back_up(place, restore)
        _, created = start(place, backup, _NAME)
        wait_for_tags(place, restore, created)
        parts = f" and its {len(restore.expected) - 1} volumes have" if len(restore.expected) > 1 else " has"
        step.summary = f"{_short(created)}{parts} the tags back"
        accounts = place.emulator.accounts.ids_by_name()
        name = next(name for name, account in accounts.items() if account == place.account)
        journal.holdings.append(
            Holding(name, place.account, place.region, "restored, with its tags", created)
        )
    return backup


def _denial_and_repair(place: Place, backup: Backup, tagged: Sequence[Backup], journal: Journal) -> None:
    """tagged: all whose restores in the place have their tags; backup: the one of them that is denied."""
    with (
        journal.announced(refused_for(place, DENIED_ACTION)) as refused,
        journal.step(f"denied in account {place.account}: {DENIED_ACTION} for {TAG_ROLE}") as step,
    ):
        with denied(place, DENIED_ACTION):
            job, created = start(place, backup, "payroll-untagged")
            reason = failure(place, job)
        if not (calls := refused()):
            raise OutcomeError(f"{created} got no tags, but {DENIED_ACTION} was not refused: {reason}")
        if created not in reason or DENIED_ACTION not in reason:
            raise OutcomeError(f"the reason in {FAILURE_QUEUE} names neither resource nor call: {reason}")
        if (tags := backup.restore.tags(place, created)) != {ITSELF: {}}:
            raise OutcomeError(f"{created} has the tags {tags} although {DENIED_ACTION} was refused.")
        step.say(f"{len(calls)} times {describe(calls[0])}")
        step.say(f"in {FAILURE_QUEUE}: {reason}")
        step.say(alarm(place))
        step.summary = "kept in the dead-letter queue, with the reason"
    with journal.step(f"daily sweep in {place}, the permission being back") as step:
        counts = {"Tagged": 1, "Unchanged": len(tagged), "Skipped": 1, **_origins([*tagged, backup])}
        step.say(scheduled_sweep(place, {_metric(TAG_FUNCTION, name, ()): n for name, n in counts.items()}))
        wait_for_tags(place, backup.restore, created)
        purge(place)
        step.summary = f"{_short(created)} has the tags back"
    with journal.step(f"sweep by hand in {place}") as step:
        step.summary = sweep(place, {"unchanged": len(tagged) + 1, "skipped": 1})


def _origins(backups: Sequence[Backup]) -> Counter[str]:
    """Where the tags of the restored resources and their parts came from, in the metrics' words. Pure."""
    counts: Counter[str] = Counter()
    for restore in (backup.restore for backup in backups):
        counts["FromRecoveryPointSourceGone" if restore.remove else "FromSource"] += len(restore.expected)
        counts["TagsWithheld"] += len(restore.withheld)
    return counts


# -- one thing each ------------------------------------------------------------------------------------------


def back_up(place: Place, restore: Restore) -> Backup:
    """Make one resource and a backup of it; then the source goes where the row says so."""
    source = restore.create(place)
    own = {"recovery_point": restore.snapshot(place, source)} if restore.snapshot else {}
    point = place.emulator.control(
        "create-recovery-point",
        account=place.account,
        region=place.region,
        vault=MEMBER_VAULT,
        resource=source,
        resource_type=restore.kind,
        tags={**TAGS, **NOT_COPIED, "aws:backup:source-resource": source},
        **own,
    )["RecoveryPointArn"]
    if restore.remove:
        restore.remove(place, source)
    return Backup(restore, source, point)


def start(place: Place, backup: Backup, name: str, testing_plan: str | None = None) -> tuple[str, str]:
    """Restore under a name, and wait for the job. Returns its id and the ARN of what it made.

    testing_plan: the ARN of the restore testing plan on whose behalf AWS Backup restores.
    """
    request = {
        "RecoveryPointArn": backup.arn,
        "IamRoleArn": f"arn:aws:iam::{place.account}:role/{MEMBER_ROLE}",
        "ResourceType": backup.restore.kind,
        "Metadata": dict(backup.restore.metadata(place, backup.source, name)),
    }
    client = place.client("backup")
    if testing_plan is None:
        job = client.start_restore_job(**request)["RestoreJobId"]
    else:
        job = place.emulator.control(
            "start-restore",
            account=place.account,
            region=place.region,
            request=request,
            testing_plan=testing_plan,
        )

    def ended() -> Any:
        found = client.describe_restore_job(RestoreJobId=job)
        return found if found["Status"] in ("COMPLETED", "FAILED", "ABORTED") else None

    found = _eventually(ended, lambda: OutcomeError(f"restore job {job} has not ended in time."))
    if found["Status"] != "COMPLETED":
        raise OutcomeError(f"restore job {job} {found['Status']}: {found.get('StatusMessage', '')}")
    return str(job), str(found["CreatedResourceArn"])


def wait_for_tags(place: Place, restore: Restore, created: str) -> None:
    """Until the restored resource and its parts have the tags of the source, and no others.

    Raises OutcomeError with the end of the function's log.
    """

    def differing() -> Iterator[str]:
        found = restore.tags(place, created)
        for part, expected in restore.expected.items():
            if (tags := found.get(part, {})) != expected:
                what = created if part == ITSELF else f"{part} of {created}"
                yield f"{what} was restored but has the tags {dict(tags) or 'none'} instead of {expected}."

    _eventually(
        lambda: not list(differing()),
        lambda: OutcomeError(*differing(), *_end_of_log(place)),
    )


def leaves_a_test_alone(place: Place, backup: Backup, name: str) -> str:
    """A restore that tests a backup gets no tags: they would enrol the copy in backups. Returns its ARN."""
    plan = place.arn("backup", "restore-testing-plan:monthly-test")
    before: dict[str, Tags] = {ITSELF: {}}
    job, created = start(place, backup, name, testing_plan=plan)

    def told() -> bool:
        log = logs.of_function(place.emulator, place.account, place.region, TAG_FUNCTION)
        return any(job in line and '"skipped"' in line for line in log)

    _eventually(
        told,
        lambda: OutcomeError(
            f"{TAG_FUNCTION} has not said that it skips restore job {job}, a restore test.",
            *_end_of_log(place),
        ),
    )
    if (tags := backup.restore.tags(place, created)) != before:
        raise OutcomeError(f"{created} is a restore test, but {TAG_FUNCTION} gave it the tags {tags}.")
    return created


@contextmanager
def denied(place: Place, action: str) -> Iterator[None]:
    """An administrator of the account takes a permission away from the function's role, for a while."""
    iam = place.client("iam")
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=TAG_ROLE, PolicyName=_DENIAL, PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=TAG_ROLE, PolicyName=_DENIAL)


def refused_for(place: Place, action: str) -> Callable[[Denied], bool]:
    """Whether a refused call is one of those that `denied` announces."""
    role = f":sts::{place.account}:assumed-role/{TAG_ROLE}/"
    return lambda entry: (
        entry.action == action and entry.account == place.account and role in f"{entry.principal}/"
    )


def failure(place: Place, job: str) -> str:
    """The reason in the dead-letter queue for which a job's event failed. Raises OutcomeError."""
    sqs = place.client("sqs")
    queue = sqs.get_queue_url(QueueName=FAILURE_QUEUE)["QueueUrl"]

    def message() -> Any:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        bodies = [json.loads(entry["Body"]) for entry in received.get("Messages", [])]
        return next((body for body in bodies if job in json.dumps(body)), None)

    found = _eventually(
        message,
        lambda: OutcomeError(
            f"the event of restore job {job} failed, but is not in the queue {FAILURE_QUEUE}, {place}.",
            *_end_of_log(place),
        ),
    )
    return str((found.get("responsePayload") or {}).get("errorMessage") or "no reason given")


def alarm(place: Place) -> str:
    """What the alarm watches, in words. Raises OutcomeError unless what is in the queue sets it off."""
    sqs, cloudwatch = place.client("sqs"), place.client("cloudwatch")
    queue = sqs.get_queue_url(QueueName=FAILURE_QUEUE)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    waiting = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    alarms = cloudwatch.describe_alarms(AlarmNames=[FAILURE_ALARM])["MetricAlarms"]
    watched = [
        one
        for one in alarms
        if (one["Namespace"], one["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
        and {"Name": "QueueName", "Value": FAILURE_QUEUE} in one["Dimensions"]
        and one["ComparisonOperator"] == "GreaterThanThreshold"
        and waiting > one["Threshold"]
    ]
    if not watched:
        raise OutcomeError(
            f"{waiting} messages in {FAILURE_QUEUE} set off no alarm {FAILURE_ALARM} in {place}."
        )
    return f"{waiting} in {FAILURE_QUEUE}: above the {watched[0]['Threshold']:.0f} of alarm {FAILURE_ALARM}"


def scheduled_sweep(place: Place, expected: Mapping[str, int]) -> str:
    """It is time for the schedule that starts the function: its rule sends what it holds. Tells what it did.

    Raises OutcomeError unless the sweep writes the metrics that are expected (all others 0), and among them
    the one that its alarm watches.
    """
    where = (place.emulator, place.account, place.region)
    started = rules.starting(*where, f":function:{TAG_FUNCTION}")
    schedules = [each for each in started if each.schedule and each.enabled]
    if len(schedules) != 1:
        raise OutcomeError(
            f"{len(schedules)} enabled schedules start {TAG_FUNCTION} in {place}, instead of one.",
            *map(str, started),
        )
    rule, sent = schedules[0], str(schedules[0].target.get("Input", "{}"))
    before = len(_metrics(place))
    _covered(rule, sent, rules.run(*where, rule.name))
    found = _eventually(
        lambda: _metrics(place)[before:],
        lambda: OutcomeError(
            f"{TAG_FUNCTION} has not swept: rule {rule.name}, {rule.schedule}, sent it {sent}",
            *_end_of_log(place),
        ),
    )[0]
    if (watched := _watched(place)) not in found:
        raise OutcomeError(
            f"alarm {SWEEP_ALARM} in {place} watches {watched}, but a sweep writes {', '.join(found)}."
        )
    if {name: count for name, count in found.items() if count} != expected:
        raise OutcomeError(
            f"the sweep in {place} counted {found} instead of {dict(expected)}.", *_end_of_log(place)
        )
    return f"rule {rule.name}, {rule.schedule}, sent {sent}"


def _covered(rule: rules.Started, sent: str, pause: timedelta) -> None:
    """Raises OutcomeError unless a sweep reaches back over a lost run."""
    back = looks_back(sent)
    if back is not None and pause * _RUNS_IN_LOOK_BACK > back:
        raise OutcomeError(
            f"rule {rule.name}, {rule.schedule}, runs every {pause}, and each sweep looks back {back}: "
            f"it has to look back over {_RUNS_IN_LOOK_BACK} runs, so that a lost one does no harm."
        )


def looks_back(sent: str) -> timedelta | None:
    """The period before now that a sweep's input names; None: all that AWS Backup remembers. Pure."""
    since = re.fullmatch(r"P(?:(\d+)D)?(?:T(\d+)H)?", json.loads(sent).get("since", ""))
    return timedelta(days=int(since[1] or 0), hours=int(since[2] or 0)) if since else None


def _watched(place: Place) -> str:
    """The metric that the alarm of the sweep watches."""
    alarms = place.client("cloudwatch").describe_alarms(AlarmNames=[SWEEP_ALARM])["MetricAlarms"]
    if not alarms:
        raise OutcomeError(f"there is no alarm {SWEEP_ALARM} in {place}.")
    names = [dimension["Name"] for dimension in alarms[0]["Dimensions"]]
    return _metric(alarms[0]["Namespace"], alarms[0]["MetricName"], names)


def _metrics(place: Place) -> list[dict[str, int]]:
    """What CloudWatch reads from the function's log, a line in the embedded metric format each."""
    log = logs.of_function(place.emulator, place.account, place.region, TAG_FUNCTION)
    documents = [json.loads(line) for line in log if '"CloudWatchMetrics"' in line]
    return [
        {
            _metric(directive["Namespace"], metric["Name"], dimensions): document[metric["Name"]]
            for directive in document["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]
            for dimensions in directive["Dimensions"]
        }
        for document in documents
    ]


def _metric(namespace: str, name: str, dimensions: Iterable[str]) -> str:
    return " ".join([namespace, name, *(f"by {dimension}" for dimension in sorted(dimensions))])


def sweep(place: Place, expected: Mapping[str, int]) -> str:
    """Have the function look at all restore jobs again; returns its counts in words.

    Raises OutcomeError unless it finishes with the counts that are expected (kinds left out: none).
    """
    invoked = place.client("lambda").invoke(FunctionName=TAG_FUNCTION, Payload=json.dumps(SWEEP))
    answer = json.loads(invoked["Payload"].read())
    kinds = ("tagged", "unchanged", "skipped", "unsupported", "failed")
    counts = {kind: answer.get(kind) for kind in kinds}
    if not answer.get("finished") or counts != {kind: expected.get(kind, 0) for kind in kinds}:
        raise OutcomeError(
            f"the sweep in {place} answered {answer} instead of {dict(expected)}.", *_end_of_log(place)
        )
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def purge(place: Place) -> None:
    """Empty the dead-letter queue, as the alarm's description says once the cause is gone."""
    sqs = place.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=FAILURE_QUEUE)["QueueUrl"])


def _eventually(look: Callable[[], Any], failed: Callable[[], OutcomeError]) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise failed()
        time.sleep(_POLL_SECONDS)
    return found


def _end_of_log(place: Place) -> list[str]:
    if log := logs.of_function(place.emulator, place.account, place.region, TAG_FUNCTION):
        return [f"the end of the log of {TAG_FUNCTION} in {place}:", *log[-_LOG_LINES:]]
    target = f":function:{TAG_FUNCTION}"
    why, *started = rules.why_not_started(place.emulator, place.account, place.region, target)
    return [f"the function {TAG_FUNCTION} was not started: {why}", *started]


def _short(arn: str) -> str:
    return arn.split(":", 5)[5]
