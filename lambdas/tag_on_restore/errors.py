"""Everything that TagOnRestore raises on its own account.

TagOnRestoreError
├── ConfigurationError            an environment variable has a value that the function cannot use
├── MalformedEventError           the event is no restore job and no sweep, or lacks what nobody can tell
├── RestoreJobRefusedError        the event names a job that does not exist here or is not COMPLETED
├── CallFailedError               AWS refused a call, or botocore gave up retrying it
├── RestoredResourceMissingError  the resource that the job created is not there (yet, or any more)
└── TagsUnavailableError          neither the source nor its recovery point can say which tags are right

None of them is caught for a single event: Lambda repeats the event, then puts it into the dead-letter queue
together with the message. The sweep counts them and goes on.
"""

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


class TagOnRestoreError(Exception):
    """Base of all errors of this function."""


class ConfigurationError(TagOnRestoreError):
    """An environment variable has a value that the function cannot use."""


class MalformedEventError(TagOnRestoreError):
    """The event can never be handled, however often it is repeated."""


class RestoreJobRefusedError(TagOnRestoreError):
    """AWS Backup knows no such job in this account and Region, or has not completed it."""


class CallFailedError(TagOnRestoreError):
    """AWS refused a call or did not answer: `code` as AWS gave it ("" without answer)."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def denied(self) -> bool:
        """Whether AWS says that the caller may not do this. It says so, too, for some of what does not
        exist."""
        return self.code in _DENIED


class RestoredResourceMissingError(TagOnRestoreError):
    """The resource that the restore job created does not exist."""


class TagsUnavailableError(TagOnRestoreError):
    """The source is gone or out of reach and the recovery point carries no readable tags."""
