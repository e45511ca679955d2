"""What both sides of the emulator know: the process that starts the server, and the server itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rehearsal.machine.environment import Caller

PARTITION = "aws"  # the emulated organization's; templates take it from AWS::Partition
SECRET_ACCESS_KEY = "test"  # noqa: S105 - the emulator's one fixed secret, worth nothing outside of it


@dataclass(frozen=True)
class Configuration:
    """The settings of a server: accounts maps names to account IDs, state is its private folder."""

    accounts: dict[str, str]
    port: int
    state: str
    token: str

    @classmethod
    def read(cls, settings: Path) -> Self:
        return cls(**json.loads(settings.read_text()))

    @property
    def management(self) -> str:
        return self.accounts["management"]

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        """What clients trust."""
        return Path(self.state) / "tls" / "authority.pem"

    @property
    def certificate(self) -> Path:
        return Path(self.state) / "tls" / "server.pem"

    @property
    def key(self) -> Path:
        return Path(self.state) / "tls" / "server.key"

    def caller(self, credentials: Mapping[str, str], region: str) -> Caller:
        return Caller(self.endpoint, str(self.authority), region, credentials)


class Roots:
    """The root user of each account in each Region, with clients that are made once."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._made: dict[tuple[str, str], Caller] = {}

    def of(self, account: str, region: str) -> Caller:
        if (account, region) not in self._made:
            credentials = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
            self._made[account, region] = self._configuration.caller(credentials, region)
        return self._made[account, region]
