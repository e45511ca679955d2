"""What every test on a running emulator needs."""

import shutil
from collections.abc import Iterator

import pytest

from rehearsal.emulator import Emulator
from rehearsal.organization.plan import DEFAULT


@pytest.fixture(scope="session")
def openssl() -> None:
    """The emulator makes its TLS certificate with it; a test that needs one is skipped, visibly, without."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: the emulator makes its TLS certificate with it")


@pytest.fixture(scope="session")
def emulator(openssl: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator without an organization. Modules that share it keep to accounts of their own."""
    with Emulator(tmp_path_factory.mktemp("emulator"), DEFAULT.accounts, DEFAULT.home_region) as running:
        yield running
