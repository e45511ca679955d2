"""A strict, stateful fake of AWS: boto3's clients without HTTP, on a fake clock.

It is for what moto cannot raise: faults at any call (throttling, denials, server errors, lost responses, a
killed process), lists in pages of 20, quotas and refusals of Organizations, effective policies, job results
of CodePipeline. The lifecycle of a policy runs on moto: test_lifecycle.py. Parameters and responses are
checked against botocore's models of the operations.
"""

import copy
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

POLICY_ID = r"p-[0-9a-zA-Z_]{8,128}"
TARGET_ID = r"(r-[0-9a-z]{4,32})|([0-9]{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})"
MAX_ATTACHED = 10
PAGE = 20
WRITES = {"CreatePolicy", "UpdatePolicy", "AttachPolicy", "DetachPolicy", "DeletePolicy", "TagResource"}
LIMITED = {"CreatePolicy", "UpdatePolicy", "AttachPolicy", "DetachPolicy"}
LASTING = {"throttled forever", "denied"}
ADMIN_ROLE = "BackupOrgPolicyManagerOrgAdmin"

_VALIDATOR = ParamValidator()


@cache
def operations(service: str) -> dict[str, OperationModel]:
    """botocore's models of a service's operations, by the name of the client's method."""
    model = ServiceModel(create_loader().load_service_model(service, "service-2"))
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


class Refusal(Exception):  # noqa: N818  # the service's side of an error
    """An error response of the service."""

    def __init__(self, code: str, status: int = 400) -> None:
        self.code, self.status = code, status
        super().__init__(code)


class ProcessKilled(BaseException):
    """Lambda ended the process: nothing in it can catch this."""


@dataclass
class Clock:
    """Seconds since the invocation began; sleeping takes no real time."""

    now: float = 0.0
    limit: float = 900.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def remaining_ms(self) -> int:
        return max(0, int((self.limit - self.now) * 1000))


@dataclass
class StoredPolicy:
    id: str
    name: str
    description: str
    content: str
    type: str = "BACKUP_POLICY"
    tags: dict[str, str] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)


