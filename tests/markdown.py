"""Reads a Markdown page: its sections, tables, links, fenced blocks and prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from buildspecs.paths import ROOT

# The label of a link, such as "a" of [text][a], is kept: two labels may have one address.
_PARSER = MarkdownIt("commonmark", {"store_labels": True}).enable("table")


class Page:
    """A page of the repository, or a section of one."""

    def __init__(self, text: str, file: Path) -> None:
        environment: dict[str, Any] = {}
        self.text = text
        self.file = file
        self._tokens: list[Token] = _PARSER.parse(text, environment)
        references = environment.get("references", {}).items()
        self.definitions = {label.lower(): str(reference["href"]) for label, reference in references}

    @classmethod
    def read(cls, path: str | Path) -> Page:
        """The page with this path from the root."""
        return cls((ROOT / path).read_text(encoding="utf-8"), ROOT / path)

    def __str__(self) -> str:
        return self.file.relative_to(ROOT).as_posix()

    @property
    def headings(self) -> list[str]:
        return [heading for _, _, heading in self._headings()]

    @property
    def anchors(self) -> set[str]:
        """What a link to a heading of the page has after #."""
        return {
            re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in self.headings
        }

    def section(self, heading: str) -> Page:
        """The page between a heading and the next one of its level or above."""
        found = list(self._headings())
        ((level, start),) = [(level, line) for level, line, title in found if title == heading]
        lines = self.text.splitlines(keepends=True)
        ends = [line for other, line, _ in found if line > start and other <= level]
        return Page("".join(lines[start + 1 : min(ends, default=len(lines))]), self.file)

    def tables(self) -> Iterator[list[dict[str, str]]]:
        """The rows of each table: header → cell, as it is written."""
        rows: list[list[str]] = []
        line = ""
        for token, content in self._pairs():
            if token.type == "table_open":
                rows = []
            elif token.type == "tr_open" and token.map:
                rows.append([])
                line = self.text.split("\n")[token.map[0]]
            elif token.type == "tr_close":
                # The parser adds missing cells and drops those that are too many.
                written = len(re.findall(r"(?<!\\)\|", line)) - 1
                assert written == len(rows[0]), f"{self}: {len(rows[0])} columns, {written} cells: {line}"
            elif token.type in ("th_open", "td_open"):
                rows[-1].append(content.content)
            elif token.type == "table_close":
                yield [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    def table(self, first_column: str) -> list[dict[str, str]]:
        """The rows of the one table whose first column has this header."""
        (found,) = [rows for rows in self.tables() if next(iter(rows[0])) == first_column]
        return found

    def blocks(self, language: str) -> list[str]:
        return [token.content for token in self._tokens if token.type == "fence" and token.info == language]

    @property
    def links(self) -> list[tuple[str, str]]:
        """(file or address, section) of every link and image; each may be empty."""
        targets = [
            str(child.attrs["href" if child.type == "link_open" else "src"])
            for child in self._children()
            if child.type in ("link_open", "image")
        ]
        return [(target, section) for target, _, section in (each.partition("#") for each in targets)]

    @property
    def labels(self) -> set[str]:
        """The labels of its links that are defined."""
        return {child.meta["label"].lower() for child in self._children() if "label" in child.meta}

    @property
    def prose(self) -> str:
        """Headings, paragraphs, lists and tables, without code and addresses."""
        lines = (child.content for child in self._children() if child.type in ("text", "image"))
        return "\n".join(lines)

    @property
    def code(self) -> list[str]:
        """What is in backticks."""
        return [child.content for child in self._children() if child.type == "code_inline"]

    @property
    def without_blocks(self) -> str:
        """The text, in which every line of a fenced block is empty."""
        lines = self.text.split("\n")
        for token in self._tokens:
            if token.type == "fence" and token.map:
                first, end = token.map
                lines[first:end] = [""] * (end - first)
        return "\n".join(lines)

    def _pairs(self) -> Iterator[tuple[Token, Token]]:
        """Each token with the one after it."""
        return zip(self._tokens, [*self._tokens[1:], self._tokens[-1]], strict=True)

    def _headings(self) -> Iterator[tuple[int, int, str]]:
        """Level, line and title of each heading."""
        for token, title in self._pairs():
            if token.type == "heading_open" and token.map:
                yield int(token.tag.removeprefix("h")), token.map[0], title.content

    def _children(self) -> Iterator[Token]:
        for token in self._tokens:
            yield from token.children or ()


@cache
def pages() -> list[Page]:
    """Every page of the repository."""
    patterns = ("*.md", "docs/**/*.md", "templates/**/*.md", "rehearsal/**/*.md")
    return [Page.read(path) for pattern in patterns for path in sorted(ROOT.glob(pattern))]
