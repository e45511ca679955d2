"""Why a build stops. Each message names the file, parameter, bucket or Region at fault and what to do next.

BuildError
├── TargetsError     aws-backup-ssm-targets.json cannot be read
├── PackagingError   a package cannot be made from its folder and its requirements.txt
├── PublishError     a bucket did not get a package, or SSM did not record it
├── LintError        a template or an analyzer cannot be used
├── OutdatedError    a stack that a person updates is older than the commit
├── StackSetError    the ARN of a StackSet cannot be looked up
└── RolloutError     there is no StackSet to report on
"""

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError


class BuildError(Exception):
    """A build cannot go on."""


class TargetsError(BuildError):
    """aws-backup-ssm-targets.json cannot be read: missing, not UTF-8, not JSON, a key that appears twice."""


class PackagingError(BuildError):
    """A package cannot be made: an unexpected file, no source, a dependency that pip does not install."""


class PublishError(BuildError):
    """A bucket did not get the package, or SSM did not record it. Running the build again is safe."""


class LintError(BuildError):
    """No template, one that cannot be read, or an analyzer that fails: never to be taken for "no finding"."""


class OutdatedError(BuildError):
    """A project or a permission is missing in a stack that only a person updates."""


class StackSetError(BuildError):
    """DescribeStackSet failed for a StackSet that another one has to wait for."""


class RolloutError(BuildError):
    """No StackSet was found, never to be taken for "nothing failed"."""


def exit_code(command: Callable[[], int]) -> int:
    """Run a command; an error that it explains becomes one message on standard error and exit code 1."""
    try:
        return command()
    except (BuildError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
