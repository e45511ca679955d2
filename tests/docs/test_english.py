"""Prose and messages are spelled as AWS's documentation spells them, and say things in its terms.

The dictionary is pyspellchecker's, in American English; words.txt has the words that it lacks, one a line.
Code is left out: what is in backticks, strings that are programs or commands, and words that are written like
names (with digits, underscores or capitals inside).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from cfnlint.decode import decode_str
from spellchecker import SpellChecker

from buildspecs.lint.templates import repository_templates
from buildspecs.paths import ROOT
from tests.markdown import Page, pages

FURTHER_WORDS = frozenset((Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split())
# A word, or two with a hyphen, that is not part of a path, ARN, option, address or file name.
WORD = re.compile(
    r"(?<![\w/.:@$#*\\{<=~-])[A-Za-z][a-z]+(?:'(?:t|re|ll)|-[a-z]+)?(?![\w/@*\\}>=-]|[.:](?=\w)|'(?!s\b)\w)"
)
CODE = re.compile(r"`[^`]*`|\S*://\S+|\b(?:aws|cfn)-[\w-]+|\$\((?:[^()]|\([^()]*\))*\)")
SHELL = re.compile(r"\$|^(?:aws|python) ")
COMMENT = re.compile(r"(?:^|\s)##? (?!noqa|type:|fmt:)(.*)$", re.MULTILINE)

# What a writer of AWS's documentation would not say, and what they would.
PHRASES = {
    r"\b(?:is|are|was|were|be|been|being) told\b": "is notified, is named",
    r"\btold (?:apart|of)\b": "distinguished, notified of",
    r"\bcarr(?:y|ies|ied|ying) (?:\w+ )?out\b": "runs",
    r"\ban own\b": "its own",
    r"\bsmall letters\b": "lowercase letters",
    r"\bstands? (?:more than once|twice|again)\b": "appears twice",
    r"\bdrawn by lot\b": "random",
    r"\bseparated by blanks\b": "separated by spaces",
    r"(?<!\b[Tt]here )\bis no (?:Region|ARN|account|role|policy|template|StackSet|section)\b": "is not a",
    r"\bhas failed as it has to\b|\bfailed as it has to\b": "failed as expected",
    r"\bhands? on\b": "exports, passes",
}


def is_program(text: str) -> bool:
    """Whether a string is Python or a command, such as a script that another process runs."""
    try:
        ast.parse(text)
    except SyntaxError:
        return bool(SHELL.search(text))
    return True


def strings_of(node: ast.AST) -> Iterator[str]:
    """The strings in a piece of code that have a space, f-strings as a whole."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings_of(child)


def without_possessive(word: str) -> str:
    """A word of a test's name, which has no apostrophe."""
    return word if word in FURTHER_WORDS or dictionary().known([word]) else word.removesuffix("s")


def prose_of_module(file: Path, source: str) -> Iterator[str]:
    """Docstrings and messages of a module; of a test, its name but no other strings, which are data."""
    tree = ast.parse(source)
    if file.parts[0] == "tests":
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield " ".join(map(without_possessive, node.name.split("_")))
            if isinstance(node, ast.Assert | ast.Raise):
                yield from strings_of(getattr(node, "msg", None) or getattr(node, "exc", None) or ast.Pass())
    else:
        yield from (text for text in strings_of(tree) if not is_program(text))


def texts_of(value: object) -> Iterator[str]:
    """Descriptions and reasons: every string of a template that has a space in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, str) and " " in value:
        yield value


def prose_of(file: Path, source: str) -> str:
    """What a person reads in a file of the repository, without code."""
    if file.suffix == ".md":
        return Page(source, file).prose
    parts = COMMENT.findall(source)
    if file.suffix == ".py":
        parts += prose_of_module(file, source)
    elif file.suffix == ".yaml":
        parts += texts_of(decode_str(source)[0])
    elif file.name == "Makefile":
        parts += re.findall(r'"([^"\n]* [^"\n]*)"', source)
    return "\n".join(without_code(part) for part in parts)


def without_code(text: str) -> str:
    """A text without what is in backticks, addresses, names of tools and a Makefile's variables."""
    return CODE.sub(" ", text)


