"""The lifecycle of a policy on moto, with real boto3 clients: create, update, roll back, delete.

What moto lacks is said where a test adds it: the ARN format of backup policies, a quota, CodePipeline's job
results. Effective policies, refused content and roles, long lists and faults at every call are tested on the
fake.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from backup_org_policy_manager import handler
from backup_org_policy_manager.request import Owner
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto import mock_aws
from moto.organizations import models

from rehearsal.machine import environment

from .conftest import (
    ANOTHER_STACK,
    MANAGEMENT,
    OTHER_MANAGEMENT,
    STACK,
    Deployment,
    environment_of,
    event,
    plan,
    properties,
)
from .fakes import WRITES

BUCKET, KEY = "policies-of-the-home-account", "policies/daily.json"
OURS = Owner(STACK, "DailyPolicy", "an earlier request").tags()


MOTOS_OWN_POLICY = models.FakePolicy


class BackupPolicy(MOTOS_OWN_POLICY):
    """moto has the type BACKUP_POLICY but no ARN format for it."""

    def __init__(self, organization: models.FakeOrganization, **given: Any) -> None:
        if given["Type"] != "BACKUP_POLICY":
            super().__init__(organization, **given)
            return
        super().__init__(organization, **{**given, "Type": "TAG_POLICY"})
        self.type = "BACKUP_POLICY"
        self._arn_format = "arn:{0}:organizations::{1}:policy/{2}/backup_policy/{3}"


class Policy(NamedTuple):
    name: str
    description: str
    type: str
    content: dict[str, Any]
    tags: dict[str, str]
    targets: list[str]


class Organization:
    """An organization on moto, read and prepared in its backend: only the function makes API calls."""

    def __init__(self, management_account: str) -> None:
        self.backend: Any = models.organizations_backends[management_account]["aws"]
        self.backend.create_organization("us-east-1", FeatureSet="ALL")
        self.root = self.backend.org.root_id
        self.ous = [
            self.backend.create_organizational_unit(ParentId=self.root, Name=name)["OrganizationalUnit"]["Id"]
            for name in ("one", "two", "three")
        ]
        self.account = management_account

    def add(self, name: str, *targets: str, tags: dict[str, str] | None = None, **changed: Any) -> str:
        """A policy that is there before the function runs; its ID."""
        listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        given = {"Description": "", "Content": '{"plans": {}}', "Type": "BACKUP_POLICY", **changed}
        created = self.backend.create_policy(Name=name, Tags=listed, **given)
        policy_id: str = created["Policy"]["PolicySummary"]["Id"]
        for target in targets:
            self.backend.attach_policy(PolicyId=policy_id, TargetId=target)
        return policy_id

    @property
    def policies(self) -> dict[str, Policy]:
        return {
            policy.id: Policy(
                policy.name,
                policy.description,
                policy.type,
                json.loads(policy.content),
                dict(policy.tags),
                [target.id for target in policy.attachments],
            )
            for policy in self.backend.policies
            if not policy.aws_managed
        }

    def targets(self, policy_id: str) -> list[str]:
        return self.policies[policy_id].targets

    def detach(self, policy_id: str) -> None:
        for target in self.targets(policy_id):
            self.backend.detach_policy(PolicyId=policy_id, TargetId=target)

    def untag(self, policy_id: str) -> None:
        self.backend.get_policy_by_id(policy_id).tags.clear()

    def clear(self) -> None:
        for policy_id in self.policies:
            self.detach(policy_id)
            self.backend.delete_policy(PolicyId=policy_id)


Responder = Callable[[dict[str, Any]], dict[str, Any] | None]


class World:
    """Two organizations, the home account with a versioned bucket, and the function's session there."""

    def __init__(self) -> None:
        self.session = environment.session("us-east-1")
        self.session.events.register("before-call", self._before_call)
        self.respond: dict[str, Responder] = {}  # what moto lacks: the response to a call
        self.organizations = {account: Organization(account) for account in (MANAGEMENT, OTHER_MANAGEMENT)}
        self.calls: list[str] = []
        self._assumed: str | None = None
        self.clients: dict[tuple[str, str | None], Any] = {}
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def _before_call(self, model: Any, params: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        self.calls.append(model.name)
        if model.name == "AssumeRole":
            self._assumed = params["body"]["RoleArn"]
        if model.name in self.respond:
            parsed = self.respond[model.name](json.loads(params["body"]))
            if parsed is not None:
                return AWSResponse("", 400 if "Error" in parsed else 200, {}, None), parsed
        return None

    def client(self, service: str, **options: Any) -> Any:
        """As boto3's default session makes it, but once for each service and assumed role."""
        key = service, self._assumed if options.get("aws_access_key_id") else None
        if key not in self.clients:
            self.clients[key] = self.session.client(service, **options)  # type: ignore[call-overload]
        return self.clients[key]


def in_regions(content: dict[str, Any], *regions: str) -> dict[str, Any]:
    """The content with the Regions that the function adds."""
    (daily,) = content["plans"].values()
    return {
        "plans": {"Daily": {**daily, "regions": {"@@assign": list(regions or ("us-east-1", "us-east-2"))}}}
    }


@dataclass
class Function(Deployment):
    """The function with real clients on moto; `calls` are those of the latest request."""

    world: World = field(kw_only=True)

    @property
    def calls(self) -> list[str]:
        return self.world.calls

    @property
    def organization(self) -> Organization:
        return self.world.organizations[MANAGEMENT]

    @property
    def other(self) -> Organization:
        return self.world.organizations[OTHER_MANAGEMENT]

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call in WRITES]

    def invoke(self, request: dict[str, Any]) -> dict[str, Any] | None:
        self.calls.clear()
        return super().invoke(request)

    def given(self, **changed: Any) -> dict[str, Any]:
        """Properties for the first two OUs of this organization."""
        ours = {"PolicyTargets": self.organization.ous[:2], "VerifyEffectivePolicy": "false"}
        return properties(**{**ours, **changed})

    def create(self, **changed: Any) -> str:
        return str(self.succeed(event("Create", self.given(**changed)))["PhysicalResourceId"])

    def existing(self) -> str:
        """Our policy as a Create leaves it; its ID."""
        return self.organization.add(
            "daily",
            *self.organization.ous[:2],
            tags=Owner(STACK, "DailyPolicy", "request-Create").tags(),
            Description="Daily backups",
            Content=json.dumps(in_regions(plan())),
        )

    def update(self, policy_id: str, **changed: Any) -> dict[str, Any]:
        return event(
            "Update",
            self.given(**changed),
            OldResourceProperties=self.given(),
            PhysicalResourceId=policy_id,
        )

    def roll_back(self, policy_id: str, **changed: Any) -> dict[str, Any]:
        """CloudFormation's rollback of an Update with these changes."""
        return event(
            "Update", self.given(), OldResourceProperties=self.given(**changed), PhysicalResourceId=policy_id
        )

    def delete(self, policy_id: str, **changed: Any) -> dict[str, Any]:
        return event("Delete", self.given(**changed), PhysicalResourceId=policy_id)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "FakePolicy", BackupPolicy)
        yield World()


