"""One copy of botocore's service models for all tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader

from rehearsal.machine import environment


@pytest.fixture(scope="session", autouse=True)
def shared_service_models() -> Iterator[None]:
    """Read botocore's files once: moto creates many sessions, and each would read them again."""
    create = Loader.__init__
    cache = environment.session()._loader._cache

    def create_with_cache(self: Loader, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        self._cache = cache

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "__init__", create_with_cache)
        yield
