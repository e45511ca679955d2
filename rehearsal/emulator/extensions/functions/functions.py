"""Lambda: code must exist and be readable, runtimes must be creatable, logs say what AWS's do.

AWS reads a function's zip from S3 when the function is created and fails if it is missing or not readable;
ministack makes a function that answers every call with "Mock response". AWS refuses retired runtimes. AWS's
Python runtime logs through the root logger to CloudWatch Logs; ministack shows only what is written to
standard error.

Emulated: reading the package across accounts under the bucket policy; the list of runtimes; the role must be
assumable by Lambda and allowed to write to the function's failure target; DeadLetterConfig; log records of
any level reach CloudWatch Logs and the control operation `function-log`; a handler that is not in the package
fails the invocation by name, in the answer and in the log ("Troubleshoot invocation issues in Lambda").

Lenient: the function runs on this
machine's Python and processor whatever the runtime and architecture say, finds this machine's installed
packages beside its own, and memory is not limited.
"""

from collections.abc import Callable
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base, objects
from rehearsal.emulator.extensions.backup import services
from rehearsal.emulator.extensions.base import Answer
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.identity import iam, service_roles

# "Lambda runtimes" in the Lambda Developer Guide, supported in late 2026 (only what a zip package can use
# here).
RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14", "nodejs22.x", "nodejs24.x")

# AWS's runtime has a handler on the root logger before the function's module is imported.
_ROOT_LOGGER = """
import logging, sys
_handler = logging.StreamHandler(sys.stderr)
_handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
logging.getLogger().addHandler(_handler)
"""


# What it takes to hand something over to a target, by the target's service.
DELIVERY_ACTIONS = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish"}


class CodeError(ValueError):
    """Lambda cannot use what it was given; the message is worded as AWS's."""


def install() -> None:
    hooks.lambda_svc._fetch_code_from_s3 = _fetch
    hooks.lambda_runtime._PYTHON_WORKER_SCRIPT = (
        services.RESOLVER + _ROOT_LOGGER + hooks.lambda_runtime._PYTHON_WORKER_SCRIPT
    )
    _name_missing_handlers()
    _check_created_functions()
    _check_destinations()
    _answer_code_errors()
    control.register("function-log", _log)


def _fetch(bucket: str, key: str, version_id: str | None = None) -> bytes:
    try:
        return objects.read(bucket, key, version_id)
    except objects.NoSuchObjectError as missing:
        raise CodeError(
            f"Error occurred while GetObject. S3 Error Code: {missing.code}. "
            f"S3 Error Message: {missing.detail} (bucket {bucket}, key {key})"
        ) from None


def check_function(runtime: str | None, role: str) -> None:
    """Raise CodeError if AWS would not create a function with this runtime and role."""
    if runtime not in RUNTIMES:
        raise CodeError(
            f"The runtime parameter of {runtime} is not supported for creating or updating AWS Lambda "
            f"functions. Supported here: {', '.join(RUNTIMES)}."
        )
    if (refusal := service_roles.trusts_service(role, "lambda.amazonaws.com")) is not None:
        raise CodeError(f"The role defined for the function cannot be assumed by Lambda: {refusal}.")


def check_failure_target(role: str, target: str | None) -> None:
    """Raise CodeError if a function's role may not send to where its failures should go."""
    action = DELIVERY_ACTIONS.get(target.split(":")[2]) if target else None
    if target and action and not iam.role_allows(role, action, target):
        raise CodeError(
            f"The function's execution role {role} does not have permissions to call {action} on {target}"
        )


def _name_missing_handlers() -> None:
    """ministack answers with Python's own words and logs nothing, as if the function had not been started."""
    invoke = hooks.lambda_runtime.Worker.invoke

    def invoke_named(worker: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = invoke(worker, *arguments, **more)
        except RuntimeError as failure:
            reason = why_not_loaded(worker.config["Handler"], str(failure))
            return {"status": "error", "error": reason, "trace": f"[ERROR] {reason}"}
        return answer

    hooks.lambda_runtime.Worker.invoke = invoke_named


def why_not_loaded(handler: str, failure: str) -> str:
    """What AWS says of a handler that cannot be loaded, given what ministack says of it; pure."""
    module, _, function = handler.rpartition(".")
    reason = failure.removeprefix("Worker init failed: ")
    if reason.endswith(f"has no attribute '{function}'"):
        return f"Runtime.HandlerNotFound: Handler '{function}' missing on module '{module}'"
    return f"Runtime.ImportModuleError: Unable to import module '{module}': {reason}"


def _check_created_functions() -> None:
    handlers = hooks.provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]
    create_by_api: Callable[[dict[str, Any]], Answer] = hooks.lambda_svc._create_function

    def create_checked(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        check_function(properties.get("Runtime"), properties.get("Role", ""))
        created = create(logical_id, properties, stack)
        _keep_dead_letters(created[0], properties)
        return created

    def update_checked(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        check_function(new.get("Runtime"), new.get("Role", ""))
        updated = update(physical_id, old, new, stack, logical_id)
        _keep_dead_letters(updated[0], new)
        return updated

    def create_by_api_checked(request: dict[str, Any]) -> Answer:
        check_function(request.get("Runtime"), request.get("Role", ""))
        return create_by_api(request)

    handlers.update(create=create_checked, update=update_checked)
    hooks.lambda_svc._create_function = create_by_api_checked


def _keep_dead_letters(name: str, properties: dict[str, Any]) -> None:
    """DeadLetterConfig, which ministack's handlers of the resource type drop."""
    dead_letters = properties.get("DeadLetterConfig") or {}
    check_failure_target(properties["Role"], dead_letters.get("TargetArn"))
    hooks.lambda_svc._functions[name]["config"]["DeadLetterConfig"] = dead_letters


def _check_destinations() -> None:
    """AWS::Lambda::EventInvokeConfig: the function's role must be allowed to write to OnFailure."""
    handlers = hooks.provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventInvokeConfig"]
    create: Callable[[str, dict[str, Any], str], Any] = handlers["create"]

    def create_checked(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        failure = (properties.get("DestinationConfig") or {}).get("OnFailure") or {}
        function, configuration, _ = hooks.lambda_svc._get_func_record_for_ref(properties["FunctionName"])
        if function and configuration:
            check_failure_target(configuration["Role"], failure.get("Destination"))
        return create(logical_id, properties, stack)

    handlers["create"] = create_checked


def _answer_code_errors() -> None:
    ministacks_own = hooks.lambda_svc.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Answer:
        try:
            answer: Answer = await ministacks_own(method, path, headers, body, query)
        except CodeError as error:
            return base.json_error(ApiError("InvalidParameterValueException", str(error)))
        return answer

    hooks.lambda_svc.handle_request = handle_request


def _log(account: str, region: str, function: str) -> str:
    with base.scope(account, region):
        configuration = (hooks.lambda_svc._functions.get(function) or {}).get("config") or {}
        name = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function}"
        group = hooks.cloudwatch_logs._log_groups.get(name) or {"streams": {}}
        events = [event for stream in group["streams"].values() for event in stream["events"]]
    return "\n".join(event["message"] for event in sorted(events, key=lambda event: event["timestamp"]))
