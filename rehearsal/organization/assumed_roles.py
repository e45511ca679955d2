"""Roles that an AWS service assumes: the pipeline's, a build's, a backup's."""

from __future__ import annotations

import threading

from rehearsal.emulator import Emulator
from rehearsal.emulator.errors import ControlError
from rehearsal.errors import ActionError
from rehearsal.machine.environment import Caller


class Roles:
    """Assumes roles as AWS services do; the emulator evaluates the trust policy of each role."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._roles: dict[tuple[str, str, str, str], Caller] = {}
        self._lock = threading.Lock()

    def assume(self, role_arn: str, service: str, region: str, source: str) -> Caller:
        """Assume a role as `service` (codebuild.amazonaws.com), for its resource `source` (an ARN).

        Raises ActionError if the trust policy denies it.
        """
        key = (role_arn, service, region, source)
        with self._lock:
            if key not in self._roles:
                try:
                    self._roles[key] = self._emulator.service_credentials(role_arn, service, region, source)
                except ControlError as refused:
                    raise ActionError(f"{service} cannot assume the role for {source}: {refused}") from None
            return self._roles[key]
