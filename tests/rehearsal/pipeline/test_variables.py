"""Pipeline variables."""

import pytest

from rehearsal.errors import ActionError
from rehearsal.pipeline.variables import resolve

NAMESPACES = {"StaticAnalysis": {"KEY": "deployment/ab/x.yaml", "EMPTY": ""}, "codepipeline": {"Id": "1"}}


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("plain", "plain"),
        ("#{StaticAnalysis.KEY}", "deployment/ab/x.yaml"),
        (
            '{"A": "#{StaticAnalysis.KEY}", "B": "#{codepipeline.Id}"}',
            '{"A": "deployment/ab/x.yaml", "B": "1"}',
        ),
        ("[#{StaticAnalysis.EMPTY}]", "[]"),
        ("${NotOurs}", "${NotOurs}"),
    ],
)
def test_variables_are_replaced(text: str, resolved: str) -> None:
    assert resolve(text, NAMESPACES) == resolved


@pytest.mark.parametrize("name", ["StaticAnalysis.MISSPELT", "Missing.KEY", "NoDot", ""])
def test_an_unknown_variable_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(ActionError, match=r"StaticAnalysis\.KEY") as caught:
        resolve(f"#{{{name}}}", NAMESPACES)
    assert f"#{{{name}}}" in str(caught.value)
