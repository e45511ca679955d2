"""What a rule finds, and what a rule is: a pure function from one template, or several, to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from buildspecs.lint.templates import Template


@dataclass(frozen=True)
class Finding:
    """A fault: where it is, and what to do about it."""

    file: str
    resource: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.resource}: {self.reason}"


Check = Callable[[Template], Iterator[Finding]]
SetCheck = Callable[[Sequence[Template]], Iterator[Finding]]
