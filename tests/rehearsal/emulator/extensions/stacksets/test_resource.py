"""StackSets: stacks in every target account and Region, as AWS creates, updates and deletes them."""

import contextlib
import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from buildspecs.names import ADMINISTRATION_ROLE, EXECUTION_ROLE
from tests.rehearsal.emulator.templates import log_group, role, statement, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, OTHER_REGION, World, eventually

SERVICE = "member.org.stacksets.cloudformation.amazonaws.com"
MEMBER, OTHER_MEMBER = ACCOUNTS.members
REGIONS = (HOME_REGION, OTHER_REGION)
numbers = itertools.count()


def body(*groups: str, **more: Any) -> bytes:
    return template(
        {f"L{position}": log_group(group) for position, group in enumerate(groups)}, **more
    ).encode()


def stack_set(
    name: str, key: str, targets: dict[str, Any], regions: tuple[str, ...] = REGIONS, **more: Any
) -> str:
    properties: dict[str, Any] = {
        "StackSetName": name,
        "PermissionModel": "SERVICE_MANAGED",
        "CallAs": "DELEGATED_ADMIN",
        "AutoDeployment": {"Enabled": False},
        "OperationPreferences": {"RegionConcurrencyType": "PARALLEL", "MaxConcurrentPercentage": 100},
        "TemplateURL": f"https://bodies.s3.{HOME_REGION}.amazonaws.com/{key}",
        "StackInstancesGroup": [{"DeploymentTargets": targets, "Regions": list(regions)}],
        **more,
    }
    given = {name: value for name, value in properties.items() if value is not None}
    return template({"Set": {"Type": "AWS::CloudFormation::StackSet", "Properties": given}})


