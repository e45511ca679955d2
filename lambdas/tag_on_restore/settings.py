"""The function's settings, from the environment variables that its template sets."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ConfigurationError
from .tags import Exclusions

_BOOLEANS = {"true": True, "false": False}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """`overwrite`: the source's value replaces the value that the restored resource has.

    `selection_keys` select resources for backup: only what the restore job created gets them.
    """

    exclusions: Exclusions
    selection_keys: frozenset[str]
    overwrite: bool = False
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """ConfigurationError names the variable whose value is invalid."""
        overwrite = environment.get("OVERWRITE_EXISTING_TAGS", "false").strip().lower()
        if overwrite not in _BOOLEANS:
            raise ConfigurationError(f"OVERWRITE_EXISTING_TAGS is {overwrite!r}; use true or false.")
        level = environment.get("LOG_LEVEL", "INFO").strip().upper()
        if level not in _LEVELS:
            raise ConfigurationError(f"LOG_LEVEL is {level!r}; use one of {', '.join(_LEVELS)}.")
        excluded = environment.get("TAGS_TO_EXCLUDE_IN_COPY", "aws:backup:source-resource")
        keys = frozenset(environment.get("BACKUP_SELECTION_KEYS", "backup").split(","))
        return cls(Exclusions.parse(excluded), keys, _BOOLEANS[overwrite], level)