@pytest.fixture
def function(world: World) -> Iterator[Function]:
    function = Function(world=world)
    with environment_of(function, world):
        yield function
    world.respond.clear()
    for organization in world.organizations.values():
        organization.clear()


def quota_of(target: str) -> Responder:
    """A target that has ten policies: moto has no such quota."""
    refused = {"Error": {"Code": "ConstraintViolationException", "Message": "Too many policies."}}
    return lambda given: refused if given["TargetId"] == target else None


def test_moto_still_has_no_arn_format_for_backup_policies() -> None:
    """When this fails, BackupPolicy is no longer needed."""
    organization = models.FakeOrganization(MANAGEMENT, "us-east-1", "ALL")
    with pytest.raises(NotImplementedError):
        MOTOS_OWN_POLICY(organization, Type="BACKUP_POLICY")


# -- create ----------------------------------------------------------------------------------------------


def test_a_policy_is_created_tagged_and_attached(function: Function) -> None:
    organization = function.organization
    targets = [organization.root, organization.ous[0], organization.account]
    response = function.succeed(event("Create", function.given(PolicyTargets=targets)))
    tags = {
        "backup-org-policy-manager:stack": STACK,
        "backup-org-policy-manager:resource": "DailyPolicy",
        "backup-org-policy-manager:request": "request-Create",
    }
    policy_id = response["PhysicalResourceId"]
    assert organization.policies == {
        policy_id: Policy("daily", "Daily backups", "BACKUP_POLICY", in_regions(plan()), tags, targets)
    }
    assert response["Data"] == {
        "PolicyId": policy_id,
        "PolicyName": "daily",
        "PolicyType": "BACKUP_POLICY",
        "PolicyTargets": targets,
        "PolicyTargetCount": "3",
        "EffectivePolicy": "off",
    }
    assert function.calls == ["AssumeRole", "CreatePolicy", *["AttachPolicy"] * 3]


