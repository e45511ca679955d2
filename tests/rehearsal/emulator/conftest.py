"""One emulated organization for all tests but those that change the organization itself."""

from collections.abc import Iterator

import pytest

from rehearsal.emulator import Emulator
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World, organize


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator."""
    with Emulator(tmp_path_factory.mktemp("emulator"), ACCOUNTS, HOME_REGION) as running:
        yield running


@pytest.fixture(scope="session")
def world(emulator: Emulator) -> World:
    """A running emulator with its organization. Each test module uses names of its own in it."""
    return organize(emulator)
