"""How many steps a StackSet takes to reach every account: our operation preferences against one at a time.

Run it from the repository root: `python -m benchmarks.stackset_rollout`. It prints a table and ends with
status 1 if 1,000 accounts in 4 regions take more than a hundredth of the steps of one at a time. A step is
the time that one stack takes. The preferences are those of our templates.

The rules are those that CloudFormation documents (API Reference, StackSetOperationPreferences; User Guide,
"StackSet operation options"):

- RegionConcurrencyType: one region after the other (SEQUENTIAL, the default), or all at once (PARALLEL).
- MaxConcurrentPercentage and -Count: accounts of a region at a time; a percentage is rounded down, but not
  to zero; 1 is the default. "Large deployments … may be lower due to service throttling": the last column.
- FailureTolerancePercentage and -Count: accounts of a region that may fail (0 by default, a percentage is
  rounded down); one more stops the operation in this region, and no further region is begun.
- ConcurrencyMode STRICT_FAILURE_TOLERANCE (the default): at most tolerance + 1 at a time, and fewer with each
  failure; SOFT_FAILURE_TOLERANCE: as many as MaxConcurrent says, whatever has failed.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from buildspecs.lint.templates import load  # noqa: E402
from buildspecs.names import STACKSETS  # noqa: E402
from rehearsal.emulator.extensions.stacksets.model import Preferences  # noqa: E402  # needs the path above
from tests.templates.resolving import Resolver  # noqa: E402

ONE_AT_A_TIME: Mapping[str, Any] = {"MaxConcurrentCount": 1, "FailureToleranceCount": 0}
SIZES = ((10, 4), (100, 4), (1000, 4))
FASTER = 100
# A ceiling that AWS does not publish; with it the claim still has to hold.
THROTTLED = 100


@dataclass(frozen=True)
class Rollout:
    """What an operation took: `attempted` stacks of all; `stopped` by more failures than are tolerated."""

    steps: int
    attempted: int
    stopped: bool


def ours() -> Mapping[str, Any]:
    """The operation preferences of our service-managed StackSets; they are the same in all of them."""
    found = []
    for stack_set in STACKSETS:
        template = load(ROOT / stack_set.wrapper)
        properties = template.resources[template.only("AWS::CloudFormation::StackSet")]["Properties"]
        if properties["PermissionModel"] == "SERVICE_MANAGED":
            found.append(Resolver(template).resolve(properties["OperationPreferences"]))
    assert all(each == found[0] for each in found), found
    return dict(found[0])


def roll_out(
    properties: Mapping[str, Any],
    accounts: int,
    regions: int,
    *,
    failing: int = 0,
    ceiling: int | None = None,
) -> Rollout:
    """One operation. `failing` accounts of each region fail, the first ones.

    AWS runs at most `ceiling` stacks at a time; regions in parallel share them.
    """
    preferences = Preferences.of(dict(properties))
    if ceiling and preferences.parallel_regions:
        ceiling = max(1, ceiling // regions)
    done: list[Rollout] = []
    for _ in range(regions):
        if done and done[-1].stopped and not preferences.parallel_regions:
            break
        done.append(_region(properties, preferences, accounts, failing, ceiling))
    taken = [each.steps for each in done]
    return Rollout(
        steps=max(taken) if preferences.parallel_regions else sum(taken),
        attempted=sum(each.attempted for each in done),
        stopped=any(each.stopped for each in done),
    )


def _region(
    properties: Mapping[str, Any],
    preferences: Preferences,
    accounts: int,
    failing: int,
    ceiling: int | None,
) -> Rollout:
    soft = properties.get("ConcurrencyMode") == "SOFT_FAILURE_TOLERANCE"
    tolerated, most = preferences.tolerated(accounts), preferences.concurrent(accounts)
    steps = attempted = failed = 0
    while attempted < accounts and failed <= tolerated:
        width = min(most if soft else min(most, tolerated + 1 - failed), ceiling or most)
        attempted = min(accounts, attempted + width)
        failed = min(failing, attempted)
        steps += 1
    return Rollout(steps, attempted, failed > tolerated)


def main() -> int:
    """Print the table; 1 if the claim does not hold."""
    mine, kept = ours(), True
    print("our preferences: " + ", ".join(f"{key} {value}" for key, value in mine.items()))
    print(f"\n{'accounts x regions':<20}{'one at a time':>15}{'ours':>8}{'ratio':>8}", end="")
    print(f"{f'ours, at most {THROTTLED} at a time':>32}{'ratio':>8}")
    for accounts, regions in SIZES:
        slow = roll_out(ONE_AT_A_TIME, accounts, regions).steps
        fast = roll_out(mine, accounts, regions).steps
        slowed = roll_out(mine, accounts, regions, ceiling=THROTTLED).steps
        print(f"{f'{accounts:,} x {regions}':<20}{slow:>15,}{fast:>8}{slow // fast:>8,}", end="")
        print(f"{slowed:>32}{slow // slowed:>8,}")
        kept = kept and (accounts < max(SIZES)[0] or slow >= FASTER * max(fast, slowed))
    print("\none broken account in 1,000 x 4: stacks that are attempted")
    for name, properties in (("one at a time", ONE_AT_A_TIME), ("ours", mine)):
        hit = roll_out(properties, 1000, 4, failing=1)
        print(f"  {name:<15}{hit.attempted:>6,} of 4,000{', then stopped' if hit.stopped else ''}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
