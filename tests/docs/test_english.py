"""Prose and messages are spelled right: words that no dictionary has are in words.txt, one a line.

The dictionary is pyspellchecker's. Code is left out: what stands in backticks, and every word that is written
like a name (with digits, underscores or capitals inside).
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
PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "templates/**/*.md", "rehearsal/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
FOLDERS = ("lambdas", "buildspecs", "rehearsal", "benchmarks", "tests")
# A word, but no part of a path, ARN, option, address or file name.
WORD = re.compile(
    r"(?<![\w/.:@$#*\\{<=~-])[A-Za-z][a-z]+(?:'(?:t|re|ll))?(?![\w/@*\\}>=-]|[.:](?=\w)|'(?!s\b)\w)"
)


@cache
def dictionary() -> SpellChecker:
    return SpellChecker(language="en", distance=1)


def misspelled(text: str) -> list[str]:
    """The words of a text that neither the dictionary nor words.txt has, as they are written."""
    prose = re.sub(r"`[^`]*`|\S*://\S+", " ", text)
    words = {word for word in WORD.findall(prose) if word.lower() not in OURS}
    unknown = dictionary().unknown(word.lower() for word in words)
    return sorted(word for word in words if word.lower() in unknown)


def prose_of(page: Path) -> str:
    """The text of a page: headings, paragraphs, lists and tables, without code and addresses."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return "\n".join(
        child.content for token in tokens for child in token.children or () if child.type in ("text", "image")
    )


def strings_of(module: Path) -> Iterator[str]:
    """Docstrings, messages and comments of a module: every string with a space in it, and every comment."""
    source = module.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value
    yield from re.findall(r"(?:^|  )# (?!noqa|type:|fmt:)(.*)$", source, re.MULTILINE)


MODULES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_is_spelled_right(page: Path) -> None:
    assert misspelled(prose_of(page)) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_messages_and_comments_are_spelled_right(folder: str) -> None:
    found = {
        module.relative_to(ROOT).as_posix(): words
        for module in MODULES
        if module.is_relative_to(ROOT / folder)
        if (words := misspelled("\n".join(strings_of(module))))
    }
    assert found == {}


def test_templates_are_spelled_right() -> None:
    found = {
        template.path: words
        for template in repository_templates()
        if (words := misspelled("\n".join(_texts(template.body)) + "\n".join(_comments(template.text))))
    }
    assert found == {}


def _texts(value: object) -> Iterator[str]:
    """Descriptions and reasons: every string of a template that has spaces."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and " " in value:
        yield value


def _comments(text: str) -> list[str]:
    return re.findall(r"(?:^|\s)# (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("text", ["It is carryed out.", "a recieved event", "the Backpu policy"])
def test_a_misspelled_word_is_found(text: str) -> None:
    assert len(misspelled(text)) == 1


@pytest.mark.parametrize(
    "text", ["`recieve` is code", "see https://aws.example/recieve", "a recieve_event", "the Recieve2 call"]
)
def test_code_is_left_out(text: str) -> None:
    assert misspelled(text) == []


def test_every_word_of_ours_is_needed() -> None:
    everything = "\n".join(
        [*map(prose_of, PAGES), *(text for module in MODULES for text in strings_of(module))]
        + [
            text
            for template in repository_templates()
            for text in [*_texts(template.body), *_comments(template.text)]
        ]
    )
    used = {word.lower() for word in WORD.findall(re.sub(r"`[^`]*`|\S*://\S+", " ", everything))}
    assert sorted(OURS - used) == []
    assert sorted(dictionary().known(OURS)) == []
