"""A strict, stateful stand-in for AWS beneath the real botocore clients.

The clients build, validate and sign their requests and parse the answers; only the HTTP exchange is
replaced, by a `before-send` hook. Every answer is checked against botocore's own model of the operation.
Time is a fake clock.
"""

import copy
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from rehearsal.machine import environment

POLICY_ID = r"p-[0-9a-zA-Z_]{8,128}"
TARGET_ID = r"(r-[0-9a-z]{4,32})|([0-9]{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})"
MAX_ATTACHED = 10
PAGE = 20
WRITES = {"CreatePolicy", "UpdatePolicy", "AttachPolicy", "DetachPolicy", "DeletePolicy", "TagResource"}
LIMITED = {"CreatePolicy", "UpdatePolicy", "AttachPolicy", "DetachPolicy"}
LASTING = {"throttled for ever", "denied"}
ADMIN_ROLE = "BackupOrgPolicyManagerOrgAdmin"

MODEL = ServiceModel(create_loader().load_service_model("organizations", "service-2"))


class Refusal(Exception):  # noqa: N818  # the service's side of an error
    """What the service answers instead of a result."""

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
        self.role_is_limited = True
        self.page = PAGE
        self._made = 0

    def add(self, name: str, **fields: Any) -> StoredPolicy:
        """A policy that was there before, for instance made by hand."""
        self._made += 1
        policy = StoredPolicy(f"p-{self.management_account[:4]}{self._made:06d}", name, "", '{"plans":{}}')
        for key, value in fields.items():
            setattr(policy, key, value)
        self.policies[policy.id] = policy
        return policy

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
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
        answer = self._paged("Accounts", [{"Id": account} for account in self.invalid], given)
        return {**answer, "PolicyType": given["PolicyType"]}

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
        if policy.type != "BACKUP_POLICY" and self.role_is_limited:
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


@dataclass
class Fault:
    """What goes wrong at one call, counted from 0; see test_faults.py for the kinds.

    "…, then denied" and "…, then throttled for ever": so are all later calls of the same operation.
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
    """STS, S3 and the organizations, reached through real clients of a boto3 session."""

    clock: Clock
    organizations: dict[str, FakeOrganization]
    objects: dict[tuple[str, str, str | None], bytes] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    limit: TwoPerSecond | None = None
    latency: float = 0.05
    after_call: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    job_results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _stuck: dict[str, str] = field(default_factory=dict)

    def start(self, *faults: Fault) -> None:
        """A new invocation begins: the clock is at 0 again, nothing has been called."""
        self.calls.clear()
        self.errors.clear()
        self.faults, self._stuck = faults, {}
        if self.limit:
            self.limit = TwoPerSecond(self.clock)

    def snapshot(self) -> dict[str, FakeOrganization]:
        return copy.deepcopy(self.organizations)

    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call in WRITES]

    def send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:]
        index = len(self.calls)
        self.calls.append(operation)
        self.clock.now += self.latency
        kind = next((fault.kind for fault in self.faults if fault.at == index), "")
        try:
            self._refuse(kind, operation)
            status, body = 200, self._answer(service, operation, request)
        except Refusal as refusal:
            self.errors.append(refusal.code)
            status, body = refusal.status, _error_body(service, refusal)
        self.after_call()
        first, _, then = kind.partition(", then ")
        if then:
            self._stuck[operation] = then
        self._disturb(first, request)
        return AWSResponse(request.url, status, {}, _Raw(body))

    def _refuse(self, kind: str, operation: str) -> None:
        """Errors of the service, before the call has any effect."""
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

    def _disturb(self, kind: str, request: AWSPreparedRequest) -> None:
        """What goes wrong after the call took effect."""
        if kind == "answer lost":
            raise ConnectionClosedError(endpoint_url=request.url)
        if kind == "killed":
            raise ProcessKilled
        if kind == "time nearly out":
            self.clock.now = max(self.clock.now, self.clock.limit - 15)
        if kind == "time out":
            self.clock.now = max(self.clock.now, self.clock.limit - 5)

    def _answer(self, service: str, operation: str, request: AWSPreparedRequest) -> bytes:
        if service == "sts":
            return self._assume_role(parse_qs(_text(request.body)))
        if service == "s3":
            return self._get_object(request)
        if service == "codepipeline":
            self.job_results.append((operation, json.loads(request.body)))
            return b"{}"
        account = re.search(r"Credential=ASIA(\d{12})", str(request.headers["Authorization"]))
        assert account, "organizations must be called with the assumed role's credentials"
        answer = self.organizations[account[1]].answer(operation, json.loads(request.body))
        shape = MODEL.operation_model(operation).output_shape
        if shape:
            report = ParamValidator().validate(answer, shape)
            assert not report.has_errors(), report.generate_report()
        return json.dumps(answer).encode()

    def _assume_role(self, given: dict[str, list[str]]) -> bytes:
        found = re.fullmatch(rf"arn:aws[a-z-]*:iam::(\d{{12}}):role/{ADMIN_ROLE}", given["RoleArn"][0])
        if not found or found[1] not in self.organizations:
            raise Refusal("AccessDenied", status=403)
        return (
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>ASIA{found[1]}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            "<SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()

    def _get_object(self, request: AWSPreparedRequest) -> bytes:
        address = urlsplit(request.url)
        bucket = (address.hostname or "").split(".")[0]
        version = parse_qs(address.query).get("versionId", [None])[0]
        key = unquote(address.path.lstrip("/"))
        if (bucket, key, version) not in self.objects:
            raise Refusal("NoSuchKey" if version is None else "NoSuchVersion", status=404)
        return self.objects[bucket, key, version]


class SessionWithKeptClients:
    """Makes each client once: making one takes 5 ms, and the tests make thousands of requests."""

    def __init__(self) -> None:
        self._session = environment.session("us-east-1")
        self.aws: FakeAws | None = None
        self.asked: dict[tuple[str, str | None], Any] = {}
        self._kept: dict[tuple[str, str | None], Any] = {}
        self._session.events.register("before-send", lambda **given: self.aws and self.aws.send(**given))

    def client(self, service_name: str, *args: Any, **options: Any) -> Any:
        key = service_name, options.get("aws_access_key_id")
        if key not in self._kept:
            keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
            # Putting together botocore's own name takes an eighth of a call.
            options["config"] = options["config"].merge(Config(user_agent="tests"))
            self._kept[key] = self._session.client(service_name, *args, **{**keys, **options})
        self.asked[key] = self._kept[key]
        return self._kept[key]


@cache
def _session() -> SessionWithKeptClients:
    return SessionWithKeptClients()


def session_over(aws: FakeAws) -> SessionWithKeptClients:
    """The one session, with this fake beneath it."""
    session = _session()
    session.aws, session.asked = aws, {}
    return session


class _Raw(io.BytesIO):
    """A body as urllib3 hands it to botocore."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)


def _error_body(service: str, refusal: Refusal) -> bytes:
    if service in ("organizations", "codepipeline"):
        return json.dumps({"__type": refusal.code, "Message": f"{refusal.code} of the fake"}).encode()
    error = f"<Error><Code>{refusal.code}</Code><Message>{refusal.code} of the fake</Message></Error>"
    return (f"<ErrorResponse>{error}</ErrorResponse>" if service == "sts" else error).encode()
