"""The role of a stack operation: CloudFormation must be able to assume it, and the caller to pass it.

ministack accepts any role. Not emulated: the permissions of that role.
"""

from collections.abc import Callable

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions.base import Properties, Response
from rehearsal.emulator.extensions.identity import authorization, service_roles

_SERVICE = "cloudformation.amazonaws.com"


def install() -> None:
    handlers = hooks.cloudformation_handlers._ACTION_HANDLERS
    for action in ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet"):
        handlers[action] = _refusing_role(handlers[action])


def _may_pass(role: str) -> bool:
    """Whether the caller may pass a role to CloudFormation: an account's root, or with iam:PassRole."""
    caller = authorization.role_of(hooks.iam_evaluator.caller_arn())
    if caller.endswith(":root"):
        return True
    if authorization.role_allows(caller, "iam:PassRole", role, {"iam:passedtoservice": _SERVICE}):
        return True
    authorization.record_denial(caller, "iam:PassRole", role, "no policy allows it")
    return False


def _refusing_role(operation: Callable[[Properties], Response]) -> Callable[[Properties], Response]:
    def checked(parameters: Properties) -> Response:
        role = hooks.cloudformation_helpers._p(parameters, "RoleARN")
        refused: Response
        if role and service_roles.why_not_assumable(role, _SERVICE):
            refused = hooks.cloudformation_helpers._error(
                "ValidationError", f"Role {role} is invalid or cannot be assumed"
            )
            return refused
        if role and not _may_pass(role):
            caller = hooks.iam_evaluator.caller_arn()
            message = f"User: {caller} is not authorized to perform: iam:PassRole on resource: {role}"
            refused = hooks.cloudformation_helpers._error("AccessDenied", message, 403)
            return refused
        return operation(parameters)

    return checked
