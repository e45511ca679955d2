"""Why a build stops. Each text names the file, parameter, bucket or region at fault and what to do next.

BuildError
├── TargetsError     aws-backup-ssm-targets.json cannot be read
├── PackagingError   a package cannot be made from its folder and its requirements.txt
├── PublishError     a bucket or a parameter in AWS did not take a package
├── LintError        there is nothing to lint
├── OutdatedError    a stack that a person updates is older than the commit
├── StackSetError    a StackSet's ARN cannot be had
└── RolloutError     there is no StackSet to look at
"""

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError


class BuildError(Exception):
    """A build cannot go on."""


class TargetsError(BuildError):
    """aws-backup-ssm-targets.json cannot be read: missing, not UTF-8, not JSON, a key that stands twice."""


class PackagingError(BuildError):
    """A package cannot be made: an unexpected file, no source, a dependency that pip does not install."""


class PublishError(BuildError):
    """A bucket did not get the package, or SSM did not record it. Running the build again is safe."""


class LintError(BuildError):
    """No template was found, which must never pass for "no finding"."""


class OutdatedError(BuildError):
    """A project or a permission is missing in a stack that only a person updates."""


class StackSetError(BuildError):
    """DescribeStackSet did not answer for a StackSet that another one has to wait for."""


class RolloutError(BuildError):
    """No StackSet was found, which must never pass for "nothing failed"."""


def exit_code(command: Callable[[], int]) -> int:
    """Run a command; an error that it explains becomes one text on standard error and exit code 1."""
    try:
        return command()
    except (BuildError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