class FakeOrganization:
    """One organization: accounts in OUs, policies, quotas, and Organizations' documented refusals."""

    def __init__(self, management_account: str, targets: list[str]) -> None:
        self.management_account = management_account
        self.targets = targets
        self.accounts_in: dict[str, list[str]] = {}
        self.policies: dict[str, StoredPolicy] = {}
        self.invalid: dict[str, list[dict[str, Any]]] = {}
        self.effective: dict[str, str | None] = {}
        self.unsupported: set[str] = set()
        self.denied: set[str] = set()
        self.page = PAGE
        self._made = 0

    def copy(self) -> "FakeOrganization":
        """An organization of its own, with the same policies."""
        copied = copy.copy(self)
        copied.targets, copied.denied = list(self.targets), set(self.denied)
        copied.policies = {
            policy.id: replace(policy, tags=dict(policy.tags), targets=list(policy.targets))
            for policy in self.policies.values()
        }
        return copied

    def add(self, name: str, **fields: Any) -> StoredPolicy:
        """A policy that was there before, for instance made by hand."""
        self._made += 1
        policy = StoredPolicy(f"p-{self.management_account[:4]}{self._made:06d}", name, "", '{"plans":{}}')
        for key, value in fields.items():
            setattr(policy, key, value)
        self.policies[policy.id] = policy
        return policy

    def respond(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation in self.denied:
            raise Refusal("AccessDeniedException")
        method = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower(), None)
        if method is None or operation in self.unsupported:
            raise Refusal("UnsupportedAPIEndpointException")
        result: dict[str, Any] = method(given)
        return result

    # -- policies ----------------------------------------------------------------------------------------

    def create_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        self._check_name(given["Name"], but=None)
        self._check_content(given["Content"], given.get("Description", ""))
        if given["Type"] != "BACKUP_POLICY":
            raise Refusal("AccessDeniedException")
        policy = self.add(
            given["Name"], content=given["Content"], description=given["Description"], tags=self._tags(given)
        )
        return {"Policy": self._document(policy)}

    def update_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        policy = self._policy(given["PolicyId"])
        self._check_name(given.get("Name", policy.name), but=policy.id)
        self._check_content(given.get("Content", policy.content), given.get("Description", ""))
        policy.name = given.get("Name", policy.name)
        policy.content = given.get("Content", policy.content)
        policy.description = given.get("Description", policy.description)
        return {"Policy": self._document(policy)}

    def describe_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"Policy": self._document(self._policy(given["PolicyId"]))}

    def delete_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        policy = self._policy(given["PolicyId"])
        if policy.targets:
            raise Refusal("PolicyInUseException")
        del self.policies[policy.id]
        return {}

    def list_policies(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [policy for policy in self.policies.values() if policy.type == given["Filter"]]
        return self._paged("Policies", [self._summary(policy) for policy in found], given)

    # -- attachments -------------------------------------------------------------------------------------

    def attach_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        policy, target = self._policy(given["PolicyId"]), self._target(given["TargetId"])
        if target in policy.targets:
            raise Refusal("DuplicatePolicyAttachmentException")
        if sum(target in other.targets for other in self.policies.values()) >= MAX_ATTACHED:
            raise Refusal("ConstraintViolationException")
        policy.targets.append(target)
        return {}

    def detach_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        policy, target = self._policy(given["PolicyId"]), self._target(given["TargetId"])
        if target not in policy.targets:
            raise Refusal("PolicyNotAttachedException")
        policy.targets.remove(target)
        return {}

    def list_targets_for_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        targets = self._policy(given["PolicyId"]).targets
        return self._paged("Targets", [{"TargetId": target, "Name": target} for target in targets], given)

    # -- tags --------------------------------------------------------------------------------------------

    def list_tags_for_resource(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["ResourceId"] not in self.policies:
            raise Refusal("TargetNotFoundException")
        tags = self.policies[given["ResourceId"]].tags
        return self._paged("Tags", [{"Key": key, "Value": value} for key, value in tags.items()], given)

    def tag_resource(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["ResourceId"] not in self.policies:
            raise Refusal("TargetNotFoundException")
        self.policies[given["ResourceId"]].tags |= self._tags(given)
        return {}

    # -- effective policies ------------------------------------------------------------------------------

    def list_accounts_with_invalid_effective_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        response = self._paged("Accounts", [{"Id": account} for account in self.invalid], given)
        return {**response, "PolicyType": given["PolicyType"]}

    def list_effective_policy_validation_errors(self, given: dict[str, Any]) -> dict[str, Any]:
        account = given["AccountId"]
        found = self._paged("EffectivePolicyValidationErrors", self.invalid.get(account, []), given)
        parents = [ou for ou, accounts in self.accounts_in.items() if account in accounts]
        return {**found, "AccountId": account, "Path": "/".join(["o-fake", "r-root", *parents, account])}

    def list_accounts_for_parent(self, given: dict[str, Any]) -> dict[str, Any]:
        accounts = self.accounts_in.get(self._target(given["ParentId"]), [])
        return self._paged("Accounts", [{"Id": account} for account in accounts], given)

    def describe_effective_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        account = given["TargetId"]
        if not re.fullmatch("[0-9]{12}", account):
            raise Refusal("InvalidInputException")
        reaching = {account, *(ou for ou, accounts in self.accounts_in.items() if account in accounts)}
        plans: dict[str, Any] = {}
        for policy in self.policies.values():
            if reaching & set(policy.targets):
                plans |= json.loads(policy.content)["plans"]
        content = self.effective.get(account, json.dumps({"plans": plans}) if plans else None)
        if content is None:
            raise Refusal("EffectivePolicyNotFoundException")
        return {"EffectivePolicy": {"PolicyContent": content, "TargetId": account}}

    # -- the service's own rules -------------------------------------------------------------------------

    def _policy(self, policy_id: str) -> StoredPolicy:
        if not re.fullmatch(POLICY_ID, policy_id):
            raise Refusal("InvalidInputException")
        if policy_id not in self.policies:
            raise Refusal("PolicyNotFoundException")
        policy = self.policies[policy_id]
        if policy.type != "BACKUP_POLICY":
            raise Refusal("AccessDeniedException")  # the role's condition organizations:PolicyType
        return policy

    def _tags(self, given: dict[str, Any]) -> dict[str, str]:
        tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])}
        if any(not re.fullmatch(r"[\w\s.:/=+\-@]{1,256}", text) for pair in tags.items() for text in pair):
            raise Refusal("InvalidInputException")
        return tags

    def _target(self, target: str) -> str:
        if not re.fullmatch(TARGET_ID, target):
            raise Refusal("InvalidInputException")
        if target not in self.targets:
            raise Refusal("TargetNotFoundException")
        return target

    def _check_name(self, name: str, but: str | None) -> None:
        if not 1 <= len(name) <= 128:
            raise Refusal("InvalidInputException")
        if any(policy.name == name and policy.id != but for policy in self.policies.values()):
            raise Refusal("DuplicatePolicyException")

    def _check_content(self, content: str, description: str) -> None:
        try:
            document = json.loads(content)
        except ValueError:
            raise Refusal("MalformedPolicyDocumentException") from None
        if not isinstance(document, dict) or "refuse me" in content:
            raise Refusal("MalformedPolicyDocumentException")
        if len(content) > 10_000 or len(description) > 512:
            raise Refusal("ConstraintViolationException")

    def _paged(self, key: str, items: list[Any], given: dict[str, Any]) -> dict[str, Any]:
        start = int(given.get("NextToken", "0"))
        end = start + self.page
        return {key: items[start:end]} | ({"NextToken": str(end)} if end < len(items) else {})

    def _summary(self, policy: StoredPolicy) -> dict[str, Any]:
        return {
            "Id": policy.id,
            "Arn": f"arn:aws:organizations::{self.management_account}:policy/o-fake/{policy.id}",
            "Name": policy.name,
            "Description": policy.description,
            "Type": policy.type,
            "AwsManaged": False,
        }

    def _document(self, policy: StoredPolicy) -> dict[str, Any]:
        return {"PolicySummary": self._summary(policy), "Content": policy.content}


