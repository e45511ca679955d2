"""The one poller: waits for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.02


def until(look: Callable[[], T], seconds: float) -> T:
    """What `look` returns: the first true value, or after so many seconds the last one."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return found
