"""What the stack aws-backup-ssm-targets is given for the four parameters that the packaging builds write.

The stack owns these SSM parameters, the builds overwrite them. CloudFormation writes its own value again
whenever it updates one of the resources, which a stack tag is enough for. So:

- an update that touches them gets what SSM holds, and the values stay;
- every other execution gives the stack the values that it has already. CloudFormation then sees no change
  in them, and an execution without any change updates nothing.

An update touches them if the stack's template or its tags change; where that cannot be told (a stack from
another version of the template), it counts as one that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from buildspecs.packaging.archive import POLICY_MANAGER, TAG_ON_RESTORE
from buildspecs.packaging.publish import Parameters, recorded

STACK = "aws-backup-ssm-targets"
TEMPLATE = "templates/home-account/aws-backup-ssm-targets.yaml"
NOT_RECORDED = "none"  # the default of the stack's parameters


@dataclass(frozen=True)
class Recorded:
    """One value: its parameter in SSM, and the stack's parameter that the value is given to."""

    ssm_name: str
    stack_parameter: str


# By the exported variable of the build.
RECORDED: Mapping[str, Recorded] = {
    "BACKUPORGPOLICYMANAGER_PACKAGE": Recorded(
        POLICY_MANAGER.name_parameter, "BackupOrgPolicyManagerPackage"
    ),
    "BACKUPORGPOLICYMANAGER_HASH": Recorded(POLICY_MANAGER.hash_parameter, "BackupOrgPolicyManagerHash"),
    "TAGONRESTORE_PACKAGE": Recorded(TAG_ON_RESTORE.name_parameter, "TagOnRestorePackage"),
    "TAGONRESTORE_HASH": Recorded(TAG_ON_RESTORE.hash_parameter, "TagOnRestoreHash"),
}


class CloudFormation(Protocol):
    """The calls of a CloudFormation client that are made here."""

    def describe_stacks(self, *, StackName: str) -> Mapping[str, Any]: ...  # noqa: N803 - boto3's name
    def get_template(self, *, StackName: str) -> Mapping[str, Any]: ...  # noqa: N803 - boto3's name


def values(
    template: str, tags: Mapping[str, str] | None, ssm: Parameters, cloudformation: CloudFormation
) -> dict[str, str]:
    """The value of each exported variable, for a stack that is about to get this template and these tags.

    `tags` None: the targets file has none, and the stack keeps those that it has. Before the first run the
    values are `none`. Raises ClientError: any other answer of AWS taken for "nothing is recorded" would
    reset what SSM holds.
    """
    own = _kept_by_the_stack(template, tags, cloudformation)
    if own is not None:
        return own
    held = recorded((POLICY_MANAGER, TAG_ON_RESTORE), ssm)
    return {variable: held[each.ssm_name] or NOT_RECORDED for variable, each in RECORDED.items()}


def _kept_by_the_stack(
    template: str, tags: Mapping[str, str] | None, cloudformation: CloudFormation
) -> dict[str, str] | None:
    """The stack's own values if the coming update does not touch their resources, else None."""
    try:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):  # AWS has no error code of its own for it
            return None
        raise
    present = {each["Key"]: each["Value"] for each in stack.get("Tags", [])}
    if tags is not None and dict(tags) != present:
        return None
    body = cloudformation.get_template(StackName=STACK)["TemplateBody"]
    if not isinstance(body, str) or body.strip() != template.strip():
        return None
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    if any(each.stack_parameter not in given for each in RECORDED.values()):
        return None
    return {variable: given[each.stack_parameter] for variable, each in RECORDED.items()}
