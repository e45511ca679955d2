"""The one poller: waits for what another process or thread does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.02


def until(look: Callable[[], T], seconds: float = math.inf, *, pause: float = _PAUSE_SECONDS) -> T:
    """What `look` returns: the first true value, or after `seconds` the last one."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(pause)
    return found