@pytest.fixture(scope="session")
def bodies(world: World) -> Any:
    """bodies(key, content) uploads a template body."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="bodies")
    return lambda key, content: s3.put_object(Bucket="bodies", Key=key, Body=content)


@pytest.fixture(scope="session")
def delegated(world: World, bodies: Any) -> World:
    """The home account is the delegated administrator for StackSets."""
    world.client("cloudformation", ACCOUNTS.management).activate_organizations_access()
    delegate(world)
    return world


def delegate(world: World) -> None:
    organizations = world.client("organizations", ACCOUNTS.management)
    organizations.register_delegated_administrator(AccountId=ACCOUNTS.home, ServicePrincipal=SERVICE)


@pytest.fixture
def name(world: World) -> Iterator[str]:
    """A name for a stack and its StackSet; both are deleted afterwards."""
    chosen = f"set-{next(numbers)}"
    yield chosen
    with contextlib.suppress(ClientError):  # the test has created no stack of this name
        world.delete(chosen)


def instances(
    world: World, name: str, call_as: str = "DELEGATED_ADMIN"
) -> dict[tuple[str, str], dict[str, Any]]:
    cloudformation = world.client("cloudformation")
    summaries = cloudformation.list_stack_instances(StackSetName=name, CallAs=call_as)["Summaries"]
    return {(each["Account"], each["Region"]): each for each in summaries}


def log_groups(world: World, account: str, region: str, prefix: str) -> set[str]:
    found = world.client("logs", account, region).describe_log_groups(logGroupNamePrefix=prefix)
    return {group["logGroupName"] for group in found["logGroups"]}


def test_trusted_access_comes_before_delegation_and_delegation_before_a_set(
    delegated: World, bodies: Any
) -> None:
    world = delegated
    world.client("cloudformation", ACCOUNTS.management).deactivate_organizations_access()
    world.client("organizations", ACCOUNTS.management).deregister_delegated_administrator(
        AccountId=ACCOUNTS.home, ServicePrincipal=SERVICE
    )
    bodies("gate", body("/gate"))
    text = stack_set("gated", "gate", {"OrganizationalUnitIds": [world.unit]})
    assert "enable organizations access" in world.create("gated-1", text).reason
    management = world.client("cloudformation", ACCOUNTS.management)
    assert management.describe_organizations_access()["Status"] == "DISABLED"
    with pytest.raises(ClientError, match="management account"):
        world.client("cloudformation").activate_organizations_access()
    management.activate_organizations_access()
    assert management.describe_organizations_access()["Status"] == "ENABLED"
    assert "delegated admin" in world.create("gated-2", text).reason
    delegate(world)
    found = world.client("cloudformation").list_stack_sets(CallAs="DELEGATED_ADMIN")["Summaries"]
    assert "gated" not in {each["StackSetName"] for each in found}


def test_every_member_account_and_region_gets_a_stack(delegated: World, bodies: Any, name: str) -> None:
    bodies("four", body("/four/a", "/four/b", "/four/c", "/four/d"))
    started = time.monotonic()
    made = delegated.create(name, stack_set(name, "four", {"OrganizationalUnitIds": [delegated.unit]}))
    assert (made.status, made.reason) == ("CREATE_COMPLETE", "")
    assert time.monotonic() - started < 10  # a fifth of a second on an idle machine
    found = instances(delegated, name)
    assert set(found) == set(itertools.product(ACCOUNTS.members, REGIONS))
    for (account, region), instance in found.items():
        assert (instance["Status"], instance["StackInstanceStatus"]["DetailedStatus"]) == (
            "CURRENT",
            "SUCCEEDED",
        )
        assert f":{region}:{account}:stack/StackSet-{name}-" in instance["StackId"]
        assert instance["OrganizationalUnitId"] == delegated.unit
        assert len(log_groups(delegated, account, region, "/four/")) == 4


def test_the_stacks_carry_the_sets_tags_and_parameters(delegated: World, bodies: Any, name: str) -> None:
    bodies("parameter", body("/parameter", Parameters={"P": {"Type": "String"}}))
    text = stack_set(
        name,
        "parameter",
        {"OrganizationalUnitIds": [delegated.unit]},
        (HOME_REGION,),
        Parameters=[{"ParameterKey": "P", "ParameterValue": "set"}],
        Tags=[{"Key": "Own", "Value": "1"}],
        StackInstancesGroup=[
            {
                "DeploymentTargets": {"OrganizationalUnitIds": [delegated.unit]},
                "Regions": [HOME_REGION],
                "ParameterOverrides": [{"ParameterKey": "P", "ParameterValue": "instance"}],
            }
        ],
    )
    assert delegated.create(name, text).status == "CREATE_COMPLETE"
    stack_id = instances(delegated, name)[MEMBER, HOME_REGION]["StackId"]
    stack = delegated.client("cloudformation", MEMBER).describe_stacks(StackName=stack_id)["Stacks"][0]
    assert {tag["Key"]: tag["Value"] for tag in stack["Tags"]} == {"Application": "x", "Own": "1"}
    assert [each["ParameterValue"] for each in stack["Parameters"]] == ["instance"]
    described = delegated.client("cloudformation").describe_stack_set(
        StackSetName=name, CallAs="DELEGATED_ADMIN"
    )["StackSet"]
    assert described["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "set"}]
    assert described["OrganizationalUnitIds"] == [delegated.unit]
    assert "/parameter" in described["TemplateBody"]
    instance = delegated.client("cloudformation").describe_stack_instance(
        StackSetName=name,
        StackInstanceAccount=MEMBER,
        StackInstanceRegion=HOME_REGION,
        CallAs="DELEGATED_ADMIN",
    )["StackInstance"]
    assert instance["ParameterOverrides"] == [{"ParameterKey": "P", "ParameterValue": "instance"}]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("INTERSECTION", {MEMBER}), ("DIFFERENCE", {OTHER_MEMBER}), ("UNION", {MEMBER, OTHER_MEMBER})],
)
def test_accounts_filter_a_unit(
    delegated: World, bodies: Any, name: str, kind: str, expected: set[str]
) -> None:
    bodies("filter", body("/filter"))
    targets = {"OrganizationalUnitIds": [delegated.unit], "AccountFilterType": kind, "Accounts": [MEMBER]}
    assert delegated.create(name, stack_set(name, "filter", targets)).status == "CREATE_COMPLETE"
    assert {account for account, _ in instances(delegated, name)} == expected


def test_the_management_account_is_never_a_target(delegated: World, bodies: Any, name: str) -> None:
    bodies("root", body("/root"))
    named = [ACCOUNTS.management, ACCOUNTS.home, MEMBER]
    targets = {
        "OrganizationalUnitIds": [delegated.root],
        "AccountFilterType": "INTERSECTION",
        "Accounts": named,
    }
    text = stack_set(name, "root", targets, (HOME_REGION,))
    assert delegated.create(name, text).status == "CREATE_COMPLETE"
    assert {account for account, _ in instances(delegated, name)} == {ACCOUNTS.home, MEMBER}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"TemplateURL": f"https://bodies.s3.{HOME_REGION}.amazonaws.com/no"}, "NoSuchKey.*s3://bodies/no"),
        ({"TemplateURL": f"https://none.s3.{HOME_REGION}.amazonaws.com/no"}, "NoSuchBucket.*s3://none/no"),
        ({"TemplateURL": "https://example.com/no"}, "must reference a valid S3 object"),
        ({"CallAs": "SELF"}, "delegated admin"),
        (
            {
                "StackInstancesGroup": [
                    {"DeploymentTargets": {"Accounts": [MEMBER]}, "Regions": [HOME_REGION]}
                ]
            },
            "Unit",
        ),
        (
            {
                "StackInstancesGroup": [
                    {
                        "DeploymentTargets": {"OrganizationalUnitIds": ["ou-none-12345678"]},
                        "Regions": [HOME_REGION],
                    }
                ]
            },
            "ou-none-12345678 does not exist",
        ),
    ],
)
def test_a_set_that_aws_would_refuse_is_refused(
    delegated: World, bodies: Any, name: str, change: dict[str, Any], reason: str
) -> None:
    bodies("sound", body("/sound"))
    text = stack_set(name, "sound", {"OrganizationalUnitIds": [delegated.unit]}, **change)
    made = delegated.create(name, text)
    assert made.status == "ROLLBACK_COMPLETE"
    assert re.search(reason, made.reason), made.reason


def occupy(world: World, account: str, region: str, group: str) -> None:
    world.client("logs", account, region).create_log_group(logGroupName=group)


def test_a_failure_names_account_region_resource_and_reason(delegated: World, bodies: Any, name: str) -> None:
    bodies("taken", body("/taken"))
    occupy(delegated, OTHER_MEMBER, OTHER_REGION, "/taken")
    made = delegated.create(name, stack_set(name, "taken", {"OrganizationalUnitIds": [delegated.unit]}))
    assert made.status == "ROLLBACK_COMPLETE"
    assert f"Account {OTHER_MEMBER}, Region {OTHER_REGION}: ResourceLogicalId:L0" in made.reason
    assert "/taken already exists" in made.reason
    assert log_groups(delegated, MEMBER, HOME_REGION, "/taken") == set()


def test_a_tolerated_failure_is_reported_by_the_instance(delegated: World, bodies: Any, name: str) -> None:
    bodies("tolerated", body("/tolerated"))
    occupy(delegated, MEMBER, HOME_REGION, "/tolerated")
    text = stack_set(
        name,
        "tolerated",
        {"OrganizationalUnitIds": [delegated.unit]},
        OperationPreferences={"FailureToleranceCount": 1, "MaxConcurrentCount": 2},
    )
    assert delegated.create(name, text).status == "CREATE_COMPLETE"
    found = instances(delegated, name)
    failed = found[MEMBER, HOME_REGION]
    assert (failed["Status"], failed["StackInstanceStatus"]["DetailedStatus"]) == ("OUTDATED", "FAILED")
    assert "/tolerated already exists" in failed["StatusReason"]
    assert {each["Status"] for place, each in found.items() if place != (MEMBER, HOME_REGION)} == {"CURRENT"}
    cloudformation = delegated.client("cloudformation")
    operation = cloudformation.list_stack_set_operations(StackSetName=name, CallAs="DELEGATED_ADMIN")[
        "Summaries"
    ][0]
    assert (operation["Action"], operation["Status"]) == ("CREATE", "SUCCEEDED")
    results = cloudformation.list_stack_set_operation_results(
        StackSetName=name, OperationId=operation["OperationId"], CallAs="DELEGATED_ADMIN"
    )["Summaries"]
    assert sorted(result["Status"] for result in results) == ["FAILED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]


def test_a_failure_that_is_not_tolerated_stops_the_regions_that_follow(
    delegated: World, bodies: Any, name: str
) -> None:
    bodies("stop", body("/stop"))
    assert (
        delegated.create(
            name, stack_set(name, "stop", {"OrganizationalUnitIds": [delegated.unit]}, (HOME_REGION,))
        ).status
        == "CREATE_COMPLETE"
    )
    bodies("stop-2", body("/stop", "/stop-2"))
    for account in ACCOUNTS.members:
        occupy(delegated, account, HOME_REGION, "/stop-2")
    wider = stack_set(
        name,
        "stop-2",
        {"OrganizationalUnitIds": [delegated.unit]},
        OperationPreferences={"RegionOrder": [HOME_REGION, OTHER_REGION]},
    )
    updated = delegated.update(name, wider)
    assert updated.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "/stop-2 already exists" in updated.reason
    assert log_groups(delegated, MEMBER, OTHER_REGION, "/stop") == set()


def test_a_new_body_reaches_every_stack_and_no_change_starts_nothing(
    delegated: World, bodies: Any, name: str
) -> None:
    bodies("v1", body("/versions/1"))
    bodies("v2", body("/versions/1", "/versions/2"))
    targets = {"OrganizationalUnitIds": [delegated.unit]}
    delegated.create(name, stack_set(name, "v1", targets))
    assert delegated.update(name, stack_set(name, "v2", targets)).status == "UPDATE_COMPLETE"
    for account, region in itertools.product(ACCOUNTS.members, REGIONS):
        assert log_groups(delegated, account, region, "/versions/") == {"/versions/1", "/versions/2"}
    count = len(operations(delegated, name))
    delegated.update(name, stack_set(name, "v2", targets, OperationPreferences={"MaxConcurrentCount": 1}))
    assert len(operations(delegated, name)) == count


def operations(world: World, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.client("cloudformation").list_stack_set_operations(
        StackSetName=name, CallAs="DELEGATED_ADMIN"
    )["Summaries"]
    return found


def test_regions_are_added_and_removed(delegated: World, bodies: Any, name: str) -> None:
    bodies("regions", body("/regions"))
    targets = {"OrganizationalUnitIds": [delegated.unit]}
    delegated.create(name, stack_set(name, "regions", targets, (HOME_REGION,)))
    delegated.update(name, stack_set(name, "regions", targets, REGIONS))
    assert {region for _, region in instances(delegated, name)} == set(REGIONS)
    delegated.update(name, stack_set(name, "regions", targets, (OTHER_REGION,)))
    assert {region for _, region in instances(delegated, name)} == {OTHER_REGION}
    assert log_groups(delegated, MEMBER, HOME_REGION, "/regions") == set()


def test_deleting_the_set_deletes_its_stacks(delegated: World, bodies: Any) -> None:
    bodies("passing", body("/passing"))
    delegated.create("passing", stack_set("passing", "passing", {"OrganizationalUnitIds": [delegated.unit]}))
    assert log_groups(delegated, MEMBER, HOME_REGION, "/passing") == {"/passing"}
    delegated.delete("passing")
    assert log_groups(delegated, MEMBER, HOME_REGION, "/passing") == set()
    with pytest.raises(ClientError) as error:
        instances(delegated, "passing")
    assert error.value.response["Error"]["Code"] == "StackSetNotFoundException"


# -- self-managed --------------------------------------------------------------------------------------------

ADMINISTRATION, EXECUTION = (
    ADMINISTRATION_ROLE,
    EXECUTION_ROLE,
)


def self_managed(name: str, key: str) -> str:
    return stack_set(
        name,
        key,
        {"Accounts": [ACCOUNTS.home]},
        PermissionModel="SELF_MANAGED",
        CallAs=None,
        AutoDeployment=None,
    )


def test_self_managed_sets_need_both_roles(world: World, bodies: Any, name: str) -> None:
    bodies("own", body("/own"))
    assert (
        f"'{ADMINISTRATION}' role with trust" in world.create(f"{name}-1", self_managed(name, "own")).reason
    )
    execution_arn = f"arn:aws:iam::*:role/{EXECUTION}"
    administration = role(
        ADMINISTRATION,
        {"Service": "cloudformation.amazonaws.com"},
        statement("sts:AssumeRole", execution_arn),
    )
    world.create("administration", template({"R": administration}))
    assert f"'{EXECUTION}' role with trust" in world.create(f"{name}-2", self_managed(name, "own")).reason
    principal = {"AWS": f"arn:aws:iam::{ACCOUNTS.home}:role/{ADMINISTRATION}"}
    world.create("execution", template({"R": role(EXECUTION, principal, statement("*"))}))
    made = world.create(name, self_managed(name, "own"))
    assert (made.status, made.reason) == ("CREATE_COMPLETE", "")
    assert set(instances(world, name, "SELF")) == {(ACCOUNTS.home, region) for region in REGIONS}
    with pytest.raises(ClientError, match="not found"):
        instances(world, name, "DELEGATED_ADMIN")


# -- automatic deployment ------------------------------------------------------------------------------------


def move(world: World, account: str, source: str, destination: str) -> None:
    world.client("organizations", ACCOUNTS.management).move_account(
        AccountId=account, SourceParentId=source, DestinationParentId=destination
    )


@pytest.mark.parametrize("retains", [False, True])
def test_an_account_that_joins_gets_the_stacks_and_loses_them_when_it_leaves(
    delegated: World, bodies: Any, name: str, retains: bool
) -> None:
    group = f"/automatic/{json.dumps(retains)}"
    bodies(name, body(group))
    deployment = {"Enabled": True, "RetainStacksOnAccountRemoval": retains}
    text = stack_set(name, name, {"OrganizationalUnitIds": [delegated.unit]}, AutoDeployment=deployment)
    delegated.create(name, text)
    joiner = ACCOUNTS.central
    move(delegated, joiner, delegated.root, delegated.unit)
    eventually(
        lambda: (
            operations(delegated, name)[0]["Status"] == "SUCCEEDED" and len(instances(delegated, name)) == 6
        )
    )
    assert log_groups(delegated, joiner, OTHER_REGION, group) == {group}
    move(delegated, joiner, delegated.unit, delegated.root)
    eventually(lambda: len(instances(delegated, name)) == 4)
    assert log_groups(delegated, joiner, OTHER_REGION, group) == ({group} if retains else set())


def test_automatic_deployment_respects_the_order_of_dependence(delegated: World, bodies: Any) -> None:
    bodies("first", body("/ordered/first"))
    bodies("second", body("/ordered/second"))
    targets = {"OrganizationalUnitIds": [delegated.unit]}
    delegated.create("second", stack_set("second", "second", targets, (HOME_REGION,)))
    delegated.create(
        "first", stack_set("first", "first", targets, (HOME_REGION,), AutoDeployment={"Enabled": True})
    )
    described = delegated.client("cloudformation").describe_stack_set(
        StackSetName="first", CallAs="DELEGATED_ADMIN"
    )["StackSet"]
    depending = {
        "Enabled": True,
        "RetainStacksOnAccountRemoval": False,
        "DependsOn": [described["StackSetARN"]],
    }
    delegated.update(
        "second", stack_set("second", "second", targets, (HOME_REGION,), AutoDeployment=depending)
    )
    move(delegated, ACCOUNTS.central, delegated.root, delegated.unit)
    eventually(
        lambda: (
            len(operations(delegated, "second")) == 2
            and operations(delegated, "second")[0].get("EndTimestamp")
        )
    )
    last = {name: operations(delegated, name)[0] for name in ("first", "second")}
    assert last["first"]["EndTimestamp"] <= last["second"]["CreationTimestamp"]
    move(delegated, ACCOUNTS.central, delegated.unit, delegated.root)
    eventually(lambda: len(instances(delegated, "first")) == 2)
    delegated.delete("second")
    delegated.delete("first")


@pytest.mark.parametrize("form", ["name", "id", "ARN in the delegated administrator's account"])
def test_it_depends_on_the_arn_of_a_stack_set_and_on_nothing_else(
    delegated: World, bodies: Any, name: str, form: str
) -> None:
    bodies(name, body(f"/{name}"))
    targets = {"OrganizationalUnitIds": [delegated.unit]}
    first = f"{name}-first"
    assert (
        delegated.create(first, stack_set(first, name, targets, (HOME_REGION,))).status == "CREATE_COMPLETE"
    )
    described = delegated.client("cloudformation").describe_stack_set(
        StackSetName=first, CallAs="DELEGATED_ADMIN"
    )["StackSet"]
    needed = {
        "name": first,
        "id": described["StackSetId"],
        "ARN in the delegated administrator's account": described["StackSetARN"].replace(
            ACCOUNTS.management, ACCOUNTS.home
        ),
    }[form]
    depending = {"Enabled": True, "RetainStacksOnAccountRemoval": False, "DependsOn": [needed]}
    refused = delegated.create(name, stack_set(name, name, targets, (HOME_REGION,), AutoDeployment=depending))
    assert refused.status == "ROLLBACK_COMPLETE"
    delegated.delete(name)
    delegated.delete(first)


def test_a_new_account_gets_what_its_root_is_a_target_of(delegated: World, bodies: Any, name: str) -> None:
    bodies(name, body("/newcomer"))
    organizations = delegated.client("organizations", ACCOUNTS.management)
    accounts = organizations.get_paginator("list_accounts").paginate().build_full_result()["Accounts"]
    closed = [each["Id"] for each in accounts if each["Status"] != "ACTIVE"]
    text = stack_set(
        name,
        name,
        {"OrganizationalUnitIds": [delegated.root], "AccountFilterType": "DIFFERENCE", "Accounts": closed},
        (HOME_REGION,),
        AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": False},
    )
    assert delegated.create(name, text).status == "CREATE_COMPLETE"
    created = organizations.create_account(AccountName="newcomer", Email="newcomer@example.com")
    newcomer = created["CreateAccountStatus"]["AccountId"]
    eventually(lambda: log_groups(delegated, newcomer, HOME_REGION, "/newcomer"))
    eventually(lambda: instances(delegated, name)[newcomer, HOME_REGION]["Status"] == "CURRENT")


# -- suspended accounts --------------------------------------------------------------------------------------


SKIPPED = "SKIPPED_SUSPENDED_ACCOUNT"


@dataclass(frozen=True)
class Household:
    """An OU with an account to be closed and one that stays open, and a name for its StackSet."""

    name: str
    unit: str
    closing: str
    staying: str


@pytest.fixture
def household(delegated: World) -> Household:
    """No StackSet is deleted afterwards: AWS deletes none that contains a suspended account."""
    name = f"household-{next(numbers)}"
    organizations = delegated.client("organizations", ACCOUNTS.management)
    unit = organizations.create_organizational_unit(ParentId=delegated.root, Name=name)["OrganizationalUnit"]
    accounts = []
    for each in ("closing", "staying"):
        made = organizations.create_account(AccountName=f"{name}-{each}", Email=f"{name}-{each}@example.com")
        accounts.append(made["CreateAccountStatus"]["AccountId"])
        move(delegated, accounts[-1], delegated.root, unit["Id"])
    return Household(name, unit["Id"], *accounts)


def close(world: World, account: str) -> None:
    world.client("organizations", ACCOUNTS.management).close_account(AccountId=account)


def details(world: World, name: str) -> dict[tuple[str, str], str]:
    return {
        place: each["StackInstanceStatus"]["DetailedStatus"] for place, each in instances(world, name).items()
    }


def test_a_suspended_account_is_skipped_and_all_others_are_updated(
    delegated: World, bodies: Any, household: Household
) -> None:
    name, closed, staying = household.name, household.closing, household.staying
    first, second = f"/{name}/1", f"/{name}/2"
    bodies(f"{name}-1", body(first))
    bodies(f"{name}-2", body(first, second))
    targets = {"OrganizationalUnitIds": [household.unit]}
    delegated.create(name, stack_set(name, f"{name}-1", targets, (HOME_REGION,)))
    close(delegated, closed)
    # The set tolerates no failure.
    updated = delegated.update(name, stack_set(name, f"{name}-2", targets, REGIONS))
    assert (updated.status, updated.reason) == ("UPDATE_COMPLETE", "")
    assert details(delegated, name) == {
        (account, region): detail
        for account, detail in ((closed, SKIPPED), (staying, "SUCCEEDED"))
        for region in REGIONS
    }
    found = instances(delegated, name)
    for region in REGIONS:
        assert found[closed, region]["Status"] == "OUTDATED"
        assert "account is suspended" in found[closed, region]["StatusReason"]
        assert log_groups(delegated, staying, region, f"/{name}/") == {first, second}
    assert log_groups(delegated, closed, HOME_REGION, f"/{name}/") == {first}
    assert log_groups(delegated, closed, OTHER_REGION, f"/{name}/") == set()
    assert "StackId" in found[closed, HOME_REGION]
    assert "StackId" not in found[closed, OTHER_REGION]
    made, changed = operations(delegated, name)[:2]
    assert [(each["Action"], each["Status"]) for each in (changed, made)] == [
        ("UPDATE", "SUCCEEDED"),
        ("CREATE", "SUCCEEDED"),
    ]
    results = delegated.client("cloudformation").list_stack_set_operation_results(
        StackSetName=name, OperationId=changed["OperationId"], CallAs="DELEGATED_ADMIN"
    )["Summaries"]
    assert [(each["Account"], each["Status"]) for each in results] == [(staying, "SUCCEEDED")]


def test_a_set_is_not_deleted_while_it_holds_a_suspended_account(
    delegated: World, bodies: Any, household: Household
) -> None:
    name = household.name
    bodies(name, body(f"/{name}"))
    targets = {"OrganizationalUnitIds": [household.unit]}
    delegated.create(name, stack_set(name, name, targets, (HOME_REGION,)))
    close(delegated, household.closing)
    delegated.client("cloudformation").delete_stack(StackName=name)
    deleted = delegated.settled(name, ACCOUNTS.home, HOME_REGION)
    assert deleted.status == "DELETE_FAILED"
    assert "still contains stack instances" in deleted.reason
    assert details(delegated, name) == {(household.closing, HOME_REGION): SKIPPED}
    assert log_groups(delegated, household.closing, HOME_REGION, f"/{name}") == {f"/{name}"}
    assert log_groups(delegated, household.staying, HOME_REGION, f"/{name}") == set()


@pytest.mark.parametrize("retains", [False, True])
def test_nothing_is_done_in_a_suspended_account_that_leaves_or_joins(
    delegated: World, bodies: Any, household: Household, retains: bool
) -> None:
    name, closed, place = household.name, household.closing, (household.closing, HOME_REGION)
    bodies(name, body(f"/{name}"))
    deployment = {"Enabled": True, "RetainStacksOnAccountRemoval": retains}
    targets = {"OrganizationalUnitIds": [household.unit]}
    delegated.create(name, stack_set(name, name, targets, (HOME_REGION,), AutoDeployment=deployment))
    stack_id = instances(delegated, name)[place]["StackId"]
    close(delegated, closed)
    move(delegated, closed, household.unit, delegated.root)
    left = None if retains else SKIPPED  # to forget an instance, nothing has to be done in the account
    eventually(lambda: details(delegated, name).get(place) == left)
    move(delegated, closed, delegated.root, household.unit)
    eventually(lambda: details(delegated, name).get(place) == SKIPPED)
    stacks = delegated.client("cloudformation", closed).describe_stacks()["Stacks"]
    assert [(stack["StackId"], stack["StackStatus"]) for stack in stacks] == [(stack_id, "CREATE_COMPLETE")]
