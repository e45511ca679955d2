"""The stacks with the CodeBuild projects: a person updates them, so they can be older than the commit."""

from buildspecs import names
from buildspecs.names import Stack

BUILDS = tuple(stack for stack in names.HAND_MADE if stack.template.startswith("codebuild/"))
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})  # error codes of a role that is older


def advice(stack: Stack, region: str) -> str:
    """What to do if the stack is older than the commit."""
    return (
        f"update stack {stack.name} (stack {names.HAND_MADE.index(stack) + 1} of the README) first, in the"
        " home account and from the root of a clone of this commit, then retry this stage. The command resets"
        " the stack's parameters to their defaults: for each one that you have set, add"
        " --parameters ParameterKey=NAME,UsePreviousValue=true.\n"
        f"aws cloudformation update-stack --stack-name {stack.name} --template-body file://{stack.template}"
        f" --capabilities CAPABILITY_NAMED_IAM --region {region}"
    )
