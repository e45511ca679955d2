"""Prose and messages are spelled as AWS's documentation spells them, and say things in its terms.

The dictionary is pyspellchecker's, in American English; words.txt has the words that it lacks, one a line.
Code is left out: what is in backticks, and words that are written like names (with digits, underscores or
capitals inside).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from spellchecker import SpellChecker

from buildspecs.lint.templates import repository_templates
from buildspecs.paths import ROOT

OURS = frozenset((Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split())
# A word that is no part of a path, ARN, option, address or file name.
WORD = re.compile(
    r"(?<![\w/.:@$#*\\{<=~-])[A-Za-z][a-z]+(?:'(?:t|re|ll))?(?![\w/@*\\}>=-]|[.:](?=\w)|'(?!s\b)\w)"
)
CODE = re.compile(r"`[^`]*`|\S*://\S+")

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


def pages() -> list[Path]:
    patterns = ("*.md", "docs/**/*.md", "templates/**/*.md", "rehearsal/**/*.md")
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def prose_of(page: Path) -> str:
    """Headings, paragraphs, lists and tables of a page, without code and addresses."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    children = (child for token in tokens for child in token.children or ())
    return "\n".join(child.content for child in children if child.type in ("text", "image"))


def strings_of(module: Path) -> Iterator[str]:
    """Docstrings, comments and messages of a module; of a test, whose strings are data, no messages."""
    source = module.read_text(encoding="utf-8")
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    if module.is_relative_to(ROOT / "tests"):
        yield from (ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented))
    else:
        constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        yield from (value for value in constants if isinstance(value, str) and " " in value)
    yield from re.findall(r"(?:^|  )\s*# (?!noqa|type:|fmt:)(.*)$", source, re.MULTILINE)


def texts_of(value: object) -> Iterator[str]:
    """Descriptions and reasons: every string of a template that has a space in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, str) and " " in value:
        yield value


def texts() -> Iterator[tuple[str, str]]:
    """(file, its prose) of every page, module and template."""
    for page in pages():
        yield page.relative_to(ROOT).as_posix(), prose_of(page)
    for folder in ("lambdas", "buildspecs", "rehearsal", "benchmarks", "tests"):
        for module in sorted((ROOT / folder).rglob("*.py")):
            yield module.relative_to(ROOT).as_posix(), "\n".join(strings_of(module))
    for template in repository_templates():
        comments = re.findall(r"(?:^|\s)# (.*)$", template.text, re.MULTILINE)
        yield template.path, "\n".join([*texts_of(template.body), *comments])


@cache
def dictionary() -> SpellChecker:
    return SpellChecker(language="en", distance=1)


def misspelled(text: str) -> list[str]:
    """The words of a text that neither the dictionary nor words.txt has, as they are written."""
    words = {word for word in WORD.findall(CODE.sub(" ", text)) if word.lower() not in OURS}
    unknown = dictionary().unknown(word.lower() for word in words)
    return sorted(word for word in words if word.lower() in unknown)


def translated(text: str) -> list[str]:
    """Phrases of a text that PHRASES has, each with what to write instead."""
    plain = " ".join(CODE.sub(" ", text).split())
    found = ((match[0], better) for phrase, better in PHRASES.items() for match in re.finditer(phrase, plain))
    return [f"{phrase}: {better}" for phrase, better in found]


@pytest.mark.parametrize("check", [misspelled, translated])
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


def test_a_translated_phrase_is_found_across_lines() -> None:
    assert translated("It is written\n    by an\n own hand.") == ["an own: its own"]


def test_every_word_of_ours_is_used_and_in_no_dictionary() -> None:
    used = {word.lower() for _, text in texts() for word in WORD.findall(CODE.sub(" ", text))}
    assert sorted(OURS - used) == []
    assert sorted(dictionary().known(OURS)) == []