def test_a_failed_create_leaves_nothing(function: Function) -> None:
    function.world.respond["AttachPolicy"] = quota_of(function.organization.ous[1])
    reason = function.fail(event("Create", function.given()))
    assert "AttachPolicy" in reason
    assert "ConstraintViolationException" in reason
    assert reason.endswith("(2 of 3 changes made, all reverted)")
    assert function.organization.policies == {}
    assert function.last_response["PhysicalResourceId"] == "policy-not-created"


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, "has no owner tags, so its owner is unknown"),
        ({"made-by": "hand"}, "has no owner tags, so its owner is unknown"),
        ({**OURS, Owner.TAG_RESOURCE: "Weekly"}, "belongs to resource Weekly of this stack"),
        (ANOTHER_STACK, "belongs to stack another-stack"),
        ({Owner.TAG_STACK: "by hand"}, "belongs to stack by hand"),
        (OURS, "was left by an earlier, unfinished request of this resource"),
    ],
    ids=["untagged", "other tags", "sibling", "another stack", "tagged by hand", "ours, attached"],
)
def test_a_retained_policy_with_the_name_is_refused_and_stays_in_effect(
    function: Function, tags: dict[str, str], owner: str
) -> None:
    retained = function.organization.add("daily", function.organization.ous[0], tags=tags)
    before = function.organization.policies
    reason = function.fail(event("Create", function.given()))
    assert f"daily is the name of policy {retained}, which {owner}. Choose another name." in reason
    assert reason.endswith("(nothing was changed)")
    assert "delete" not in reason
    assert function.organization.policies == before


def test_a_policy_that_an_earlier_create_left_unattached_is_replaced(function: Function) -> None:
    function.organization.add("daily", tags=OURS)
    policy_id = function.create()
    assert list(function.organization.policies) == [policy_id]
    assert function.writes[:3] == ["CreatePolicy", "DeletePolicy", "CreatePolicy"]


@pytest.mark.parametrize(
    "tag", [{Owner.TAG_STACK: "arn:of:another:stack"}, {Owner.TAG_RESOURCE: "WeeklyPolicy"}], ids=str
)
def test_an_unattached_policy_of_another_owner_is_never_replaced(
    function: Function, tag: dict[str, str]
) -> None:
    theirs = function.organization.add("daily", tags={**OURS, **tag})
    assert "Choose another name." in function.fail(event("Create", function.given()))
    assert list(function.organization.policies) == [theirs]


def test_a_request_delivered_twice_creates_one_policy(function: Function) -> None:
    policy_id = function.create()
    assert function.create() == policy_id
    assert list(function.organization.policies) == [policy_id]
    assert function.writes == ["CreatePolicy"], "the name is tried, and nothing else is to be done"


def test_a_child_policy_lacks_what_its_parent_supplies(function: Function) -> None:
    content = {"plans": {"Daily": {"rules": {"Rule": {"schedule_expression": {"@@assign": "cron(1)"}}}}}}
    assert "ChildPolicy: must be true" in function.fail(
        event("Create", function.given(PolicyContent=content))
    )
    assert function.calls == []
    policy_id = function.create(PolicyContent=content, ChildPolicy="true")
    assert function.organization.policies[policy_id].content == in_regions(content)


def test_botocore_repeats_no_request(function: Function) -> None:
    sent: list[str] = []

    def close_the_first_connection(request: Any, **_: Any) -> None:
        sent.append(request.url)
        if len(sent) == 1:
            raise ConnectionClosedError(endpoint_url=request.url)

    events = function.world.session.events
    function.world.clients.clear()  # a client has the hooks that the session had when it was made
    events.register_first("before-send.organizations.CreatePolicy", close_the_first_connection)
    function.create()
    events.unregister("before-send.organizations.CreatePolicy", close_the_first_connection)
    assert len(sent) == 2
    assert len(function.clock.slept) == 1, "between the two, the package's own wait"


