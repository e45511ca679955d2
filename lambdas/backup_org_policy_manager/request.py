"""CloudFormation's request as frozen dataclasses; problems are collected, not raised. Pure."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from . import policy
from .errors import NotARequestError, Problem

POLICY_TYPE = "BACKUP_POLICY"
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_CreatePolicy.html
MAX_NAME_CHARACTERS = 128
MAX_DESCRIPTION_CHARACTERS = 512
PROPERTIES = (
    "PolicyName",
    "PolicyDescription",
    "PolicyType",
    "PolicyTargets",
    "PolicyRegions",
    "OrgManagementAccount",
    "PolicyContent",
    "Variables",
    "ChildPolicy",
    "VerifyEffectivePolicy",
)
# Properties that CloudFormation defines for every custom resource.
CLOUDFORMATION_PROPERTIES = ("ServiceToken", "ServiceTimeout")
REQUEST_FIELDS = ("RequestType", "ResponseURL", "StackId", "RequestId", "LogicalResourceId")

# Compiled at first use, not in every cold start.
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_AttachPolicy.html
POLICY_ID = r"p-[0-9a-zA-Z_]{8,128}"
TARGET_ID = r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12}"
ACCOUNT_ID = r"[0-9]{12}"


@dataclass(frozen=True)
class Owner:
    """Where a policy comes from, as its tags say."""

    stack: str
    resource: str
    request: str

    TAG_STACK = "backup-org-policy-manager:stack"
    TAG_RESOURCE = "backup-org-policy-manager:resource"
    TAG_REQUEST = "backup-org-policy-manager:request"
    # The policy that this one replaced. A rollback finds an untagged policy by it.
    TAG_PREVIOUS = "backup-org-policy-manager:previous"

    def tags(self) -> dict[str, str]:
        return {self.TAG_STACK: self.stack, self.TAG_RESOURCE: self.resource, self.TAG_REQUEST: self.request}

    def matches_resource(self, tags: Mapping[str, str]) -> bool:
        """True if this resource of this stack created the policy."""
        return tags.get(self.TAG_STACK) == self.stack and tags.get(self.TAG_RESOURCE) == self.resource

    def matches_request(self, tags: Mapping[str, str]) -> bool:
        """True if this request created the policy, in an earlier run that was interrupted."""
        return self.matches_resource(tags) and tags.get(self.TAG_REQUEST) == self.request

    def conflicts_with(self, tags: Mapping[str, str]) -> bool:
        """True if the tags name another owner. Untagged policies predate the tags."""
        return self.TAG_STACK in tags and not self.matches_resource(tags)


class S3Object(NamedTuple):
    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" + (f" version {self.version}" if self.version else "")


@dataclass(frozen=True)
class Request:
    """CloudFormation's request, before its properties are read."""

    type: str
    owner: Owner
    partition: str
    physical_id: str
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any]

    @property
    def policy_id(self) -> str | None:
        """The policy ID that is the physical ID; None for the physical ID of a Create that failed."""
        return self.physical_id if re.fullmatch(POLICY_ID, self.physical_id) else None


@dataclass(frozen=True)
class DesiredPolicy:
    """The requested backup policy: `content` is compact JSON, `targets` are root, OU and account IDs."""

    name: str
    description: str
    targets: tuple[str, ...]
    management_account: str
    content: str
    verify: bool = True
    child: bool = False


def read_event(event: Mapping[str, Any]) -> Request:
    """The request's fields. Raises NotARequestError if no response can be sent."""
    missing = [field for field in REQUEST_FIELDS if not isinstance(event.get(field), str)]
    if missing:
        raise NotARequestError(
            f"not a CloudFormation custom resource request: {', '.join(missing)} missing. "
            "Create a Custom::OrgPolicy resource instead of invoking the function."
        )
    return Request(
        type=event["RequestType"],
        owner=Owner(event["StackId"], event["LogicalResourceId"], event["RequestId"]),
        partition=[*event["StackId"].split(":"), "aws"][1],
        physical_id=str(event.get("PhysicalResourceId", "")),
        properties=_mapping(event.get("ResourceProperties")),
        old_properties=_mapping(event.get("OldResourceProperties")),
    )


def read_properties(
    properties: Mapping[str, Any], known_regions: AbstractSet[str], read_object: Callable[[S3Object], str]
) -> tuple[DesiredPolicy, list[Problem]]:
    """The policy that the properties describe, and every problem with them.

    `read_object` returns an S3 object's text, or raises ValueError with the reason.
    """
    problems = [
        Problem(name, "not a property of Custom::OrgPolicy")
        for name in properties
        if name not in PROPERTIES + CLOUDFORMATION_PROPERTIES
    ]
    desired = DesiredPolicy(
        name=_text(properties, "PolicyName", problems, least=1, most=MAX_NAME_CHARACTERS),
        description=_text(
            properties, "PolicyDescription", problems, least=0, most=MAX_DESCRIPTION_CHARACTERS
        ),
        targets=_list(properties, "PolicyTargets", problems, _target_problem),
        management_account=_account(properties, problems),
        content="",
        verify=_flag(properties, "VerifyEffectivePolicy", problems, default=True),
        child=_flag(properties, "ChildPolicy", problems, default=False),
    )
    regions = _list(
        properties, "PolicyRegions", problems, lambda region: _region_problem(region, known_regions)
    )
    policy_type = _text(properties, "PolicyType", problems, least=1, most=MAX_NAME_CHARACTERS)
    if policy_type and policy_type != POLICY_TYPE:
        problems.append(Problem("PolicyType", f"{policy_type}, only {POLICY_TYPE} is supported"))
    variables = _variables(properties.get("Variables"), problems)
    text = _content_text(properties.get("PolicyContent"), problems, read_object)
    if text is None:
        return desired, problems
    content, content_problems = policy.compose(text, variables, regions, child=desired.child)
    return replace(desired, content=content), problems + content_problems


