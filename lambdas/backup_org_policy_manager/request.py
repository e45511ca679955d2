"""CloudFormation's request as frozen dataclasses; every fault is collected, none is raised. Pure."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from . import policy
from .errors import Fault, NotARequestError

POLICY_TYPE = "BACKUP_POLICY"
MAX_NAME = 128
MAX_DESCRIPTION = 512
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
# CloudFormation's own properties of every custom resource.
CLOUDFORMATION_PROPERTIES = ("ServiceToken", "ServiceTimeout")
REQUEST_FIELDS = ("RequestType", "ResponseURL", "StackId", "RequestId", "LogicalResourceId")

# Compiled at their first use, not in every cold start.
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_AttachPolicy.html
POLICY_ID = r"p-[0-9a-zA-Z_]{8,128}"
TARGET_ID = r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12}"
ACCOUNT_ID = r"[0-9]{12}"


@dataclass(frozen=True)
class Owner:
    """What a policy's tags say about where it comes from."""

    stack: str
    resource: str
    request: str

    TAG_STACK = "backup-org-policy-manager:stack"
    TAG_RESOURCE = "backup-org-policy-manager:resource"
    TAG_REQUEST = "backup-org-policy-manager:request"
    # The policy that this one took the place of. A rollback finds an untagged one by it.
    TAG_PREVIOUS = "backup-org-policy-manager:previous"

    def tags(self) -> dict[str, str]:
        return {self.TAG_STACK: self.stack, self.TAG_RESOURCE: self.resource, self.TAG_REQUEST: self.request}

    def is_resource_of(self, tags: Mapping[str, str]) -> bool:
        """True if this very resource of this very stack made the policy."""
        return tags.get(self.TAG_STACK) == self.stack and tags.get(self.TAG_RESOURCE) == self.resource

    def is_request_of(self, tags: Mapping[str, str]) -> bool:
        """True if this very request made the policy, in an earlier run that was interrupted."""
        return self.is_resource_of(tags) and tags.get(self.TAG_REQUEST) == self.request

    def is_stranger_to(self, tags: Mapping[str, str]) -> bool:
        """True if somebody else's tag is on the policy; untagged ones were made before tags were written."""
        return self.TAG_STACK in tags and not self.is_resource_of(tags)


class S3Object(NamedTuple):
    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" + (f" version {self.version}" if self.version else "")


@dataclass(frozen=True)
class Request:
    """What CloudFormation asks for, before its properties are read."""

    kind: str
    owner: Owner
    partition: str
    physical_id: str
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any]

    @property
    def policy_id(self) -> str | None:
        """The policy behind the physical id; None for the id of a Create that failed."""
        return self.physical_id if re.fullmatch(POLICY_ID, self.physical_id) else None


@dataclass(frozen=True)
class Wanted:
    """A backup policy as it is to be: `content` is compact JSON, `targets` are root, OU and account ids."""

    name: str
    description: str
    targets: tuple[str, ...]
    management_account: str
    content: str
    verify: bool = True
    child: bool = False


def read_event(event: Mapping[str, Any]) -> Request:
    """The request's frame. Raises NotARequestError if there is nobody to answer."""
    missing = [field for field in REQUEST_FIELDS if not isinstance(event.get(field), str)]
    if missing:
        raise NotARequestError(
            f"not a CloudFormation custom resource request: {', '.join(missing)} missing. "
            "Create a Custom::OrgPolicy resource instead of invoking the function."
        )
    return Request(
        kind=event["RequestType"],
        owner=Owner(event["StackId"], event["LogicalResourceId"], event["RequestId"]),
        partition=[*event["StackId"].split(":"), "aws"][1],
        physical_id=str(event.get("PhysicalResourceId", "")),
        properties=_mapping(event.get("ResourceProperties")),
        old_properties=_mapping(event.get("OldResourceProperties")),
    )


def read_properties(
    properties: Mapping[str, Any], known_regions: AbstractSet[str], read_object: Callable[[S3Object], str]
) -> tuple[Wanted, list[Fault]]:
    """The policy that the properties ask for, and all that is wrong with them.

    `read_object` gives an S3 object's text, or raises ValueError with the reason why it cannot be read.
    """
    faults = [
        Fault(name, "no property of Custom::OrgPolicy")
        for name in properties
        if name not in PROPERTIES + CLOUDFORMATION_PROPERTIES
    ]
    wanted = Wanted(
        name=_text(properties, "PolicyName", faults, least=1, most=MAX_NAME),
        description=_text(properties, "PolicyDescription", faults, least=0, most=MAX_DESCRIPTION),
        targets=_list(properties, "PolicyTargets", faults, _target_fault),
        management_account=_account(properties, faults),
        content="",
        verify=_flag(properties, "VerifyEffectivePolicy", faults, default=True),
        child=_flag(properties, "ChildPolicy", faults, default=False),
    )
    regions = _list(properties, "PolicyRegions", faults, lambda region: _region_fault(region, known_regions))
    policy_type = _text(properties, "PolicyType", faults, least=1, most=MAX_NAME)
    if policy_type and policy_type != POLICY_TYPE:
        faults.append(Fault("PolicyType", f"{policy_type}, only {POLICY_TYPE} is supported"))
    variables = _variables(properties.get("Variables"), faults)
    text = _content_text(properties.get("PolicyContent"), faults, read_object)
    if text is None:
        return wanted, faults
    content, content_faults = policy.compose(text, variables, regions, child=wanted.child)
    return replace(wanted, content=content), faults + content_faults


