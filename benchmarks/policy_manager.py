"""The cost of BackupOrgPolicyManager: AWS calls of each operation, and the import of its handler.

Run it from the repository root: `python -m benchmarks.policy_manager`. It prints a table and exits with
status 1 if a limit is exceeded. The calls are counted on the fake organization of the tests.
"""

import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT)]

from rehearsal.machine import environment  # noqa: E402  # needs the path above

environment.seclude()

from tests.lambdas.backup_org_policy_manager.operations import OPERATIONS, measure  # noqa: E402

IMPORT_LIMIT = 1.10
ROUNDS = 15


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
