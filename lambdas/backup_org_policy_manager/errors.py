"""Everything that this function reports as FAILED.

    PolicyManagerError
    ├── NotARequestError      the event did not come from CloudFormation, so no response can be sent
    ├── InvalidRequestError   the properties or the policy's text are wrong; nothing was written
    ├── CallFailedError       AWS refused a call, and a retry cannot help
    ├── NameTakenError        a policy that this request must not change has this name
    ├── OutOfTimeError        the function is about to time out
    └── RevertedError         a change failed; says what was reverted

crhelper keeps only the last 240 characters of a longer reason, so `reason()` never returns more.
"""

from collections.abc import Sequence
from typing import NamedTuple

MAX_REASON = 240

# What to do about an AWS error whose message does not say it.
ADVICE = {
    "AccessDeniedException": "Update stack aws-backup-backuporgpolicymanager-mangement-role.",
    "AWSOrganizationsNotInUseException": "OrgManagementAccount is not an organization's management account.",
    "MalformedPolicyDocumentException": "Correct PolicyContent.",
    "PolicyTypeNotEnabledException": "Run aws organizations enable-policy-type for BACKUP_POLICY.",
    "TargetNotFoundException": "Correct PolicyTargets.",
}


class Problem(NamedTuple):
    """One problem with a request: `where` starts with the property's name."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def property_name(self) -> str:
        return self.where.split(".")[0].split("[")[0]


class PolicyManagerError(Exception):
    """The base class of this package's errors."""

    def reason(self) -> str:
        """At most 240 characters, for CloudFormation; the log has the full text."""
        return shorten(str(self))


class NotARequestError(PolicyManagerError):
    """Raised for an event without CloudFormation's request fields, such as a manual test."""


class InvalidRequestError(PolicyManagerError):
    """All problems with one request."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    def reason(self) -> str:
        """As many complete problems as fit, and the property names of the others."""
        if len(str(self)) <= MAX_REASON:
            return str(self)
        for shown in range(len(self.problems) - 1, 0, -1):
            text = "; ".join(str(problem) for problem in self.problems[:shown]) + self._others(shown)
            if len(text) <= MAX_REASON:
                return text
        others = shorten(self._others(1), MAX_REASON // 2)
        return _shorten_within(str(self.problems[0]), MAX_REASON - len(others)) + others

    def _others(self, shown: int) -> str:
        names = dict.fromkeys(problem.property_name for problem in self.problems[shown:])
        return f"; {len(self.problems) - shown} more in the log ({', '.join(names)})" if names else ""


class CallFailedError(PolicyManagerError):
    """AWS refused a call, and a retry cannot help."""

    def __init__(self, what: str, code: str, message: str, *, outcome_unknown: bool = False) -> None:
        self.code = code
        # No response arrived to an earlier try of the same call, so it may have taken effect.
        self.outcome_unknown = outcome_unknown
        advice = ADVICE.get(code)
        super().__init__(f"{what}: {code}: {message.strip().rstrip('.')}." + (f" {advice}" if advice else ""))


class NameTakenError(PolicyManagerError):
    """The requested name belongs to a policy that this request must not change; says whose it is."""

    outcome_unknown = False  # the policy with the name is known not to be this request's

    def __init__(self, name: str, policy_id: str, owner: str) -> None:
        self.policy_id = policy_id
        super().__init__(
            f"PolicyName: {name} is the name of policy {policy_id}, which {owner}. Choose another name."
        )


class OutOfTimeError(PolicyManagerError):
    """Stopped before the function timed out without a response."""

    def __init__(self, what: str, last_error: str | None = None, *, outcome_unknown: bool = False) -> None:
        self.outcome_unknown = outcome_unknown
        super().__init__(f"{what}: no time left" + (f"; last error {last_error}" if last_error else ""))


class RevertedError(PolicyManagerError):
    """A change failed; `left` are the changes before it that could not be reverted.

    `policy_id` is the policy that this request created, if it still exists.
    """

    def __init__(
        self, cause: Exception, made: int, planned: int, left: Sequence[str], policy_id: str | None
    ) -> None:
        self.policy_id = policy_id
        self.left = tuple(left)
        done = f"{made} of {planned} changes made"
        if not left:
            self._state = f"({done}, all reverted)" if made else "(nothing was changed)"
        else:
            self._state = f"({done}; {len(left)} left to the rollback: {', '.join(left)})"
        self._cause = cause.reason() if isinstance(cause, PolicyManagerError) else str(cause)
        super().__init__(f"{cause} {self._state}")

    def reason(self) -> str:
        """The cause is shortened, the state of the organization is not."""
        state = shorten(self._state, MAX_REASON // 2)
        return f"{shorten(self._cause, MAX_REASON - len(state) - 1)} {state}"


def shorten(text: str, limit: int = MAX_REASON) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _shorten_within(text: str, limit: int) -> str:
    """The text, or its two ends: it begins with the property and ends with the problem."""
    if len(text) <= limit:
        return text
    return text[: limit // 3] + "…" + text[len(text) - limit + limit // 3 + 1 :]
