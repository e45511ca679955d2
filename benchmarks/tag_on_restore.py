"""Figures for TagOnRestore: API calls per event, clients created, import time, time of a sweep.

Run in the repository's root: python -m benchmarks.tag_on_restore
Exits with 1 if a figure is worse than docs/tag-on-restore.md says.
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
from tag_on_restore.result import LOGGER  # noqa: E402

from buildspecs.names import MEMBER_VAULT  # noqa: E402
from tests.lambdas.tag_on_restore.accounts import (  # noqa: E402
    SETTINGS,
    account_with,
    account_with_tables,
    add_job,
    instance_with_volumes,
    run,
)
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, RESTORED_TYPES  # noqa: E402

MAX_IMPORT_RATIO = 1.02
MAX_CALLS_SOURCE_EXISTS = 4
MAX_CALLS_SOURCE_DELETED = 5
MAX_CALLS_CREATION_DATE = 1
MAX_CALLS_INSTANCE = 5
IMPORTS = 41


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


def calls_and_clients() -> list[Figure]:
    """The most calls and clients of any type without volumes."""
    figures = []
    unused_clients = []
    for source, limit in (({"project": "shop"}, MAX_CALLS_SOURCE_EXISTS), (None, MAX_CALLS_SOURCE_DELETED)):
        calls = []
        calls_for_old_jobs = []
        for each in (each for each in RESTORED_TYPES if not each.has_volumes):
            aws = account_with(each, source)
            run(aws, each.event)
            calls.append(len(aws.calls))
            unused_clients.append(len(aws.clients) - len({call.split(":")[0] for call in aws.calls}))
            aws = account_with(each, source)
            add_job(aws, each.event, ("SourceResourceArn",))
            point = {"BackupVaultName": MEMBER_VAULT, "ResourceArn": each.source}
            aws.recovery_points[each.recovery_point] = point
            run(aws, each.event)
            calls_for_old_jobs.append(len(aws.calls))
        name = f"most API calls of a type, source {'exists' if source else 'deleted'}"
        figures.append(Figure(name, max(calls), limit))
        figures.append(Figure(f"{name}, old job", max(calls_for_old_jobs), limit + 1))
    figures.append(Figure("clients created but not called", max(unused_clients), 0))
    additional = []
    for each in (each for each in RESTORED_TYPES if each.reads_date):
        aws = account_with(each, {"backup": "daily"})
        run(aws, each.event)
        additional.append(len(aws.calls) - MAX_CALLS_SOURCE_EXISTS)
    name = "additional API calls if a copied tag selects for backup"
    figures.append(Figure(name, max(additional), MAX_CALLS_CREATION_DATE))
    return figures


def instances() -> list[Figure]:
    """Calls for an EC2 instance, without the write for each different set of tags."""
    figures = []
    for volumes, sets in ((2, 1), (2, 2), (40, 1), (40, 40)):
        for source in ({"project": "shop"}, None):
            aws = instance_with_volumes([{"disk": str(number % sets)} for number in range(volumes)], source)
            result = run(aws, BY_NAME["ec2"].event)
            different = len({frozenset(plan.write.items()) for plan in result.plans.values()})
            state = "exists" if source else "deleted"
            name = f"instance, source {state}, {volumes} volumes, {different} sets of tags"
            limit = MAX_CALLS_INSTANCE + (source is None)
            figures.append(Figure(name, len(aws.calls) - different, limit))
    return figures


def import_seconds(statement: str) -> float:
    """The time of an import in a new interpreter."""
    program = f"import time; begin = time.perf_counter(); {statement}; print(time.perf_counter() - begin)"
    environment = {"PYTHONPATH": str(ROOT / "lambdas"), "PATH": os.environ["PATH"]}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    )
    return float(done.stdout)


def cold_start() -> list[Figure]:
    """The import of the handler compared with boto3 alone: the quickest of many, taken alternately."""
    pairs = [
        (import_seconds("import boto3"), import_seconds("import tag_on_restore.handler"))
        for _ in range(IMPORTS)
    ]
    boto3_alone, handler = (min(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    return [
        Figure("import boto3, quickest", boto3_alone * 1000, float("inf"), "ms"),
        Figure("import tag_on_restore.handler, quickest", handler * 1000, float("inf"), "ms"),
        Figure("import ratio of the quickest", handler / boto3_alone, MAX_IMPORT_RATIO),
        Figure("import ratio, median of the pairs", ratio, float("inf")),
    ]


def long_sweep() -> list[Figure]:
    """A sweep of 5,000 jobs, without the time that AWS takes."""
    LOGGER.setLevel("CRITICAL")
    aws = account_with_tables(5000)
    begin = time.perf_counter()
    result = sweep.run(Aws(aws), SETTINGS, SweepRequest(), lambda: 900_000)
    seconds = time.perf_counter() - begin
    handled = sum(result.counts.values())
    return [
        Figure("sweep of 5,000 jobs, without the network", seconds, 60, "s"),
        Figure("API calls per job of a sweep", len(aws.calls) / handled, 3.01),
    ]


def main() -> int:
    """Print every figure; 1 if one is too high."""
    figures = [*calls_and_clients(), *instances(), *long_sweep(), *cold_start()]
    print(*figures, sep="\n")
    return int(any(figure.value > figure.limit for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
