"""The one place that imports ministack.

ministack is untyped, and most of the names that the extensions use in it are private. So its version is
pinned exactly, and a test proves that the installed one has every name that they read, call or replace.
"""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rehearsal.emulator.errors import UnsupportedEmulatorError

SUPPORTED_VERSION = "1.5.33"


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"ministack.{name}")
    except ImportError as missing:
        raise UnsupportedEmulatorError(
            f"ministack {SUPPORTED_VERSION} with its module {name} is needed ({missing}): "
            "run `make rehearse`, which installs it"
        ) from missing


def _import_cognito_without_a_key() -> None:
    """ministack creates an RSA key for Cognito, which nothing uses here, if it can: 0.1 s each time."""
    means = "cryptography.hazmat.primitives.asymmetric.rsa"
    if means not in sys.modules:
        sys.modules[means] = None  # type: ignore[assignment]  # how Python marks a module that is not to be found
        try:
            _module("services.cognito")
        finally:
            del sys.modules[means]


_import_cognito_without_a_key()
app = _module("app")
iam_actions = _module("core.iam_actions")
iam_evaluator = _module("core.iam_evaluator")
responses = _module("core.responses")
router = _module("core.router")
backup = _module("services.backup")
cloudformation = _module("services.cloudformation")
cloudformation_changesets = _module("services.cloudformation.changesets")
cloudformation_engine = _module("services.cloudformation.engine")
cloudformation_handlers = _module("services.cloudformation.handlers")
cloudformation_helpers = _module("services.cloudformation.helpers")
provisioners = _module("services.cloudformation.provisioners")
stacks = _module("services.cloudformation.stacks")
cloudwatch_logs = _module("services.cloudwatch_logs")
codebuild = _module("services.codebuild")
ec2 = _module("services.ec2")
eventbridge = _module("services.eventbridge")
iam = _module("services.iam")
lambda_runtime = _module("core.lambda_runtime")
kms = _module("services.kms")
lambda_svc = _module("services.lambda_svc")
organizations = _module("services.organizations")
rds = _module("services.rds")
s3 = _module("services.s3")
sns = _module("services.sns")
sqs = _module("services.sqs")
sts = _module("services.sts")


def check() -> None:
    """Raise UnsupportedEmulatorError if another version than the pinned one is installed."""
    try:
        found = version("ministack")
    except PackageNotFoundError:
        found = "none"
    if found != SUPPORTED_VERSION:
        raise UnsupportedEmulatorError(
            f"ministack {SUPPORTED_VERSION} is needed, {found} is installed: install requirements/dev.txt"
        )
