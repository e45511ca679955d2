"""The README as a runbook: which commands, in which order, in which account. Pure: text in, commands out.

A command is a line, with its continuations, of a fenced ```bash block. Its section is the enclosing `## …`
heading; its account is the one that the nearest enclosing heading names ("central account"). `<kebab-case>`
words are placeholders that the operator fills in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rehearsal.errors import RunbookError
from rehearsal.machine.shell_words import HereDocumentError, is_complete, simple_commands

ACCOUNTS: Final = ("management", "home", "central", "member")

_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9]*(?:-[a-z0-9]+)*)>")
_LOOKS_LIKE_PLACEHOLDER = re.compile(r"<([A-Za-z][\w.-]*)>")
_FILE = re.compile(r"\bfileb?://([^\s\"',;]+)")
# Every command has its own shell: what these change is lost before the next one starts.
_NEEDS_A_SESSION = ("cd", "export", "source", ".", "set", "unset", "alias", "pushd", "popd")


@dataclass(frozen=True)
class Heading:
    level: int
    title: str
    line: int


@dataclass(frozen=True)
class Command:
    """One command of the README, as written (comments dropped, continuations kept)."""

    text: str
    line: int  # of the README, from 1
    headings: tuple[Heading, ...]  # outermost first

    @property
    def section(self) -> str:
        """Title of the enclosing `## …` heading; empty above the first."""
        return next((heading.title for heading in self.headings if heading.level == 2), "")

    @property
    def account(self) -> str:
        """One of ACCOUNTS. Raises RunbookError when no enclosing heading names exactly one of them."""
        for heading in reversed(self.headings):
            if re.search(r"\baccounts?\b", heading.title, re.IGNORECASE):
                return _account_of(heading)
        where = f'"{self.headings[-1].title}"' if self.headings else "the top of the file"
        raise RunbookError(
            f"README line {self.line}: no heading above this command names its account ({where}). "
            f'Name one of {", ".join(ACCOUNTS)} followed by "account" in the heading.',
            self.text,
        )

    @property
    def placeholders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.text)))

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the file:// parameters without a placeholder."""
        return tuple(path for path in files(self.text) if "<" not in path)


def _account_of(heading: Heading) -> str:
    named = [name for name in ACCOUNTS if re.search(rf"\b{name} accounts?\b", heading.title, re.IGNORECASE)]
    if len(named) == 1:
        return named[0]
    problem = "names more than one account" if named else "does not name a known account"
    raise RunbookError(
        f'README line {heading.line}: the heading "{heading.title}" {problem}. '
        f"The accounts are {', '.join(ACCOUNTS)}; commands in two accounts need two headings."
    )


def parse(text: str) -> list[Command]:
    """Every command of every ```bash block, in order. Raises RunbookError for a block that cannot be run."""
    commands: list[Command] = []
    headings: list[Heading] = []
    tokens = MarkdownIt("commonmark").parse(text)
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            level = int(token.tag.removeprefix("h"))
            headings = [heading for heading in headings if heading.level < level]
            headings.append(Heading(level, tokens[number + 1].content, _lines(token)[0]))
        elif token.type == "fence":
            block = _block(token)
            if token.info.lower().split()[:1] == ["bash"]:
                commands += [Command(text, line, tuple(headings)) for line, text in _split(block)]
    return commands


def _lines(token: Token) -> tuple[int, int]:
    """The first and the last line, from 1."""
    assert token.map  # noqa: S101 - headings and fenced blocks have it
    return token.map[0] + 1, token.map[1]


def _block(fence: Token) -> list[tuple[int, str]]:
    """The numbered lines between two fences. Raises RunbookError where the second is missing."""
    first, last = _lines(fence)
    lines = fence.content.removesuffix("\n").split("\n") if fence.content else []
    if len(lines) != last - first - 1:
        raise RunbookError(f"README line {first}: this fenced block is not closed.")
    return list(enumerate(lines, start=first + 1))


def _split(block: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Line number and text of each command of one block."""
    pending: list[str] = []
    start = 0
    for number, line in block:
        if not pending:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            start = number
        pending.append(line)
        try:
            complete = is_complete("\n".join(pending))
        except HereDocumentError:
            raise RunbookError(
                f"README line {start}: a here-document is not supported. Put the text into a file.",
                "\n".join(pending),
            ) from None
        if complete:
            yield start, "\n".join(pending).strip()
            pending = []
    if pending:
        raise RunbookError(
            f"README line {start}: the block ends inside this command "
            "(an open quote, bracket or loop, or a backslash).",
            "\n".join(pending),
        )


def select(commands: Iterable[Command], sections: Iterable[str]) -> list[Command]:
    """The commands of these sections, in the README's order. A section without a command is an error."""
    wanted = list(sections)
    chosen = [command for command in commands if command.section in wanted]
    for section in wanted:
        if not any(command.section == section for command in chosen):
            raise RunbookError(f'README: no command under a heading "## {section}".')
    return chosen


def check(commands: Iterable[Command], known: Iterable[str], folder: Path) -> None:
    """Check all that can be checked before the first command runs. Raises RunbookError.

    `known` are the placeholders that have a value; `folder` is where the commands run.
    """
    names = sorted(known)
    for command in commands:
        _ = command.account
        _check_words(command)
        for name in command.placeholders:
            if name not in names:
                raise RunbookError(
                    f"README line {command.line}: the placeholder <{name}> is unknown. "
                    f"Known: {', '.join(f'<{known}>' for known in names)}.",
                    command.text,
                )
        for path in command.files:
            if not (folder / path).is_file():
                raise RunbookError(
                    f"README line {command.line}: file://{path} does not exist in the repository.",
                    command.text,
                )


def _check_words(command: Command) -> None:
    for name in _LOOKS_LIKE_PLACEHOLDER.findall(command.text):
        if not _PLACEHOLDER.fullmatch(f"<{name}>"):
            raise RunbookError(
                f"README line {command.line}: <{name}> looks like a placeholder, but is not in kebab-case.",
                command.text,
            )
    programs = simple_commands(command.text)
    if not programs or (len(programs) == 1 and programs[0][0] in _NEEDS_A_SESSION):
        raise RunbookError(
            f"README line {command.line}: this changes only its own shell, and every command has its own. "
            "Write a plain command, with a <placeholder> for a value.",
            command.text,
        )


def files(text: str) -> list[str]:
    """Paths of the file:// parameters."""
    return list(dict.fromkeys(_FILE.findall(text)))


def fill(command: Command, values: Mapping[str, Callable[[], str]]) -> str:
    """The command with every placeholder replaced by what its function returns."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]](), command.text)


@dataclass(frozen=True)
class AwsCall:
    """One call of the AWS CLI: `aws cloudformation create-stack --stack-name x --region y`."""

    service: str
    operation: str
    options: Mapping[str, str]  # the first value of each --option


def aws_calls(text: str) -> list[AwsCall]:
    """The AWS CLI calls of a filled command, in order."""
    return [
        AwsCall(words[1], words[2], _options(words[3:]))
        for words in simple_commands(text)
        if words[0] == "aws" and len(words) > 2
    ]


def _options(words: Sequence[str]) -> dict[str, str]:
    return {
        name: "" if value.startswith("--") else value
        for name, value in zip(words, [*words[1:], ""], strict=False)
        if name.startswith("--")
    }