def account_of(properties: Mapping[str, Any]) -> str | None:
    """The management account in the properties; None if it is missing or malformed."""
    account = properties.get("OrgManagementAccount")
    return account if isinstance(account, str) and re.fullmatch(ACCOUNT_ID, account) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(properties: Mapping[str, Any], name: str, problems: list[Problem], *, least: int, most: int) -> str:
    value = properties.get(name)
    problem = None
    if value is None:
        problem = "missing"
    elif not isinstance(value, str):
        problem = f"must be a string, not {_json_type(value)}"
    elif not least <= len(value) <= most:
        problem = f"{len(value)} characters, {least} to {most} allowed"
    elif not _is_unicode(value):
        problem = "contains an unpaired Unicode surrogate"
    if problem:
        problems.append(Problem(name, problem))
        return ""
    return str(value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _account(properties: Mapping[str, Any], problems: list[Problem]) -> str:
    account = _text(properties, "OrgManagementAccount", problems, least=1, most=MAX_NAME_CHARACTERS)
    if account and not re.fullmatch(ACCOUNT_ID, account):
        problems.append(Problem("OrgManagementAccount", f"{account} is not a 12-digit account ID"))
    return account


def _flag(properties: Mapping[str, Any], name: str, problems: list[Problem], *, default: bool) -> bool:
    value = str(properties.get(name, default)).lower()
    if value not in {"true", "false"}:
        problems.append(Problem(name, "must be true or false"))
    return value == "true"


def _list(
    properties: Mapping[str, Any], name: str, problems: list[Problem], check: Callable[[str], str | None]
) -> tuple[str, ...]:
    """The items in order, without duplicates and surrounding spaces; also from a comma-separated string."""
    value = properties.get(name)
    if value is None:
        problems.append(Problem(name, "missing"))
        return ()
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        problems.append(Problem(name, f"must be a list, not {_json_type(value)}"))
        return ()
    if not items:
        problems.append(Problem(name, "empty"))
    for index, item in enumerate(items):
        what = check(item.strip()) if isinstance(item, str) else f"must be a string, not {_json_type(item)}"
        if what:
            problems.append(Problem(f"{name}[{index}]", what))
    return tuple(dict.fromkeys(item.strip() for item in items if isinstance(item, str)))


def _target_problem(target: str) -> str | None:
    if not target:
        return "empty"
    return None if re.fullmatch(TARGET_ID, target) else f"{target} is not a root, OU or account ID"


def _region_problem(region: str, known: AbstractSet[str]) -> str | None:
    if not region:
        return "empty"
    return None if region in known else f"{region} is not a Region of this partition"


def _variables(value: Any, problems: list[Problem]) -> dict[str, str]:
    """The tokens and their values, from one map or a list of maps."""
    maps = [] if value is None else [value] if isinstance(value, dict) else value
    if not isinstance(maps, list) or not all(isinstance(entry, dict) for entry in maps):
        problems.append(Problem("Variables", "must be a map or a list of maps"))
        return {}
    variables: dict[str, str] = {}
    for token, given in ((token, given) for entry in maps for token, given in entry.items()):
        text = json.dumps(given) if isinstance(given, bool | int | float) else given
        if not isinstance(text, str):
            problems.append(Problem(f"Variables.{token}", f"must be a string, not {_json_type(given)}"))
        elif not token:
            problems.append(Problem("Variables", "a token is empty"))
        elif variables.setdefault(token, text) != text:
            problems.append(Problem(f"Variables.{token}", "has two different values"))
    return variables


def _content_text(value: Any, problems: list[Problem], read_object: Callable[[S3Object], str]) -> str | None:
    """The policy's text from any of the three forms; None if it cannot be read."""
    if value is None:
        problems.append(Problem("PolicyContent", "missing"))
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        problems.append(Problem("PolicyContent", f"must be an object or a string, not {_json_type(value)}"))
        return None
    if set(value) != {"S3"}:
        return policy.compact_json(value)
    location = _s3_object(value["S3"], problems)
    if location is None:
        return None
    try:
        return read_object(location)
    except ValueError as error:
        problems.append(Problem("PolicyContent.S3", str(error)))
        return None


def _s3_object(value: Any, problems: list[Problem]) -> S3Object | None:
    location = _mapping(value)
    bucket, key, version = (location.get(name) for name in ("PolicyBucket", "PolicyKey", "PolicyVersion"))
    given = {"PolicyBucket": bucket, "PolicyKey": key}
    if version is not None:
        given["PolicyVersion"] = version
    wrong = [name for name, text in given.items() if not isinstance(text, str) or not text]
    problems.extend(Problem(f"PolicyContent.S3.{name}", "must be a non-empty string") for name in wrong)
    return None if wrong else S3Object(str(bucket), str(key), version)


def _json_type(value: Any) -> str:
    names = {dict: "a map", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")
