"""Templates with a fault planted, and parts of the README."""

from __future__ import annotations

from cfnlint.decode import decode_str

from buildspecs.lint.templates import Template, plain
from buildspecs.paths import ROOT

BAD = ROOT / "tests" / "templates" / "bad"


def below(text: str, heading: str) -> str:
    """What stands below a heading of the README; its level is part of it, and its end may be left out."""
    _, found, rest = text.partition(f"\n{heading}")
    if not found:
        raise AssertionError(f"README.md has no heading {heading}")
    return rest


def changed(template: Template, old: str, new: str) -> Template:
    """The template with a fault planted: a text that it holds once is another one."""
    if template.text.count(old) != 1:
        raise AssertionError(f"{template.path} holds {template.text.count(old)} times instead of once: {old}")
    text = template.text.replace(old, new)
    body, faults = decode_str(text)
    if body is None or faults:
        raise AssertionError(f"{template.path} with {new}: {faults[0].message if faults else 'no template'}")
    return Template(template.path, text, plain(body, template.path))
