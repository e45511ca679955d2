"""What the server process is told by the one that starts it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SECRET_ACCESS_KEY = "test"  # noqa: S105 - the emulator's one fixed secret, worth nothing outside of it
PARTITION = "aws"  # the emulated organization's; templates take it from AWS::Partition


def root(account: str) -> dict[str, str]:
    """The credentials of an account's root: its id is the access key."""
    return {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}


@dataclass(frozen=True)
class Configuration:
    """The settings file of a server: accounts is name → 12-digit id."""

    accounts: dict[str, str]
    management: str
    home_region: str
    port: int
    endpoint: str
    authority: str
    certificate: str
    key: str
    token: str

    @classmethod
    def read(cls, settings: Path) -> Self:
        return cls(**json.loads(settings.read_text()))
