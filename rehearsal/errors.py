"""Everything the rehearsal can refuse or find wrong. None of these reaches a person as a traceback.

RehearsalError                 anything foreseen
├── SetupError                 nothing was rehearsed (exit code 2)
│   ├── PrerequisiteError      the machine lacks something, or a port is taken
│   ├── RunbookError           the README cannot be carried out as it is written
│   ├── TargetsError           aws-backup-ssm-targets.json is malformed
│   └── UnsupportedError       a template or buildspec asks for what the rehearsal does not know
└── StepError                  a step was carried out and failed (exit code 1)
    ├── CommandError           a command of the README
    ├── StackError             a stack did not become complete
    ├── ActionError            an action of the pipeline
    └── OutcomeError           an account does not hold what it must
"""

from __future__ import annotations


class RehearsalError(Exception):
    """Anything foreseen: the message names the cause and what to do; `details` are further lines to show."""

    exit_code = 1

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.details = details


class SetupError(RehearsalError):
    """Nothing was rehearsed: the machine, the README or a file has to be put right first."""

    exit_code = 2


class PrerequisiteError(SetupError):
    """The machine lacks something, or a port is taken."""


class RunbookError(SetupError):
    """The README cannot be carried out as it is written."""


class TargetsError(SetupError):
    """aws-backup-ssm-targets.json is malformed."""


class UnsupportedError(SetupError):
    """A template or buildspec asks for something that the rehearsal does not know how to carry out."""


class StepError(RehearsalError):
    """A step was carried out and failed."""


class CommandError(StepError):
    """A command of the README failed."""


class StackError(StepError):
    """A stack did not become complete."""


class ActionError(StepError):
    """An action of the pipeline failed."""


class OutcomeError(StepError):
    """An account does not hold what it must hold."""
