"""The part of bash's grammar that shows where a command ends and which programs it starts. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<space>     [ \t]+ | \\\n )
  | (?P<comment>   (?<![^\s;&|()]) \# [^\n]* )
  | (?P<heredoc>   <<(?!<) )
  | (?P<operator>  \n | && | \|\| | [;&|()] )
  | (?P<word>      (?: [^\s;&|()'"\\] | \\[^\n] | '[^']*' | "(?:[^"\\]|\\.)*" )+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENS: Final = frozenset({"for", "while", "until", "if", "case", "select", "{"})
_CLOSES: Final = frozenset({"done", "fi", "esac", "}"})
# After these words the next word is a program again.
_LEADING: Final = _OPENS - {"for", "case", "select"} | _CLOSES | {"do", "then", "else", "elif", "!", "time"}
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")


class HereDocumentError(ValueError):
    """The text has a here-document, whose end one line does not show."""


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Type and text of every operator and word; ("open", rest) where a quote or backslash stays open."""
    index = 0
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            yield "open", text[index:]
            return
        if match.lastgroup == "heredoc":
            raise HereDocumentError(text)
        if match.lastgroup in ("operator", "word"):
            yield match.lastgroup, match.group()
        index = match.end()


def is_complete(text: str) -> bool:
    """Whether bash would run this text rather than read another line. Raises HereDocumentError."""
    depth, starts, last = 0, True, ""
    for kind, word in _tokens(text):
        if kind == "open":
            return False
        if kind == "operator":
            depth += {"(": 1, ")": -1}.get(word, 0)
            starts = True
        elif starts:
            depth += (word in _OPENS) - (word in _CLOSES)
            starts = word in _LEADING or _ASSIGNMENT.match(word) is not None
        if word != "\n":
            last = word
    return depth <= 0 and last not in ("&&", "||", "|")


def simple_commands(text: str) -> list[list[str]]:
    """The words of each plain command in the text, unquoted, without keywords and leading assignments.

    `for r in a b; do aws s3 ls --region "$r"; done` → [["for", "r", "in", "a", "b"], ["aws", "s3", …]]
    """
    found: list[list[str]] = [[]]
    for kind, word in _tokens(text):
        if kind != "word":
            found.append([])
        elif found[-1] or not (word in _LEADING or _ASSIGNMENT.match(word)):
            found[-1].append(_unquoted(word))
    return [words for words in found if words]


def _unquoted(word: str) -> str:
    """One word as the program receives it (its $variables stay as written)."""
    return "".join(shlex.split(word)) if word else word
