"""Templates with a planted fault."""

from __future__ import annotations

from cfnlint.decode import decode_str

from buildspecs.lint.templates import Template, plain
from buildspecs.paths import ROOT

BAD = ROOT / "tests" / "templates" / "bad"


def changed(template: Template, old: str, new: str) -> Template:
    """The template with a planted fault: text that occurs once in it is replaced."""
    if template.text.count(old) != 1:
        raise AssertionError(f"{template.path} has this {template.text.count(old)} times, not once: {old}")
    text = template.text.replace(old, new)
    body, faults = decode_str(text)
    if body is None or faults:
        raise AssertionError(
            f"{template.path} with {new}: {faults[0].message if faults else 'is not a template'}"
        )
    return Template(template.path, text, plain(body, template.path))
