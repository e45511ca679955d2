"""A member account in one Region, with the clients of its root user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rehearsal.emulator import Emulator
from rehearsal.place import Place


@dataclass(frozen=True)
class Member(Place):
    emulator: Emulator

    def client(self, service: str) -> Any:
        return self.emulator.session(self.account, self.region).client(service)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