def copies(organizations: dict[str, FakeOrganization]) -> dict[str, FakeOrganization]:
    return {account: organization.copy() for account, organization in organizations.items()}


@dataclass
class Fault:
    """What goes wrong at one call, counted from 0; see test_faults.py for the kinds.

    "…, then denied" and "…, then throttled forever": so are all later calls of the same operation.
    """

    kind: str
    at: int


class TwoPerSecond:
    """Organizations' limit of two writes a second with a burst of three."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._tokens, self._then = clock, 3.0, 0.0

    def take(self) -> bool:
        self._tokens = min(3.0, self._tokens + 2 * (self._clock.now - self._then))
        self._then = self._clock.now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class FakeAws:
    """STS, S3, CodePipeline and the organizations."""

    clock: Clock
    organizations: dict[str, FakeOrganization]
    objects: dict[tuple[str, str, str | None], bytes] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    limit: TwoPerSecond | None = None
    latency: float = 0.05
    after_call: Callable[[], None] = lambda: None
    not_in_this_sdk: set[str] = field(default_factory=set)
    clients: list[tuple[str, str | None]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    job_results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _stuck: dict[str, str] = field(default_factory=dict)

    def start(self, *faults: Fault) -> None:
        """Begin a new invocation: the clock is at 0 and nothing has been called."""
        self.clock.now, self.clock.slept[:] = 0.0, []
        self.clients.clear()
        self.calls.clear()
        self.errors.clear()
        self.faults, self._stuck = faults, {}
        if self.limit:
            self.limit = TwoPerSecond(self.clock)

    def snapshot(self) -> dict[str, FakeOrganization]:
        return copies(self.organizations)

    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call in WRITES]

    def client(self, service: str, **options: Any) -> "FakeClient":
        """A client, made as boto3's default session makes it; the assumed role's key ends in its account."""
        access_key = options.get("aws_access_key_id")
        if access_key:
            assert (options["aws_secret_access_key"], options["aws_session_token"]) == ("secret", "token")
        self.clients.append((service, access_key))
        return FakeClient(self, service, str(access_key).removeprefix("ASIA"))

    def call(
        self, service: str, account: str, model: OperationModel, given: dict[str, Any]
    ) -> dict[str, Any]:
        operation, index = model.name, len(self.calls)
        self.calls.append(operation)
        self.clock.now += self.latency
        kind = next((fault.kind for fault in self.faults if fault.at == index), "")
        response: dict[str, Any] | ClientError
        try:
            self._refuse(kind, operation)
            response = self._respond(service, account, operation, given)
        except Refusal as refusal:
            self.errors.append(refusal.code)
            response = ClientError(
                {
                    "Error": {"Code": refusal.code, "Message": f"{refusal.code} of the fake"},
                    "ResponseMetadata": {"HTTPStatusCode": refusal.status},  # type: ignore[typeddict-item]
                },
                operation,
            )
        self.after_call()
        first, _, then = kind.partition(", then ")
        if then:
            self._stuck[operation] = then
        self._disturb(first)
        if isinstance(response, ClientError):
            raise response
        _check(response, model.output_shape)
        return response

    def _refuse(self, kind: str, operation: str) -> None:
        """Errors of the service, before the call takes effect."""
        if kind in LASTING:
            self._stuck[operation] = kind
        if operation in self._stuck:
            denied = "AccessDenied" if operation == "AssumeRole" else "AccessDeniedException"
            raise Refusal(denied if self._stuck[operation] == "denied" else "TooManyRequestsException")
        if kind == "throttled once":
            raise Refusal("TooManyRequestsException")
        if kind == "concurrent modification":
            raise Refusal("ConcurrentModificationException")
        if kind.startswith("server error"):
            raise Refusal("ServiceException", status=500)
        if self.limit and operation in LIMITED and not self.limit.take():
            raise Refusal("TooManyRequestsException")

    def _disturb(self, kind: str) -> None:
        """Faults after the call took effect."""
        if kind == "response lost":
            raise ConnectionClosedError(endpoint_url="https://fake")
        if kind == "killed":
            raise ProcessKilled
        if kind == "time nearly out":
            self.clock.now = max(self.clock.now, self.clock.limit - 15)
        if kind == "time out":
            self.clock.now = max(self.clock.now, self.clock.limit - 5)

    def _respond(self, service: str, account: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if service == "sts":
            return self._assume_role(given["RoleArn"])
        if service == "s3":
            return self._get_object(given["Bucket"], given["Key"], given.get("VersionId"))
        if service == "codepipeline":
            self.job_results.append((operation, given))
            return {}
        assert account in self.organizations, (
            "organizations must be called with the assumed role's credentials"
        )
        return self.organizations[account].respond(operation, given)

    def _assume_role(self, arn: str) -> dict[str, Any]:
        found = re.fullmatch(rf"arn:aws[a-z-]*:iam::(\d{{12}}):role/{ADMIN_ROLE}", arn)
        if not found or found[1] not in self.organizations:
            raise Refusal("AccessDenied", status=403)
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{found[1]}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": datetime(2100, 1, 1, tzinfo=UTC),
            }
        }

    def _get_object(self, bucket: str, key: str, version: str | None) -> dict[str, Any]:
        if (bucket, key, version) not in self.objects:
            raise Refusal("NoSuchKey" if version is None else "NoSuchVersion", status=404)
        return {"Body": io.BytesIO(self.objects[bucket, key, version])}


class FakeClient:
    """The methods of a boto3 client."""

    def __init__(self, aws: FakeAws, service: str, account: str) -> None:
        self._aws, self._service, self._account = aws, service, account

    def __getattr__(self, name: str) -> Any:
        model = operations(self._service).get(name)
        if model is None or model.name in self._aws.not_in_this_sdk:
            raise AttributeError(name)
        return partial(self._call, model)

    def _call(self, model: OperationModel, /, **given: Any) -> dict[str, Any]:
        _check(given, model.input_shape)
        return self._aws.call(self._service, self._account, model, given)


def _check(given: dict[str, Any], shape: Any) -> None:
    if shape is not None:
        report = _VALIDATOR.validate(given, shape)
        assert not report.has_errors(), report.generate_report()
