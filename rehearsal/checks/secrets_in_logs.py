"""Whether a log of the rehearsal holds a secret: a ResponseURL, a credential, a whole event.

It searches the CloudWatch logs of every account and Region, and the log files of the README's commands, the
builds and the emulator, where a function's output would end up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import Organization

# Secret → how it is recognized.
FORBIDDEN: Final[Mapping[str, re.Pattern[str]]] = {
    "a ResponseURL, with which anyone can respond for the custom resource": re.compile(
        r"ResponseURL|cloudformation-custom-resource-response"
    ),
    "a signed address": re.compile(r"X-Amz-(Signature|Security-Token|Credential)=", re.I),
    "a credential": re.compile(
        r"\b(ASIA|AKIA)[A-Z0-9]{16}\b|(secret_?access_?key|session_?token)[\"']?\s*[=:]\s*[\"']?\w|"
        r"Signature=[0-9a-f]{64}",
        re.I,
    ),
    "a whole event of CloudFormation": re.compile(r"[\"']ResourceProperties[\"']\s*:"),
    "a whole event of AWS Backup": re.compile(r"[\"']detail-type[\"']\s*:"),
}


def check(emulator: Emulator, created: Organization, folder: Path) -> int:
    """The number of lines searched. Raises OutcomeError with each log and the secret that it holds.

    `folder` holds every file of the rehearsal. The message never repeats the line.
    """
    written = [(log, line) for log, lines in cloudwatch(emulator, created) for line in lines]
    if not written:
        raise OutcomeError("no function has written a log, so there was nothing to search.")
    written += [(log, line) for log, lines in files(folder) for line in lines]
    faults = dict.fromkeys(f"{log} holds {what}." for log, line in written for what in secrets_in(line))
    if faults:
        raise OutcomeError(*faults)
    return len(written)


def secrets_in(line: str) -> list[str]:
    """The secrets in a line of a log. Pure."""
    return [what for what, pattern in FORBIDDEN.items() if pattern.search(line)]


def cloudwatch(emulator: Emulator, created: Organization) -> Iterator[tuple[str, Iterable[str]]]:
    """Each log group of every account and Region, with its lines."""
    plan = created.plan
    for name, account in plan.accounts.ids_by_name().items():
        for region in dict.fromkeys([plan.home_region, *plan.regions]):
            client = emulator.session(account, region).client("logs")
            for page in client.get_paginator("describe_log_groups").paginate():
                for group in page["logGroups"]:
                    log = f"log group {group['logGroupName']} of {name}, {region}"
                    yield log, _messages(client, group["logGroupName"])


def _messages(client: Any, group: str) -> Iterator[str]:
    for page in client.get_paginator("filter_log_events").paginate(logGroupName=group):
        for event in page["events"]:
            yield from event["message"].splitlines()


def files(folder: Path) -> Iterator[tuple[str, Iterable[str]]]:
    """Each log file below the folder, with its lines."""
    for path in sorted(folder.rglob("*.log")):
        yield path.relative_to(folder).as_posix(), path.read_text(errors="replace").splitlines()
