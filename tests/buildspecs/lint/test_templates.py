"""What a template lacks is reported with its file and its place in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildspecs.errors import LintError
from buildspecs.lint.templates import Template, load, plain

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "alarms", "DisplayName": None}}
TEMPLATE = Template("alarms.yaml", "", plain({"Resources": {"Topic": TOPIC}}, "alarms.yaml"))


def test_a_missing_key_is_reported_with_its_place_and_the_keys_that_exist() -> None:
    properties = TEMPLATE.resources["Topic"]["Properties"]
    with pytest.raises(
        LintError, match=r"^alarms\.yaml: Resources: Topic: Properties has no DisplayName, only TopicName$"
    ):
        properties["DisplayName"]  # a key without a value
    with pytest.raises(LintError, match=r"^alarms\.yaml: Parameters has no Days$"):
        TEMPLATE.parameters["Days"]


def test_a_resource_that_must_be_the_only_one_of_its_type_is_counted() -> None:
    assert TEMPLATE.only("AWS::SNS::Topic") == "Topic"
    with pytest.raises(LintError, match=r"^there must be one AWS::SQS::Queue in alarms\.yaml, not 0$"):
        TEMPLATE.only("AWS::SQS::Queue")


@pytest.mark.parametrize(("name", "text"), [("missing.yaml", None), ("broken.yaml", "Resources: [")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(LintError, match=rf"^{tmp_path / name}: "):
        load(tmp_path / name)
