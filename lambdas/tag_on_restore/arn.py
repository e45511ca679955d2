"""Amazon Resource Names. Pure: no AWS access."""

import re
from dataclasses import dataclass

from .errors import MalformedEventError

_FORM = (
    r"arn:(?P<partition>aws[a-z0-9-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*)"
    r":(?P<account>[0-9]*):(?P<resource>\S.*)"
)


@dataclass(frozen=True)
class Arn:
    """The parts of `arn:partition:service:region:account:resource`; Region and account are "" where AWS
    omits them."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: object, field: str = "ARN") -> "Arn":
        """Split `text`; MalformedEventError names `field` if it is not an ARN."""
        match = re.fullmatch(_FORM, text, re.DOTALL) if isinstance(text, str) else None
        if match is None:
            raise MalformedEventError(f"{field} is not an ARN: {text!r:.200}. Nothing was tagged.")
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    def fits(self, pattern: str) -> bool:
        """Whether the resource part has the form of `pattern`, in which `*` matches one path segment."""
        form = "[^/]+".join(re.escape(part) for part in pattern.split("*"))
        return re.fullmatch(form, self.resource) is not None

    @property
    def name(self) -> str:
        """The last path segment: the ID of an EC2 resource, the name of a table, …"""
        return self.resource.rpartition("/")[2]

    def sibling(self, resource: str) -> "Arn":
        """Another resource of the same service, Region and account."""
        return Arn(self.partition, self.service, self.region, self.account, resource)
