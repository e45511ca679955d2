"""Everything that this function reports as FAILED.

    PolicyManagerError
    ├── NotARequestError      the event did not come from CloudFormation: there is nobody to answer
    ├── InvalidRequestError   the properties or the policy's text are wrong; nothing was written
    ├── CallFailedError       AWS refused a call and repeating it cannot help
    ├── NameTakenError        a policy that this request may not touch has this name
    ├── OutOfTimeError        the Lambda's time is nearly used up
    └── RevertedError         a change failed on the way; says what was put back

crhelper keeps the last 240 characters of a longer reason, so `reason()` never gives more than that.
"""

from collections.abc import Sequence
from typing import NamedTuple

REASON_LIMIT = 240

# What to do about an error code of AWS, where the code's own message does not say it.
ADVICE = {
    "AccessDeniedException": "Update stack aws-backup-backuporgpolicymanager-mangement-role.",
    "AWSOrganizationsNotInUseException": "OrgManagementAccount is not an organization's management account.",
    "MalformedPolicyDocumentException": "Correct PolicyContent.",
    "PolicyTypeNotEnabledException": "Run aws organizations enable-policy-type for BACKUP_POLICY.",
    "TargetNotFoundException": "Correct PolicyTargets.",
}


class Fault(NamedTuple):
    """One thing wrong with a request: `where` starts with the property's name."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def property_name(self) -> str:
        return self.where.split(".")[0].split("[")[0]


class PolicyManagerError(Exception):
    """The base of this package's errors."""

    def reason(self) -> str:
        """At most 240 characters for CloudFormation; the log has the whole text."""
        return shorten(str(self))


class NotARequestError(PolicyManagerError):
    """Raised for an event without CloudFormation's request fields, such as a manual test invocation."""


class InvalidRequestError(PolicyManagerError):
    """All faults of one request together."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))

    def reason(self) -> str:
        """As many whole faults as fit; the properties of the others are named at least."""
        if len(str(self)) <= REASON_LIMIT:
            return str(self)
        for shown in range(len(self.faults) - 1, 0, -1):
            text = "; ".join(str(fault) for fault in self.faults[:shown]) + self._others(shown)
            if len(text) <= REASON_LIMIT:
                return text
        others = shorten(self._others(1), REASON_LIMIT // 2)
        return _shorten_within(str(self.faults[0]), REASON_LIMIT - len(others)) + others

    def _others(self, shown: int) -> str:
        names = dict.fromkeys(fault.property_name for fault in self.faults[shown:])
        return f"; {len(self.faults) - shown} more in the log ({', '.join(names)})" if names else ""


class CallFailedError(PolicyManagerError):
    """AWS answered a call with an error that a retry cannot heal."""

    def __init__(self, what: str, code: str, message: str, *, maybe_done: bool = False) -> None:
        self.code = code
        # An earlier try of the same call ended without an answer, so it may have taken effect.
        self.maybe_done = maybe_done
        advice = ADVICE.get(code)
        super().__init__(f"{what}: {code}: {message.strip().rstrip('.')}." + (f" {advice}" if advice else ""))


class NameTakenError(PolicyManagerError):
    """The requested name is that of a policy that this request may not touch; says whose it is."""

    maybe_done = False  # who has the name is known: it is not a policy of this request

    def __init__(self, name: str, policy_id: str, owner: str) -> None:
        self.policy_id = policy_id
        super().__init__(
            f"PolicyName: {name} is the name of policy {policy_id}, which {owner}. Choose another name."
        )


class OutOfTimeError(PolicyManagerError):
    """Stopped before Lambda would have ended the function without an answer."""

    def __init__(self, what: str, last_error: str | None = None, *, maybe_done: bool = False) -> None:
        self.maybe_done = maybe_done
        super().__init__(f"{what}: no time left" + (f", last answer {last_error}" if last_error else ""))


class RevertedError(PolicyManagerError):
    """A change failed after others had been made; `left` is what could not be put back.

    `policy_id` is a policy that this request created and that still exists, if there is one.
    """

    def __init__(
        self, cause: Exception, made: int, planned: int, left: Sequence[str], policy_id: str | None
    ) -> None:
        self.policy_id = policy_id
        self.left = tuple(left)
        done = f"{made} of {planned} changes made"
        if not left:
            self._state = f"({done}, all put back)" if made else "(nothing was changed)"
        else:
            self._state = f"({done}; {len(left)} not put back, the rollback does: {', '.join(left)})"
        self._cause = cause.reason() if isinstance(cause, PolicyManagerError) else str(cause)
        super().__init__(f"{cause} {self._state}")

    def reason(self) -> str:
        """The state of the organization is never cut away by a long cause."""
        state = shorten(self._state, REASON_LIMIT // 2)
        return f"{shorten(self._cause, REASON_LIMIT - len(state) - 1)} {state}"


def shorten(text: str, limit: int = REASON_LIMIT) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _shorten_within(text: str, limit: int) -> str:
    """The text, or its two ends: a fault's path begins with the property and ends with what is wrong."""
    if len(text) <= limit:
        return text
    return text[: limit // 3] + "…" + text[len(text) - limit + limit // 3 + 1 :]
