"""The cost of BackupOrgPolicyManager: AWS calls of each operation, and the import of its handler.

Run it from the repository root: `python -m benchmarks.policy_manager`. It prints a table and exits with
status 1 if a limit is exceeded. The calls are counted on the fake organization of the tests.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT)]

from rehearsal.machine import environment  # noqa: E402  # needs the path above

environment.seclude()

from tests.lambdas.backup_org_policy_manager.conftest import (  # noqa: E402
    OU_2,
    OU_3,
    Function,
    deployed,
    event,
    plan,
    properties,
)

VERIFICATION = {
    "DescribeEffectivePolicy",
    "ListAccountsForParent",
    "ListAccountsWithInvalidEffectivePolicy",
    "ListEffectivePolicyValidationErrors",
}
IMPORT_LIMIT = 1.10
ROUNDS = 15


@dataclass(frozen=True)
class Measured:
    name: str
    calls: int
    writes: int
    verification: int
    limit: int
    sleeps: int

    @property
    def within_limit(self) -> bool:
        return (
            self.calls <= self.limit and self.sleeps == 0 and (self.writes == 0 or "nothing" not in self.name)
        )


def _update(**changed: Any) -> Callable[[str], dict[str, Any]]:
    return lambda policy_id: event(
        "Update", properties(**changed), OldResourceProperties=properties(), PhysicalResourceId=policy_id
    )


OPERATIONS: list[tuple[str, Callable[[str], dict[str, Any]], int]] = [
    ("create, 2 targets", lambda _: event("Create", properties()), 4),
    ("change the content", _update(PolicyContent=plan(days="30")), 5),
    ("targets +1 -1", _update(PolicyTargets=[OU_2, OU_3]), 6),
    ("nothing changed", _update(), 3),
    ("delete, 2 targets", lambda policy_id: event("Delete", properties(), PhysicalResourceId=policy_id), 6),
]


def measure(name: str, request: Callable[[str], dict[str, Any]], limit: int) -> Measured:
    """One operation in a new organization, with AssumeRole and without verification."""
    with deployed() as function:
        policy_id = "" if name.startswith("create") else function.create()
        return _counted(function, name, request(policy_id), limit)


def _counted(function: Function, name: str, request: dict[str, Any], limit: int) -> Measured:
    function.succeed(request)
    verification = sum(call in VERIFICATION for call in function.aws.calls)
    return Measured(
        name=name,
        calls=len(function.aws.calls) - verification,
        writes=len(function.aws.writes),
        verification=verification,
        limit=limit,
        sleeps=len(function.aws.clock.slept),
    )


def import_ratio() -> float:
    """The time to import the handler over that to import boto3 and crhelper: the median of new processes.

    Both are measured in one process, in CPU time: two processes differ by more than the limit.
    """
    script = (
        "from time import process_time as now; start = now(); import boto3, crhelper; base = now() - start; "
        "import backup_org_policy_manager.handler; print((now() - start) / base)"
    )
    command = [sys.executable, "-c", script]
    environment = {"PYTHONPATH": str(ROOT / "lambdas")}
    ratios = [
        float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)  # noqa: S603
        for _ in range(ROUNDS)
    ]
    return statistics.median(ratios)


def main() -> int:
    rows = [measure(*operation) for operation in OPERATIONS]
    print(f"{'operation':<22}{'calls':>6}{'limit':>7}{'writes':>8}{'sleeps':>8}{'verification':>14}")
    for row in rows:
        mark = "" if row.within_limit else "  TOO MANY"
        print(
            f"{row.name:<22}{row.calls:>6}{row.limit:>7}{row.writes:>8}{row.sleeps:>8}{row.verification:>14}{mark}"
        )
    ratio = import_ratio()
    print(f"\nimport of the handler: {ratio:.2f} x import boto3, crhelper (limit {IMPORT_LIMIT:.2f})")
    return 0 if all(row.within_limit for row in rows) and ratio <= IMPORT_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
