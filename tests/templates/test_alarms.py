"""Every alarm watches a metric that exists: our functions write it, or AWS does.

CloudWatch accepts an alarm on any metric name, and an alarm on a metric without data never goes off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from tag_on_restore import handler as tag_on_restore
from tag_on_restore.aws import Aws

from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.names import MEMBER
from buildspecs.paths import ROOT
from tests.lambdas.tag_on_restore.accounts import account_with_tables
from tests.templates.planted import changed

# What AWS writes: namespace and metric → each dimension with the resource type and attribute that name it.
BY_AWS: Mapping[tuple[str, str], Mapping[str, tuple[str, str]]] = {
    # docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName": ("AWS::SQS::Queue", "QueueName")},
}


@dataclass(frozen=True)
class Metric:
    """What identifies a metric, except the values of its dimensions."""

    namespace: str
    name: str
    dimensions: frozenset[str] = field(default_factory=frozenset)

    def __str__(self) -> str:
        return f"{self.namespace} {self.name} by {', '.join(sorted(self.dimensions)) or 'nothing'}"


def written(lines: str) -> Iterator[Metric]:
    """The metrics that CloudWatch reads from a function's log (embedded metric format)."""
    for line in lines.splitlines():
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                for dimensions in directive["Dimensions"]:
                    yield Metric(directive["Namespace"], metric["Name"], frozenset(dimensions))


@pytest.fixture
def by_functions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Set[Metric]:
    """What a function writes in every run: an alarm must not depend on an occasional metric."""
    monkeypatch.setattr(tag_on_restore, "_aws", lambda: Aws(account_with_tables(1)))
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    tag_on_restore.handler({"RefreshTagItems": "true"}, context)
    return set(written(capsys.readouterr().out))


def alarms(template: Template) -> Iterator[tuple[str, Metric, Mapping[str, Any]]]:
    """(logical ID, metric, dimension → value as in the template) of every alarm."""
    for name, properties in template.of_type("AWS::CloudWatch::Alarm"):
        values = {each.get("Name"): each.get("Value") for each in properties.get("Dimensions", [])}
        metric = Metric(
            str(properties.get("Namespace")), str(properties.get("MetricName")), frozenset(values)
        )
        yield name, metric, values


def faults(template: Template, by_functions: Set[Metric]) -> Iterator[str]:
    """What is wrong with the alarms of a template."""
    for name, metric, values in alarms(template):
        where = f"{template.path}: {name} watches {metric}"
        if not metric.namespace.startswith("AWS/"):
            if metric not in by_functions:
                yield f"{where}, but the functions write {'; '.join(sorted(map(str, by_functions)))}"
            continue
        known = BY_AWS.get((metric.namespace, metric.name))
        if known is None:
            yield f"{where}, which is not in BY_AWS: add it with AWS's page if AWS writes it"
        elif set(known) != metric.dimensions:
            yield f"{where}, but AWS writes it by {', '.join(known)}"
        else:
            for dimension, (kind, attribute) in known.items():
                own = [{"Fn::GetAtt": [logical, attribute]} for logical, _ in template.of_type(kind)]
                if values[dimension] not in own:
                    yield f"{where}, but {dimension} is {values[dimension]}, not the {attribute} of an {kind}"


def test_every_alarm_watches_a_metric_that_is_written(by_functions: Set[Metric]) -> None:
    templates = repository_templates()
    assert any(True for template in templates for _ in alarms(template))
    found = [fault for template in templates for fault in faults(template, by_functions)]
    assert not found, "\n".join(found)


TAG_ON_RESTORE = load(ROOT / f"{MEMBER}/aws-backup-tagonrestore.yaml")
DIMENSIONS = """      MetricName: SweepProblems
      Dimensions:
        - Name: FunctionName
          Value: TagOnRestore"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "MetricName: SweepProblems",
            "MetricName: SweepProblem",
            "watches TagOnRestore SweepProblem by nothing",
        ),
        (
            "Namespace: TagOnRestore",
            "Namespace: Restores",
            "SweepAlarm watches Restores SweepProblems by nothing",
        ),
        (
            "      MetricName: SweepProblems",
            DIMENSIONS,
            "SweepProblems by FunctionName, but the functions write",
        ),
        (
            "MetricName: Approx",
            "MetricName: Aprox",
            "NumberOfMessagesVisible by QueueName, which is not in BY_AWS",
        ),
        ("{Name: QueueName", "{Name: Queue", "by Queue, but AWS writes it by QueueName"),
        ("FailureQueue.QueueName", "FailureQueue.Arn", "not the QueueName of an AWS::SQS::Queue"),
    ],
    ids=["metric", "namespace", "dimensions", "metric of AWS", "dimension of AWS", "value"],
)
def test_an_alarm_on_a_metric_that_is_not_written_is_reported(
    by_functions: Set[Metric], old: str, new: str, fault: str
) -> None:
    assert fault in "\n".join(faults(changed(TAG_ON_RESTORE, old, new), by_functions))