def account_of(properties: Mapping[str, Any]) -> str | None:
    """The management account that the properties name, None if they name none."""
    account = properties.get("OrgManagementAccount")
    return account if isinstance(account, str) and re.fullmatch(ACCOUNT_ID, account) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(properties: Mapping[str, Any], name: str, faults: list[Fault], *, least: int, most: int) -> str:
    value = properties.get(name)
    problem = None
    if value is None:
        problem = "missing"
    elif not isinstance(value, str):
        problem = f"must be a string, not {_kind(value)}"
    elif not least <= len(value) <= most:
        problem = f"{len(value)} characters, {least} to {most} allowed"
    elif not _is_unicode(value):
        problem = "holds half of a Unicode character"
    if problem:
        faults.append(Fault(name, problem))
        return ""
    return str(value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _account(properties: Mapping[str, Any], faults: list[Fault]) -> str:
    account = _text(properties, "OrgManagementAccount", faults, least=1, most=MAX_NAME)
    if account and not re.fullmatch(ACCOUNT_ID, account):
        faults.append(Fault("OrgManagementAccount", f"{account} is not an account number of 12 digits"))
    return account


def _flag(properties: Mapping[str, Any], name: str, faults: list[Fault], *, default: bool) -> bool:
    value = str(properties.get(name, default)).lower()
    if value not in {"true", "false"}:
        faults.append(Fault(name, "must be true or false"))
    return value == "true"


def _list(
    properties: Mapping[str, Any], name: str, faults: list[Fault], problem: Callable[[str], str | None]
) -> tuple[str, ...]:
    """The items in their order, each once; blanks around them and a comma-separated string are accepted."""
    value = properties.get(name)
    if value is None:
        faults.append(Fault(name, "missing"))
        return ()
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        faults.append(Fault(name, f"must be a list, not {_kind(value)}"))
        return ()
    if not items:
        faults.append(Fault(name, "empty"))
    for index, item in enumerate(items):
        what = problem(item.strip()) if isinstance(item, str) else f"must be a string, not {_kind(item)}"
        if what:
            faults.append(Fault(f"{name}[{index}]", what))
    return tuple(dict.fromkeys(item.strip() for item in items if isinstance(item, str)))


def _target_fault(target: str) -> str | None:
    return None if re.fullmatch(TARGET_ID, target) else f"{target or 'nothing'} is no root, OU or account id"


def _region_fault(region: str, known: AbstractSet[str]) -> str | None:
    return None if region in known else f"{region or 'nothing'} is no Region of this partition"


def _variables(value: Any, faults: list[Fault]) -> dict[str, str]:
    """The tokens and their values, from one map or a list of maps."""
    maps = [] if value is None else [value] if isinstance(value, dict) else value
    if not isinstance(maps, list) or not all(isinstance(entry, dict) for entry in maps):
        faults.append(Fault("Variables", "must be a map or a list of maps"))
        return {}
    variables: dict[str, str] = {}
    for token, given in ((token, given) for entry in maps for token, given in entry.items()):
        text = json.dumps(given) if isinstance(given, bool | int | float) else given
        if not isinstance(text, str):
            faults.append(Fault(f"Variables.{token}", f"must be a string, not {_kind(given)}"))
        elif not token:
            faults.append(Fault("Variables", "a token is empty"))
        elif variables.setdefault(token, text) != text:
            faults.append(Fault(f"Variables.{token}", "given twice with different values"))
    return variables


def _content_text(value: Any, faults: list[Fault], read_object: Callable[[S3Object], str]) -> str | None:
    """The policy's text from any of the three forms; None if there is none to check."""
    if value is None:
        faults.append(Fault("PolicyContent", "missing"))
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        faults.append(Fault("PolicyContent", f"must be an object or a string, not {_kind(value)}"))
        return None
    if set(value) != {"S3"}:
        return policy.compact_json(value)
    place = _s3_object(value["S3"], faults)
    if place is None:
        return None
    try:
        return read_object(place)
    except ValueError as error:
        faults.append(Fault("PolicyContent.S3", str(error)))
        return None


def _s3_object(value: Any, faults: list[Fault]) -> S3Object | None:
    place = _mapping(value)
    bucket, key, version = (place.get(name) for name in ("PolicyBucket", "PolicyKey", "PolicyVersion"))
    given = {"PolicyBucket": bucket, "PolicyKey": key}
    if version is not None:
        given["PolicyVersion"] = version
    wrong = [name for name, text in given.items() if not isinstance(text, str) or not text]
    faults.extend(Fault(f"PolicyContent.S3.{name}", "must be a string, not empty") for name in wrong)
    return None if wrong else S3Object(str(bucket), str(key), version)


def _kind(value: Any) -> str:
    names = {dict: "a map", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")
