"""What was done for a restore job: as response, log line and metrics."""

import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .tags import TagPlan

LOGGER = logging.getLogger("tag_on_restore")
NAMESPACE = "TagOnRestore"


class Outcome(StrEnum):
    """How a restore job was handled. FAILED occurs in a sweep only: a single event raises instead."""

    TAGGED = "tagged"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"

    @property
    def metric(self) -> str:
        """The metric that counts restore jobs with this outcome."""
        return self.value.capitalize()


class Origin(StrEnum):
    """Where the tags come from: the source, or the recovery point and why not the source."""

    SOURCE = "from the source"
    GONE = "from the recovery point (source deleted)"
    ELSEWHERE = "from the recovery point (source elsewhere)"
    UNREADABLE = "from the recovery point (source access denied)"
    UNKNOWN = "from the recovery point (source unknown)"

    @property
    def metric(self) -> str:
        """The metric that counts resources with tags of this origin."""
        return "FromSource" if self is Origin.SOURCE else f"FromRecoveryPointSource{self.name.capitalize()}"


@dataclass(frozen=True)
class Result:
    """`plans` and `origins` say, by ARN, what was written to each resource and where its tags come from."""

    outcome: Outcome
    job_id: str
    reason: str
    plans: Mapping[str, TagPlan] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """The number of tags beyond the limit of the resource."""
        return sum(len(plan.left_out) for plan in self.plans.values())

    @property
    def withheld(self) -> int:
        """The number of tags withheld because they select resources for backup."""
        return sum(len(plan.withheld) for plan in self.plans.values())

    def response(self) -> dict[str, Any]:
        """As JSON. Only tag keys appear: values may be confidential."""
        return {
            "outcome": self.outcome.value,
            "restoreJobId": self.job_id,
            "reason": self.reason,
            "resources": {
                arn: {
                    "tagged": sorted(plan.write),
                    "origin": self.origins[arn].value,
                    "leftOut": list(plan.left_out),
                    "withheld": list(plan.withheld),
                }
                for arn, plan in self.plans.items()
            },
        }

    def metrics(self) -> Counter[str]:
        """The counts for CloudWatch."""
        counts = Counter(
            {self.outcome.metric: 1, "TagsLeftOut": self.left_out, "TagsWithheld": self.withheld}
        )
        counts.update(origin.metric for origin in self.origins.values())
        return counts

    def log(self) -> None:
        """Write one line; a warning if an operator should look at it."""
        attention = (
            self.outcome in (Outcome.UNSUPPORTED, Outcome.FAILED)
            or Origin.UNREADABLE in self.origins.values()
            or self.left_out
            or self.withheld
        )
        level = logging.WARNING if attention else logging.INFO
        LOGGER.log(level, "restore_job %s", json.dumps(self.response()))


def emit_metrics(counts: Mapping[str, int]) -> None:
    """Write `counts` as CloudWatch metrics, in the embedded metric format: one line of JSON.

    Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = [{"Name": name, "Unit": "Count"} for name in counts]
    document = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": metrics}],
        },
        **counts,
    }
    sys.stdout.write(json.dumps(document) + "\n")