def texts() -> Iterator[tuple[str, str]]:
    """(file, its prose) of every file that people read."""
    code = [f"{folder}/**/*.py" for folder in ("lambdas", "buildspecs", "rehearsal", "benchmarks", "tests")]
    other = ["Makefile", "pyproject.toml", "buildspecs/*.yml", "requirements/*.in", ".ci/*"]
    templates = [template.path for template in repository_templates()]
    for page in pages():
        yield str(page), page.prose
    for path in [path for pattern in [*code, *other, *templates] for path in sorted(ROOT.glob(pattern))]:
        file = path.relative_to(ROOT)
        yield file.as_posix(), prose_of(file, path.read_text(encoding="utf-8"))


@cache
def dictionary() -> SpellChecker:
    return SpellChecker(language="en", distance=1)


def words_of(text: str) -> set[str]:
    return {word for found in WORD.findall(without_code(text)) for word in found.split("-")}


def misspelled(text: str) -> list[str]:
    """The words of a text that neither the dictionary nor words.txt has, as they are written."""
    words = {word for word in words_of(text) if word.lower() not in FURTHER_WORDS}
    unknown = dictionary().unknown(word.lower() for word in words)
    return sorted(word for word in words if word.lower() in unknown)


def unidiomatic(text: str) -> list[str]:
    """Phrases of a text that PHRASES has, each with what to write instead."""
    plain = " ".join(without_code(text).split())
    found = ((match[0], better) for phrase, better in PHRASES.items() for match in re.finditer(phrase, plain))
    return [f"{phrase}: {better}" for phrase, better in found]


@pytest.mark.parametrize("check", [misspelled, unidiomatic])
def test_the_repository_is_written_in_plain_american_english(check: object) -> None:
    assert callable(check)
    # This file and the words have the examples.
    found = {file: check(text) for file, text in texts() if not file.endswith("test_english.py")}
    assert {file: words for file, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "text", ["It is carryed on.", "a recieved event", "the Backpu policy", "an analyser"]
)
def test_a_misspelled_word_is_found(text: str) -> None:
    assert len(misspelled(text)) == 1


@pytest.mark.parametrize("text", ["`recieve`", "https://aws.example/recieve", "recieve_event", "Recieve2"])
def test_code_is_left_out(text: str) -> None:
    assert misspelled(text) == []


def test_programs_and_commands_are_left_out() -> None:
    module = ast.parse("a = 'import recieve; recieve()'\nb = f'if recieve $x; {c}'\nd = 'It is recieved.'")
    assert [text for text in strings_of(module) if not is_program(text)] == ["It is recieved."]


PLANTED = [
    ("docs/options.md", "Options"),
    ("templates/service-control-policies/README.md", "Four samples"),
    ("lambdas/tag_on_restore/handler.py", "Entry point"),
    ("buildspecs/lint/gates.py", "unknown gate"),
    ("tests/docs/test_figures.py", "put each into FIGURES"),
    ("tests/docs/test_figures.py", "test_a_number_is"),
    ("templates/member-account/aws-backup-member-account.yaml", "Member account: "),
    ("templates/member-account/aws-backup-member-account.yaml", "ConstraintDescription: "),
    ("Makefile", "Each target prepares"),
    ("Makefile", "checkov was not installed"),
    ("buildspecs/scan-templates.yml", "Runs cfn-nag"),
]


@pytest.mark.parametrize(("file", "at"), PLANTED)
def test_a_misspelling_is_seen_wherever_it_is(file: str, at: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    planted = f"{at}_recieve_" if at.startswith("test_") else f"{at} recieve "
    assert at in source
    text = prose_of(Path(file), source.replace(at, planted, 1))
    assert misspelled(text) == ["recieve"]


def test_a_phrase_to_avoid_is_found_across_lines() -> None:
    assert unidiomatic("It is written\n    by an\n own hand.") == ["an own: its own"]


def test_every_further_word_is_used_and_in_no_dictionary() -> None:
    used = {word.lower() for _, text in texts() for word in words_of(text)}
    assert sorted(FURTHER_WORDS - used) == []
    assert sorted(dictionary().known(FURTHER_WORDS)) == []
