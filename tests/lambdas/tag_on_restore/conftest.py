"""What moto loads is loaded once for all tests of this folder."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader

from rehearsal.machine import environment


@pytest.fixture(scope="session", autouse=True)
def load_once() -> Iterator[None]:
    """Share a cache: moto creates many sessions, each of which would read botocore's files again.

    pytest ends with several garbage collections, which take a second for what moto has loaded: one is enough.
    """
    create = Loader.__init__
    cache = environment.session()._loader._cache

    def create_with_cache(self: Loader, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        self._cache = cache

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "__init__", create_with_cache)
        yield
    gc.collect()
    gc.freeze()
