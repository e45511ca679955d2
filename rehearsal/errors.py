"""Everything the rehearsal can refuse or find wrong. None of these reaches the user as a traceback.

RehearsalError                 any expected error
├── SetupError                 nothing was rehearsed (exit code 2)
│   ├── PrerequisiteError      the machine lacks something, or a port is in use
│   ├── RunbookError           the README cannot be run as it is written
│   ├── TargetsError           aws-backup-ssm-targets.json is malformed
│   └── UnsupportedError       a template or buildspec uses what the rehearsal does not support
└── StepError                  a step ran and failed (exit code 1)
    ├── CommandError           a command of the README
    ├── StackError             a stack did not become complete
    ├── ActionError            an action of the pipeline
    └── OutcomeError           an account does not have what it must
"""

from __future__ import annotations


class RehearsalError(Exception):
    """Any expected error: the message names the cause and what to do; `details` are further lines."""

    exit_code = 1

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.details = details


class SetupError(RehearsalError):
    """Nothing was rehearsed: the machine, the README or a file has to be corrected first."""

    exit_code = 2


class PrerequisiteError(SetupError):
    """The machine lacks something, or a port is in use."""


class RunbookError(SetupError):
    """The README cannot be run as it is written."""


class TargetsError(SetupError):
    """aws-backup-ssm-targets.json is malformed."""


class UnsupportedError(SetupError):
    """A template or buildspec uses something that the rehearsal does not support."""


class StepError(RehearsalError):
    """A step ran and failed."""


class CommandError(StepError):
    """A command of the README failed."""


class StackError(StepError):
    """A stack did not become complete."""


class ActionError(StepError):
    """An action of the pipeline failed."""


class OutcomeError(StepError):
    """An account does not have what it must have."""
