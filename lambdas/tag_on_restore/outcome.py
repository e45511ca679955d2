"""What became of a restored resource, and how it is told: as answer, as log line, as metric."""

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


class Kind(StrEnum):
    """The ways in which the work on a restore job can end. A single event that fails raises instead."""

    TAGGED = "tagged"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


class Origin(StrEnum):
    """Where the tags of a restored resource were taken from; why not from its source."""

    SOURCE = "from the source"
    GONE = "from the recovery point (source gone)"
    ELSEWHERE = "from the recovery point (source elsewhere)"
    UNREADABLE = "from the recovery point (source may not be read)"
    UNKNOWN = "from the recovery point (source unknown)"

    @property
    def metric(self) -> str:
        """The metric that counts resources with tags of this origin."""
        return "FromSource" if self is Origin.SOURCE else f"FromRecoveryPointSource{self.name.capitalize()}"


@dataclass(frozen=True)
class Outcome:
    """By ARN, `plans` holds what was written to and kept from each resource, and `origins` where its tags
    came from; `reason` says why in words."""

    kind: Kind
    job_id: str
    reason: str
    plans: Mapping[str, TagPlan] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """How many tags found no room."""
        return sum(len(plan.left_out) for plan in self.plans.values())

    @property
    def withheld(self) -> int:
        """How many tags were withheld because they select for backup."""
        return sum(len(plan.withheld) for plan in self.plans.values())

    def answer(self) -> dict[str, Any]:
        """As JSON. Tags appear with their keys only: values may be nobody's business in a log."""
        return {
            "outcome": self.kind.value,
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
        """What CloudWatch is told."""
        counts = Counter({metric(self.kind): 1, "TagsLeftOut": self.left_out, "TagsWithheld": self.withheld})
        counts.update(origin.metric for origin in self.origins.values())
        return counts

    def log(self) -> None:
        """One line; a warning for what a person should look at."""
        attention = (
            self.kind in (Kind.UNSUPPORTED, Kind.FAILED)
            or Origin.UNREADABLE in self.origins.values()
            or self.left_out
            or self.withheld
        )
        LOGGER.log(
            logging.WARNING if attention else logging.INFO, "restore_job %s", json.dumps(self.answer())
        )


def emit_metrics(counts: Mapping[str, int], now: float | None = None) -> None:
    """Write `counts` as CloudWatch metrics of namespace TagOnRestore (embedded metric format: one line of
    JSON).

    Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = [{"Name": name, "Unit": "Count"} for name in counts]
    document = {
        "_aws": {
            "Timestamp": int((time.time() if now is None else now) * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": metrics}],
        },
        **counts,
    }
    sys.stdout.write(json.dumps(document) + "\n")


def metric(kind: Kind) -> str:
    """The metric that counts outcomes of this kind."""
    return kind.value.capitalize()
