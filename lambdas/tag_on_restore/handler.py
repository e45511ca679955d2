"""Entry point of the Lambda function TagOnRestore."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from . import restore, sweep
from .aws import Aws
from .errors import TagOnRestoreError
from .event import SweepRequest, parse
from .outcome import LOGGER, emit_metrics
from .settings import Settings


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Tag what one restore job created, or sweep through past jobs.

    Takes a "Restore Job State Change" event or {"RefreshTagItems": "true"[, "since"][, "until"]}; returns the
    outcome or the sweep's counts. Raises TagOnRestoreError, so that Lambda repeats the event and then keeps
    it in the queue.
    """
    settings = Settings.from_environment(os.environ)
    LOGGER.setLevel(settings.log_level)
    try:
        request = parse(event, datetime.now(UTC))
        if isinstance(request, SweepRequest):
            result = sweep.run(_aws(), settings, request, context.get_remaining_time_in_millis)
            emit_metrics(result.metrics())
            return result.answer()
        outcome = restore.handle(_aws(), settings, request)
    except TagOnRestoreError as error:
        # Lambda logs the stack itself.
        LOGGER.error("failed error=%s reason=%s", type(error).__name__, error)
        raise
    outcome.log()
    emit_metrics(outcome.metrics())
    return outcome.answer()


@cache
def _aws() -> Aws:
    """One set of clients for all invocations of this execution environment, made at the first one."""
    return Aws()
