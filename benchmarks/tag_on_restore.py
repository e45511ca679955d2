"""Figures for TagOnRestore: API calls per event, clients made, time to import, time for a sweep.

Run at the repository's root: python -m benchmarks.tag_on_restore
Exits with 1 when a figure is worse than what docs/tag-on-restore.md claims.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT)]

from rehearsal.machine import environment  # noqa: E402 - the path is set above, as pyproject.toml does for the tests

environment.seclude()

from tag_on_restore import sweep  # noqa: E402
from tag_on_restore.aws import Aws  # noqa: E402
from tag_on_restore.event import SweepRequest  # noqa: E402
from tag_on_restore.outcome import LOGGER  # noqa: E402

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, REGION, FakeAws  # noqa: E402
from tests.lambdas.tag_on_restore.resources import ROWS  # noqa: E402
from tests.lambdas.tag_on_restore.situations import SETTINGS, add_job, estate, run  # noqa: E402
from tests.lambdas.tag_on_restore.test_instance_volumes import instance_with_volumes  # noqa: E402
from tests.lambdas.tag_on_restore.test_sweep import jobs  # noqa: E402

IMPORT_LIMIT = 1.02
ALIVE_LIMIT = 4
GONE_LIMIT = 5
AGE_LIMIT = 1
INSTANCE_LIMIT = 5
RUNS = 41


@dataclass(frozen=True)
class Figure:
    """A measured value and the limit it must not exceed."""

    name: str
    value: float
    limit: float
    unit: str = ""

    def __str__(self) -> str:
        verdict = "ok" if self.value <= self.limit else "TOO HIGH"
        return f"{self.name:<78} {self.value:>9.3f} {self.unit:<8} limit {self.limit:>7g}  {verdict}"


def with_vaults(aws: FakeAws, count: int) -> FakeAws:
    """The same account with so many vaults, each with a recovery point."""
    for number in range(count):
        arn = f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:other-{number}"
        aws.recovery_points[arn] = {"BackupVaultName": f"vault-{number}", "ResourceArn": "arn:aws:s3:::other"}
    return aws


def calls_and_clients() -> list[Figure]:
    """The most calls and clients of any plain type, by number of vaults and by what the source is."""
    plain = [row for row in ROWS if not row.looks_for_volumes]
    figures = []
    for vaults in (1, 100, 1000):
        clients = []
        for source, limit in (({"project": "shop"}, ALIVE_LIMIT), (None, GONE_LIMIT)):
            calls = []
            for row in plain:
                aws = with_vaults(estate(row, source), vaults)
                run(aws, row.event)
                calls.append(len(aws.calls))
                clients.append(len(aws.clients) - len({call.split(":")[0] for call in aws.calls}))
            name = (
                f"API calls, most of any plain type, source {'alive' if source else 'gone'}, {vaults} vaults"
            )
            figures.append(Figure(name, max(calls), limit))
            calls = []
            for row in plain:
                aws = with_vaults(estate(row, source), vaults)
                add_job(aws, row.event, ("SourceResourceArn",))
                point = {"BackupVaultName": "AWSBackupSolutionVault", "ResourceArn": row.original}
                aws.recovery_points[row.recovery_point] = point
                run(aws, row.event)
                calls.append(len(aws.calls))
            figures.append(Figure(f"{name}, old job", max(calls), limit + 1))
        figures.append(Figure(f"clients made beyond those that are called, {vaults} vaults", max(clients), 0))
    aged = []
    for row in (row for row in ROWS if row.age):
        aws = estate(row, {"backup": "daily"})
        run(aws, row.event)
        aged.append(len(aws.calls) - ALIVE_LIMIT)
    figures.append(Figure("API calls more where a copied tag selects for backup", max(aged), AGE_LIMIT))
    return figures


def instances() -> list[Figure]:
    """Calls for an EC2 instance beyond one write for each different set of tags."""
    (row,) = (row for row in ROWS if row.name == "ec2")
    figures = []
    for volumes in (2, 40):
        for sets in (1, 2, 40):
            for source in ({"project": "shop"}, None):
                aws = instance_with_volumes(
                    [{"disk": str(number % sets)} for number in range(volumes)], source
                )
                outcome = run(aws, row.event)
                different = len({frozenset(plan.write.items()) for plan in outcome.plans.values()})
                name = (
                    f"instance {'alive' if source else 'gone'}, {volumes} volumes, {different} sets of tags"
                )
                figures.append(Figure(name, len(aws.calls) - different, INSTANCE_LIMIT + (source is None)))
    return figures


def import_seconds(statement: str) -> float:
    """The time that a fresh interpreter needs for an import."""
    program = f"import time; begin = time.perf_counter(); {statement}; print(time.perf_counter() - begin)"
    environment = {"PYTHONPATH": str(ROOT / "lambdas"), "PATH": os.environ["PATH"]}
    answer = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    )
    return float(answer.stdout)


def cold_start() -> list[Figure]:
    """Importing the handler against importing boto3 alone: the quickest of many turns, taken alternately."""
    pairs = [
        (import_seconds("import boto3"), import_seconds("import tag_on_restore.handler")) for _ in range(RUNS)
    ]
    boto3_alone, handler = (min(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    return [
        Figure("import boto3, quickest", boto3_alone * 1000, float("inf"), "ms"),
        Figure("import tag_on_restore.handler, quickest", handler * 1000, float("inf"), "ms"),
        Figure("import ratio of the quickest", handler / boto3_alone, IMPORT_LIMIT),
        Figure("import ratio, median of the pairs", ratio, float("inf")),
    ]


def long_sweep() -> list[Figure]:
    """Our own share of a sweep over 5,000 jobs; with AWS, each of the calls takes its time besides."""
    LOGGER.setLevel("CRITICAL")
    aws = jobs(5000)
    begin = time.perf_counter()
    result = sweep.run(Aws(aws), SETTINGS, SweepRequest(), lambda: 900_000)
    seconds = time.perf_counter() - begin
    handled = sum(result.counts.values())
    return [
        Figure("sweep over 5,000 jobs, without the network", seconds, 60, "s"),
        Figure("API calls per job of the sweep", len(aws.calls) / handled, 3.01),
    ]


def main() -> int:
    """Print every figure; 1 if one is too high."""
    figures = [*calls_and_clients(), *instances(), *long_sweep(), *cold_start()]
    print(*figures, sep="\n")
    return int(any(figure.value > figure.limit for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