# -- content from S3 -------------------------------------------------------------------------------------


def put_object(function: Function, content: bytes) -> str:
    """The object's version ID."""
    put = function.world.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=content)
    return str(put["VersionId"])


def from_s3(**location: str) -> dict[str, Any]:
    return {"S3": {"PolicyBucket": BUCKET, "PolicyKey": KEY, **location}}


def days(function: Function, policy_id: str) -> str:
    rule = function.organization.policies[policy_id].content["plans"]["Daily"]["rules"]["Rule"]
    return str(rule["lifecycle"]["delete_after_days"]["@@assign"])


def test_a_version_of_an_object_in_s3_is_rolled_out_and_back(function: Function) -> None:
    first = put_object(function, b"\xef\xbb\xbf" + json.dumps(plan(), indent=4).encode())
    second = put_object(function, json.dumps(plan(days="7")).encode())
    content = {version: from_s3(PolicyVersion=version) for version in (first, second)}
    policy_id = function.create(PolicyContent=content[first])
    assert function.calls[0] == "GetObject"
    assert days(function, policy_id) == "35"
    function.succeed(function.update(policy_id, PolicyContent=from_s3()))
    assert days(function, policy_id) == "7", "without a version the current object"
    back = event(
        "Update",
        function.given(PolicyContent=content[first]),
        OldResourceProperties=function.given(PolicyContent=content[second]),
        PhysicalResourceId=policy_id,
    )
    function.succeed(back)
    assert days(function, policy_id) == "35"


@pytest.mark.parametrize(
    ("content", "location", "expected"),
    [
        (b"{}", {"PolicyKey": "nowhere"}, f"PolicyContent.S3: s3://{BUCKET}/nowhere: NoSuchKey"),
        (b"{}", {"PolicyBucket": "nowhere"}, f"s3://nowhere/{KEY}: NoSuchBucket"),
        (b"\xff\xfe", {}, f"s3://{BUCKET}/{KEY}: not UTF-8 text"),
        (b" " * 1_000_001, {}, f"s3://{BUCKET}/{KEY}: more than 1,000,000 bytes"),
        (b"{}", {}, "PolicyContent.plans: no plan"),
    ],
    ids=["no object", "no bucket", "binary", "too large", "not a policy"],
)
def test_an_object_that_is_not_a_policy_is_named(
    function: Function, content: bytes, location: dict[str, str], expected: str
) -> None:
    put_object(function, content)
    function.calls.clear()
    assert expected in function.fail(event("Create", function.given(PolicyContent=from_s3(**location))))
    assert function.calls == ["GetObject"]


# -- update ----------------------------------------------------------------------------------------------


def test_an_update_that_changes_nothing_writes_nothing(function: Function) -> None:
    policy_id = function.existing()
    before = function.organization.policies
    assert function.succeed(function.update(policy_id))["PhysicalResourceId"] == policy_id
    assert function.writes == []
    assert function.organization.policies == before


@pytest.mark.parametrize(
    "changed",
    [
        {"PolicyRegions": ["us-east-2"]},
        {"PolicyContent": plan(days="7")},
        {"PolicyDescription": "Other words"},
        {"PolicyName": "nightly"},
        {"PolicyName": "nightly", "PolicyDescription": "Other words", "PolicyContent": plan(days="7")},
    ],
    ids=["Regions", "content", "description", "name", "all"],
)
def test_one_call_changes_name_description_content_and_regions(
    function: Function, changed: dict[str, Any]
) -> None:
    policy_id = function.existing()
    before = function.organization.policies[policy_id]
    assert function.succeed(function.update(policy_id, **changed))["PhysicalResourceId"] == policy_id
    assert function.writes == ["UpdatePolicy"]
    given = function.given(**changed)
    content = in_regions(given["PolicyContent"], *given["PolicyRegions"])
    assert function.organization.policies == {
        policy_id: before._replace(
            name=given["PolicyName"], description=given["PolicyDescription"], content=content
        )
    }


def test_new_targets_are_attached_before_old_ones_are_detached(function: Function) -> None:
    policy_id = function.existing()
    new = [function.organization.ous[1], function.organization.ous[2], function.organization.account]
    function.succeed(function.update(policy_id, PolicyTargets=new))
    assert function.writes == ["AttachPolicy", "AttachPolicy", "DetachPolicy"]
    assert function.organization.targets(policy_id) == new


