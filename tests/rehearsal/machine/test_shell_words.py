"""Where a command ends, and which programs it starts."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.machine.shell_words import HereDocumentError, is_complete, simple_commands

BASH = shutil.which("bash") or "bash"


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("aws s3 ls", True),
        ("aws s3 ls \\", False),
        ("aws s3 ls \\\n  --region x", True),
        ("echo 'one", False),
        ("echo 'one\ntwo'", True),
        ('echo "a \\" b', False),
        ('echo "a \\" b"', True),
        ("echo it\\'s", True),
        ("for r in a b; do", False),
        ("for r in a b; do\n  echo $r", False),
        ("for r in a b; do\n  echo $r\ndone", True),
        ("if true; then", False),
        ("if true; then echo yes; fi", True),
        ("while read -r line; do echo; done", True),
        ("echo for", True),
        ("echo done", True),
        ("a &&", False),
        ("a |", False),
        ("a ||\n b", True),
        ("a &", True),
        ("(cd x", False),
        ("(cd x\n ls)", True),
        ("x=$(aws s3 ls", False),
        ("x=$(aws s3 ls)", True),
        ("{ echo a;", False),
        ("{ echo a; }", True),
        ("ls # for 'x", True),
        ("ls #", True),
        ("ls a#b'", False),
        ("cat <<< word", True),
        ("", True),
    ],
)
def test_a_command_continues_where_bash_would_read_another_line(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_a_here_document_is_refused() -> None:
    with pytest.raises(HereDocumentError):
        is_complete("cat <<EOF")


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("aws s3 ls", [["aws", "s3", "ls"]]),
        ("A=1 B='2 3' aws s3 ls", [["aws", "s3", "ls"]]),
        ("cat a | grep 'b c' && wc -l", [["cat", "a"], ["grep", "b c"], ["wc", "-l"]]),
        ("for r in a b; do aws x y; done", [["for", "r", "in", "a", "b"], ["aws", "x", "y"]]),
        ("if test -f x; then gem install y; fi", [["test", "-f", "x"], ["gem", "install", "y"]]),
        ("(cd x; ls)", [["cd", "x"], ["ls"]]),
        ("A=1", []),
        ("# nothing", []),
        ("aws s3 \\\n  ls \\\n  x  # all of it", [["aws", "s3", "ls", "x"]]),
        ('--tags "Key"="Application","Value"="a b"', [["--tags", "Key=Application,Value=a b"]]),
    ],
)
def test_the_programs_of_a_command_are_found(text: str, commands: list[list[str]]) -> None:
    assert simple_commands(text) == commands


WORDS = st.sampled_from(
    [
        "aws",
        "echo",
        "'a b'",
        '"c $d"',
        "x\\ y",
        "--region",
        "a=b",
        "\\\n",
        "#",
        "é",
        "<x>",
        "1",
    ]
)


@settings(max_examples=200)  # each starts bash
@given(st.lists(WORDS, min_size=1, max_size=8))
def test_plain_commands_are_complete_exactly_when_bash_says_so(words: list[str]) -> None:
    """bash -n reads the text; an incomplete one makes it complain about an unexpected end of file."""
    text = "echo " + " ".join(words)
    checked = subprocess.run(  # noqa: S603 - bash -n runs nothing
        [BASH, "-n", "-c", text], capture_output=True, text=True, check=False
    )
    unfinished = "unexpected EOF" in checked.stderr or "unexpected end of file" in checked.stderr
    if text.rstrip(" ").endswith("\\\n"):
        return  # bash takes the end of its input as the end of the line
    assert is_complete(text) is not unfinished
