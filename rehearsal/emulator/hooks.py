"""The one place that touches ministack: its modules, and the table of all names that the extensions use.

ministack is untyped and most of these names are private, so its version is pinned exactly, and `check` proves
at start that each of them exists. The extensions use the modules below and nothing else of ministack; a test
compares their source with the table.
"""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rehearsal.emulator.errors import UnsupportedEmulatorError

SUPPORTED_VERSION = "1.5.33"

# module → the names in it that the extensions read, call or replace
TABLE: dict[str, tuple[str, ...]] = {
    "app": ("app", "SERVICE_HANDLERS", "AUTH", "_handle_s3_control_request"),
    "core.iam_actions": ("SERVICE_TO_IAM_NAMESPACE", "extract_resource_arn", "request_tag_context"),
    "core.iam_evaluator": (
        "EvalContext",
        "EvalResult",
        "_gather_role_policies",
        "enforce",
        "evaluate",
        "evaluate_resource_policy",
        "evaluate_trust_policy",
        "_principal_org_id",
        "_resolve_condition_key",
        "caller_arn",
        "request_caller_arn",
    ),
    "core.responses": (
        "AccountRegionScopedDict",
        "error_response_json",
        "get_account_id",
        "get_region",
        "request_scope",
        "_BOTOCORE_NAME",
        "_service_model",
    ),
    "core.lambda_runtime": ("Worker", "_PYTHON_WORKER_SCRIPT"),
    "core.router": ("SERVICE_PATTERNS",),
    "services.backup": ("_SUPPORTED_RESOURCE_TYPES", "_vaults"),
    "services.cloudformation": ("_stack_events", "_stacks"),
    "services.cloudformation.changesets": ("_evaluate_conditions",),
    "services.cloudformation.engine": ("CfnLoader", "_evaluate_conditions", "_resolve_refs"),
    "services.cloudformation.handlers": ("_ACTION_HANDLERS", "_evaluate_conditions"),
    "services.cloudformation.helpers": ("_error", "_p", "_xml"),
    "services.cloudformation.provisioners": ("_RESOURCE_HANDLERS", "_STACK_TAG_PROPERTY", "_physical_name"),
    "services.cloudformation.stacks": (
        "_evaluate_conditions",
        "_runs_on_worker_thread",
        "_sends_back_failed_update",
    ),
    "services.cloudwatch_logs": ("_log_groups",),
    "services.ec2": ("_matches_filters",),
    "services.eventbridge": (
        "_cron_next_fire",
        "_dispatch_to_lambda",
        "_event_pattern_error",
        "_invoke_target",
        "_parse_cron_fields",
        "_put_events",
        "_rule_arn",
        "_rule_key",
        "_rules",
        "_targets",
    ),
    "services.codebuild": ("_builds", "_projects", "_start_build"),
    "services.iam": (
        "_aws_managed_policies",
        "_error",
        "_make_aws_managed_record",
        "_roles",
        "attach_managed_policy",
        "policy_known",
    ),
    "services.kms": ("_aliases",),
    "services.lambda_svc": (
        "_create_function",
        "_execution_record_for_config",
        "_fetch_code_from_s3",
        "_functions",
        "_get_func_record_for_ref",
        "_route_async_failure",
        "function_policy_for_arn",
        "invoke_async_with_retry",
    ),
    "services.organizations": (
        "FULL_ACCESS_POLICY_ID",
        "_DISPATCH",
        "_accounts",
        "_attachments",
        "_create_account",
        "_create_statuses",
        "_ensure_org",
        "_orgs",
        "_ous",
        "_policies",
        "_public_account",
        "_roots",
        "_tags",
        "_target",
    ),
    "services.rds": (
        "_ACTION_MAP",
        "_clusters",
        "_db_cluster_snapshots",
        "_error",
        "_instances",
        "_p",
        "_snapshots",
    ),
    "services.s3": (
        "_bucket_tags",
        "_bucket_owner_account",
        "_buckets",
        "_foreign_bucket_allows",
        "_get_object_data",
        "_object_versions",
        "s3control_error",
    ),
    "services.sns": ("topic_policy_for_arn",),
    "services.sqs": ("_queue_name_to_url", "queue_policy_for_arn"),
    "services.sts": ("register_session",),
}


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


def check(table: dict[str, tuple[str, ...]] | None = None, expected: str = SUPPORTED_VERSION) -> None:
    """Raise UnsupportedEmulatorError for another version than the pinned one, or with every missing name."""
    try:
        found = version("ministack")
    except PackageNotFoundError:
        found = "none"
    if found != expected:
        raise UnsupportedEmulatorError(
            f"ministack {expected} is needed, {found} is installed: install requirements/dev.txt"
        )
    missing = [
        f"{module}.{name}"
        for module, names in (TABLE if table is None else table).items()
        for name in names
        if not hasattr(_module(module), name)
    ]
    if missing:
        raise UnsupportedEmulatorError(
            f"ministack {found} lacks what the extensions use: {', '.join(missing)}"
        )
