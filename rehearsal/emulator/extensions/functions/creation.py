"""Creating functions: the package must exist and be readable, the runtime supported, the role sufficient.

AWS reads a function's zip file from S3 when the function is created or updated, across accounts under the
bucket policy, and fails if it cannot; ministack creates a function that returns "Mock response" to every
call. AWS refuses retired runtimes, a role that Lambda cannot assume, and a failure target that the role may
not write to. ministack's resource type drops DeadLetterConfig.
"""

from collections.abc import Callable
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base, objects
from rehearsal.emulator.extensions.base import Handler, Properties, Request, Response
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.identity import authorization, service_roles

# "Lambda runtimes" in the Lambda Developer Guide, supported in late 2026 and usable from a zip file here.
RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14", "nodejs22.x", "nodejs24.x")

# The permission that it takes to deliver to a target, by the target's service.
DELIVERY_ACTIONS = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish"}


class CodeError(ValueError):
    """Lambda cannot use what it was given; the message is worded as AWS's."""


def install() -> None:
    hooks.lambda_svc._fetch_code_from_s3 = _fetch
    base.wrap_resource_type("AWS::Lambda::Function", _check, _keep_dead_letters)
    base.wrap_resource_type("AWS::Lambda::EventInvokeConfig", _check_destination)
    _check_requests()


def _fetch(bucket: str, key: str, version_id: str | None = None) -> bytes:
    try:
        return objects.read(bucket, key, version_id)
    except objects.NoSuchObjectError as missing:
        raise CodeError(
            f"Error occurred while GetObject. S3 Error Code: {missing.code}. "
            f"S3 Error Message: {missing.detail} (bucket {bucket}, key {key})"
        ) from None


def _check(properties: Properties) -> None:
    """Raise CodeError if AWS would not create a function with this runtime and role."""
    runtime = properties.get("Runtime")
    if runtime not in RUNTIMES:
        raise CodeError(
            f"The runtime parameter of {runtime} is not supported for creating or updating AWS Lambda "
            f"functions. Supported here: {', '.join(RUNTIMES)}."
        )
    if reason := service_roles.why_not_assumable(properties.get("Role", ""), "lambda.amazonaws.com"):
        raise CodeError(f"The role defined for the function cannot be assumed by Lambda: {reason}.")


def _keep_dead_letters(name: str, properties: Properties) -> None:
    dead_letters = properties.get("DeadLetterConfig") or {}
    _check_failure_target(properties["Role"], dead_letters.get("TargetArn"))
    hooks.lambda_svc._functions[name]["config"]["DeadLetterConfig"] = dead_letters


def _check_destination(properties: Properties) -> None:
    failure = (properties.get("DestinationConfig") or {}).get("OnFailure") or {}
    function, configuration, _ = hooks.lambda_svc._get_func_record_for_ref(properties["FunctionName"])
    if function and configuration:
        _check_failure_target(configuration["Role"], failure.get("Destination"))


def _check_failure_target(role: str, target: str | None) -> None:
    """Raise CodeError if a function's role may not send its failures to the target."""
    action = DELIVERY_ACTIONS.get(target.split(":")[2]) if target else None
    if target and action and not authorization.role_allows(role, action, target):
        raise CodeError(
            f"The function's execution role {role} does not have permissions to call {action} on {target}"
        )


def _check_requests() -> None:
    create: Callable[[dict[str, Any]], Response] = hooks.lambda_svc._create_function

    def checked_create(request: dict[str, Any]) -> Response:
        _check(request)
        return create(request)

    async def respond(request: Request, own: Handler) -> Response:
        try:
            return await own(request)
        except CodeError as error:
            return base.json_error(ApiError("InvalidParameterValueException", str(error)))

    hooks.lambda_svc._create_function = checked_create
    base.wrap_requests(hooks.lambda_svc, respond)