def test_an_update_reverts_changes_made_by_hand(function: Function) -> None:
    policy_id = function.existing()
    before = function.organization.policies
    backend = function.organization.backend
    backend.update_policy(PolicyId=policy_id, Name="renamed", Content='{"plans": {}}')
    backend.detach_policy(PolicyId=policy_id, TargetId=function.organization.ous[1])
    backend.attach_policy(PolicyId=policy_id, TargetId=function.organization.ous[2])
    assert function.succeed(function.update(policy_id))["PhysicalResourceId"] == policy_id
    assert function.organization.policies == before


def test_a_failed_update_is_reverted_and_its_rollback_writes_nothing(function: Function) -> None:
    policy_id = function.existing()
    before = function.organization.policies
    function.world.respond["AttachPolicy"] = quota_of(function.organization.ous[2])
    changed = {
        "PolicyContent": plan(days="7"),
        "PolicyName": "nightly",
        "PolicyTargets": function.organization.ous[1:],
    }
    assert function.fail(function.update(policy_id, **changed)).endswith(
        "(1 of 3 changes made, all reverted)"
    )
    assert function.organization.policies == before
    back = function.succeed(function.roll_back(policy_id, **changed))
    assert back["PhysicalResourceId"] == policy_id
    assert function.writes == []


def test_an_update_that_succeeded_is_rolled_back_like_any_update(function: Function) -> None:
    policy_id = function.existing()
    before = function.organization.policies
    changed = {"PolicyContent": plan(days="7"), "PolicyTargets": function.organization.ous[1:]}
    function.succeed(function.update(policy_id, **changed))
    back = function.succeed(function.roll_back(policy_id, **changed))
    assert back["PhysicalResourceId"] == policy_id
    after = function.organization.policies[policy_id]
    assert {policy_id: after._replace(targets=sorted(after.targets))} == {
        policy_id: before[policy_id]._replace(targets=sorted(before[policy_id].targets))
    }


def test_another_organization_gets_a_new_policy_and_the_old_one_stays_until_its_delete(
    function: Function,
) -> None:
    old = function.existing()
    moved = {"OrgManagementAccount": OTHER_MANAGEMENT, "PolicyTargets": function.other.ous[:1]}
    new = function.succeed(function.update(old, **moved))["PhysicalResourceId"]
    assert function.organization.targets(old) == function.organization.ous[:2]
    assert function.other.targets(new) == function.other.ous[:1]
    function.succeed(function.delete(old))
    assert function.organization.policies == {}
    assert list(function.other.policies) == [new]


def test_the_move_of_an_untagged_policy_is_rolled_back_to_where_it_began(function: Function) -> None:
    old = function.existing()
    function.organization.untag(old)
    before = function.organization.policies[old]
    moved = {"OrgManagementAccount": OTHER_MANAGEMENT, "PolicyTargets": function.other.ous[:1]}
    new = function.succeed(function.update(old, **moved))["PhysicalResourceId"]
    assert function.succeed(function.roll_back(new, **moved))["PhysicalResourceId"] == old
    function.succeed(function.delete(new, **moved))
    assert function.other.policies == {}
    tags = Owner(STACK, "DailyPolicy", "request-Update").tags()
    assert function.organization.policies == {old: before._replace(tags=tags)}


def test_a_policy_deleted_by_hand_is_created_again(function: Function) -> None:
    old = function.existing()
    function.organization.clear()
    new = function.succeed(function.update(old))["PhysicalResourceId"]
    assert new != old
    assert function.organization.targets(new) == function.organization.ous[:2]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, Owner(STACK, "DailyPolicy", "request-Update").tags()),
        ({"team": "a"}, {"team": "a", **Owner(STACK, "DailyPolicy", "request-Update").tags()}),
        (ANOTHER_STACK, ANOTHER_STACK),
    ],
    ids=["untagged", "other tags", "another owner"],
)
def test_an_update_adds_owner_tags_where_there_are_none(
    function: Function, tags: dict[str, str], expected: dict[str, str]
) -> None:
    policy_id = function.organization.add("daily", function.organization.ous[0], tags=tags)
    assert function.succeed(function.update(policy_id))["PhysicalResourceId"] == policy_id
    assert function.organization.policies[policy_id].tags == expected
    assert function.organization.targets(policy_id) == function.organization.ous[:2]


