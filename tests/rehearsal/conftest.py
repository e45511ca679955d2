"""The emulator that test modules share."""

from collections.abc import Iterator

import pytest

from rehearsal.emulator import Emulator
from rehearsal.organization.plan import DEFAULT


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator without an organization. A module that shares it keeps to accounts of its own."""
    with Emulator(tmp_path_factory.mktemp("emulator"), DEFAULT.accounts, DEFAULT.home_region) as running:
        yield running
