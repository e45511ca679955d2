"""What makes the tests of this folder quick."""

from collections.abc import Iterator
from functools import cache

import pytest
from botocore.loaders import JSONFileLoader


@pytest.fixture(scope="session", autouse=True)
def parse_once() -> Iterator[None]:
    """Parse each of botocore's files once: moto creates many sessions, and each would parse them again."""
    parse = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: parse(path))
        yield
