"""What several tests share."""

from datetime import UTC, datetime

NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
