"""What a build's Python exports arrives in its shell, and none of it runs as a command."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildspecs import pipeline_variables


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
def test_no_value_can_run_as_a_command(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline_variables.export({"VALUE": value}, Path(folder))
        script = f'. ./{pipeline_variables.FILE} && printf %s "$VALUE"'
        output = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, check=True).stdout  # noqa: S603, S607
    assert output == value.encode()


def test_what_is_exported_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline_variables.export({"PACKAGE": "a.zip"}, tmp_path)
    assert capsys.readouterr().out == "PACKAGE=a.zip\n"


def test_discarded_variables_cannot_be_sourced(tmp_path: Path) -> None:
    pipeline_variables.export({"PACKAGE": "a.zip"}, tmp_path)
    pipeline_variables.discard(tmp_path)
    pipeline_variables.discard(tmp_path)
    assert not (tmp_path / pipeline_variables.FILE).exists()