@pytest.mark.parametrize(
    "theirs",
    [{"name": "theirs", "tags": ANOTHER_STACK}, {"name": "daily-tags", "Type": "TAG_POLICY"}],
    ids=["another name and stack", "another type"],
)
def test_a_policy_that_is_not_ours_is_left_alone_and_a_new_one_created(
    function: Function, theirs: dict[str, Any]
) -> None:
    policy_id = function.organization.add(**theirs)
    before = function.organization.policies[policy_id]
    new = function.succeed(function.update(policy_id))["PhysicalResourceId"]
    assert new != policy_id
    assert function.organization.policies[policy_id] == before


def test_a_physical_id_that_is_not_a_policy_id_leads_to_a_new_policy(function: Function) -> None:
    new = function.succeed(function.update("policy-not-created"))["PhysicalResourceId"]
    assert function.organization.targets(new) == function.organization.ous[:2]


# -- delete ----------------------------------------------------------------------------------------------


def test_a_delete_detaches_and_deletes_this_policy_only(function: Function) -> None:
    theirs = function.organization.add("theirs", function.organization.ous[0])
    policy_id = function.existing()
    assert function.succeed(function.delete(policy_id))["PhysicalResourceId"] == policy_id
    assert list(function.organization.policies) == [theirs]
    assert function.writes == ["DetachPolicy", "DetachPolicy", "DeletePolicy"]


def test_a_policy_without_tags_is_deleted(function: Function) -> None:
    policy_id = function.organization.add("daily", function.organization.ous[0])
    function.succeed(function.delete(policy_id))
    assert function.organization.policies == {}


def test_a_policy_with_the_tags_of_another_stack_is_not_deleted(function: Function) -> None:
    theirs = function.organization.add("daily", function.organization.ous[0], tags=ANOTHER_STACK)
    function.succeed(function.delete(theirs))
    assert function.organization.targets(theirs) == function.organization.ous[:1]
    assert function.writes == []


@pytest.mark.parametrize(
    ("physical_id", "calls"),
    [
        ("p-1a2b3c4d", ["AssumeRole", "ListTagsForResource"]),
        ("policy-not-created", []),
        ("policy-perhaps-created", ["AssumeRole", "ListPolicies"]),
        # CloudFormation makes up an ID if it received no response.
        ("stack_DailyPolicy_ABCDEFGH", ["AssumeRole", "ListPolicies"]),
        ("", ["AssumeRole", "ListPolicies"]),
        ("p-123", ["AssumeRole", "ListPolicies"]),
    ],
)
def test_a_delete_without_a_policy_succeeds(function: Function, physical_id: str, calls: list[str]) -> None:
    function.succeed(function.delete(physical_id))
    assert function.calls == calls


def test_a_delete_without_an_id_deletes_only_an_unattached_policy_with_our_tags(function: Function) -> None:
    organization, request = function.organization, function.delete("policy-perhaps-created")
    not_ours: list[dict[str, str]] = [{}, ANOTHER_STACK, {**OURS, Owner.TAG_RESOURCE: "WeeklyPolicy"}]
    for tags in not_ours:
        theirs = organization.add("daily", tags=tags)
        function.succeed(request)
        assert list(organization.policies) == [theirs]
        organization.clear()
    retained = organization.add("daily", organization.ous[0], tags=OURS)
    function.succeed(request)
    assert organization.targets(retained) == organization.ous[:1]
    organization.detach(retained)
    function.succeed(request)
    assert organization.policies == {}


# -- the pipeline's check --------------------------------------------------------------------------------


def test_the_management_role_check_assumes_the_role_and_reports_success(function: Function) -> None:
    results: list[dict[str, Any]] = []

    def keep(given: dict[str, Any]) -> dict[str, Any]:
        results.append(given)
        return {}

    function.world.respond["PutJobSuccessResult"] = keep
    function.calls.clear()
    job_id = "11111111-abcd-1111-abcd-111111abcdef"
    configuration = {"FunctionName": "BackupOrgPolicyManager", "UserParameters": MANAGEMENT}
    job = {"id": job_id, "data": {"actionConfiguration": {"configuration": configuration}}}
    handler.handler({"CodePipeline.job": job}, function.context())
    assert results == [{"jobId": job_id}]
    assert function.calls == ["AssumeRole", "PutJobSuccessResult"]
