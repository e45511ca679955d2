"""Pipeline variables: `#{Namespace.NAME}` in the configuration of an action. Pure.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.errors import ActionError

_VARIABLE: Final = re.compile(r"#\{([^{}]*)\}")

Namespaces = Mapping[str, Mapping[str, str]]


def resolve(text: str, namespaces: Namespaces) -> str:
    """The text with every variable replaced. Raises ActionError with the first unknown one."""

    def value(match: re.Match[str]) -> str:
        namespace, _, name = match[1].partition(".")
        try:
            return namespaces[namespace][name]
        except KeyError:
            known = ", ".join(f"{space}.{key}" for space in sorted(namespaces) for key in namespaces[space])
            raise ActionError(
                f"the variable #{{{match[1]}}} has no value. Known: {known or 'none'}."
            ) from None

    return _VARIABLE.sub(value, text)
