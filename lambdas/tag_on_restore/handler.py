"""Entry point of the Lambda function TagOnRestore."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from . import restore, sweep
from .aws import Aws
from .errors import TagOnRestoreError
from .event import SweepRequest, parse
from .result import LOGGER, emit_metrics
from .settings import Settings


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Tag what one restore job created, or sweep past restore jobs.

    Takes a "Restore Job State Change" event or {"RefreshTagItems": "true"[, "since"][, "until"]}. Raises
    TagOnRestoreError, so that Lambda retries the event and then sends it to the dead-letter queue.
    """
    settings = Settings.from_environment(os.environ)
    LOGGER.setLevel(settings.log_level)
    try:
        request = parse(event, datetime.now(UTC))
        if isinstance(request, SweepRequest):
            swept = sweep.run(_aws(), settings, request, context.get_remaining_time_in_millis)
            emit_metrics(swept.metrics())
            return swept.response()
        result = restore.handle_event(_aws(), settings, request)
    except TagOnRestoreError as error:
        # Lambda logs the stack trace.
        LOGGER.error("failed error=%s reason=%s", type(error).__name__, error)
        raise
    result.log()
    emit_metrics(result.metrics())
    return result.response()


@cache
def _aws() -> Aws:
    """One set of clients for all invocations of an execution environment, created by the first."""
    return Aws()
