"""The two roles of a SELF_MANAGED StackSet: each must exist and trust the principal that assumes it.

Source: "Grant self-managed permissions" of the CloudFormation User Guide; the messages are those of a stack
instance's status reason.
"""

from typing import Any

from buildspecs.names import ADMINISTRATION_ROLE, EXECUTION_ROLE
from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions.identity import authorization, service_roles
from rehearsal.emulator.extensions.stacksets.model import StackFailedError


def check(administrator: str, target: str, properties: dict[str, Any], stack_set_arn: str) -> None:
    """Raise StackFailedError unless CloudFormation can act in `target` for a StackSet of `administrator`."""
    default = f"arn:{PARTITION}:iam::{administrator}:role/{ADMINISTRATION_ROLE}"
    administration = properties.get("AdministrationRoleARN") or default
    execution = properties.get("ExecutionRoleName") or EXECUTION_ROLE
    name = administration.rpartition("/")[2]
    if service_roles.why_not_assumable(administration, "cloudformation.amazonaws.com", stack_set_arn):
        raise StackFailedError(
            f"Account {administrator} should have '{name}' role "
            "with trust relationship to CloudFormation service."
        )
    execution_arn = f"arn:{PARTITION}:iam::{target}:role/{execution}"
    if not authorization.role_allows(administration, "sts:AssumeRole", execution_arn):
        raise StackFailedError(
            f"The role '{name}' of account {administrator} may not assume {execution_arn}."
        )
    role = hooks.iam._roles.get_scoped(target, None, execution)
    session = f"arn:{PARTITION}:sts::{administrator}:assumed-role/{name}/StackSet"
    if role is None or not hooks.iam_evaluator.evaluate_trust_policy(
        role["AssumeRolePolicyDocument"], session
    ):
        raise StackFailedError(
            f"Account {target} should have '{execution}' role with trust relationship to Role '{name}'."
        )
