"""What every test on a running emulator needs."""

import shutil

import pytest


@pytest.fixture(scope="session")
def openssl() -> None:
    """The emulator makes its TLS certificate with it; a test that needs one is skipped, visibly, without."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: the emulator makes its TLS certificate with it")
