"""Everything that TagOnRestore raises.

TagOnRestoreError
├── ConfigurationError            an environment variable has an invalid value
├── MalformedEventError           the event is neither a restore job nor a sweep request, or lacks a field
├── RestoreJobRefusedError        the event names a job that does not exist here or is not COMPLETED
├── CallFailedError               AWS rejected a call, or botocore stopped retrying it
├── RestoredResourceMissingError  the resource that the job created does not exist (yet, or no longer)
└── TagsUnavailableError          neither the source nor its recovery point has tags that can be read

A single event raises them: Lambda retries it, then sends it with the message to the dead-letter queue. A
sweep counts them and continues.
"""

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


class TagOnRestoreError(Exception):
    """Base of all errors of this function."""


class ConfigurationError(TagOnRestoreError):
    """An environment variable has an invalid value."""


class MalformedEventError(TagOnRestoreError):
    """The event cannot be handled, and a retry cannot help."""


class RestoreJobRefusedError(TagOnRestoreError):
    """AWS Backup has no such job in this account and Region, or has not completed it."""


class CallFailedError(TagOnRestoreError):
    """AWS rejected a call with `code`, or did not respond ("")."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def denied(self) -> bool:
        """Whether AWS denied access. Some services do so for resources that do not exist."""
        return self.code in _DENIED


class RestoredResourceMissingError(TagOnRestoreError):
    """The resource that the restore job created does not exist."""


class TagsUnavailableError(TagOnRestoreError):
    """Neither the source nor its recovery point has tags that can be read."""
