"""Organizations: one organization, visible to all accounts as on AWS."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.emulator import Emulator
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World, organize

SERVICE = "backup.amazonaws.com"
POLICY = json.dumps({"plans": {"p": {"regions": {"@@assign": ["us-east-1"]}}}})


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of its own: these tests change the organization."""
    with Emulator(tmp_path_factory.mktemp("emulator"), ACCOUNTS, HOME_REGION) as running:
        yield running


@pytest.fixture(scope="module")
def before_creation(emulator: Emulator) -> str:
    """The error code of DescribeOrganization before the organization is created."""
    client = emulator.session(ACCOUNTS.management, HOME_REGION).client("organizations")
    with pytest.raises(ClientError) as error:
        client.describe_organization()
    return refused(error)


@pytest.fixture(scope="module")
def world(emulator: Emulator, before_creation: str) -> World:
    assert before_creation
    return organize(emulator)


@pytest.fixture(scope="module")
def organizations(world: World) -> Any:
    """The management account's client; backup policies are enabled."""
    client = world.client("organizations", ACCOUNTS.management)
    client.enable_policy_type(RootId=world.root, PolicyType="BACKUP_POLICY")
    return client


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def create_policy(organizations: Any, name: str, content: str = POLICY, **more: Any) -> str:
    policy = organizations.create_policy(
        Name=name, Description="d", Type="BACKUP_POLICY", Content=content, **more
    )
    return str(policy["Policy"]["PolicySummary"]["Id"])


def test_before_create_organization_there_is_none(before_creation: str) -> None:
    assert before_creation == "AWSOrganizationsNotInUseException"


def test_accounts_get_the_ids_of_their_names(organizations: Any) -> None:
    accounts = organizations.list_accounts()["Accounts"]
    assert {account["Name"]: account["Id"] for account in accounts} == ACCOUNTS.ids_by_name()


def test_every_account_describes_the_same_organization(world: World) -> None:
    for account in ACCOUNTS.ids_by_name().values():
        described = world.client("organizations", account).describe_organization()["Organization"]
        assert (described["Id"], described["MasterAccountId"]) == (world.organization, ACCOUNTS.management)


def test_an_account_outside_of_the_organization_sees_none(world: World) -> None:
    with pytest.raises(ClientError) as error:
        world.client("organizations", "999999999999").describe_organization()
    assert refused(error) == "AWSOrganizationsNotInUseException"


def test_a_member_account_may_not_read_the_organization(world: World) -> None:
    with pytest.raises(ClientError) as error:
        world.client("organizations", ACCOUNTS.members[0]).list_accounts()
    assert refused(error) == "AccessDeniedException"


def test_a_delegated_administrator_reads_but_does_not_write(world: World, organizations: Any) -> None:
    organizations.enable_aws_service_access(ServicePrincipal=SERVICE)
    organizations.register_delegated_administrator(AccountId=ACCOUNTS.central, ServicePrincipal=SERVICE)
    central = world.client("organizations", ACCOUNTS.central)
    assert len(central.list_accounts()["Accounts"]) == 5
    with pytest.raises(ClientError) as error:
        create_policy(central, "not-allowed")
    assert refused(error) == "AccessDeniedException"
    administrators = organizations.list_delegated_administrators(ServicePrincipal=SERVICE)
    assert [found["Id"] for found in administrators["DelegatedAdministrators"]] == [ACCOUNTS.central]
    services = organizations.list_delegated_services_for_account(AccountId=ACCOUNTS.central)
    assert [found["ServicePrincipal"] for found in services["DelegatedServices"]] == [SERVICE]
    organizations.deregister_delegated_administrator(AccountId=ACCOUNTS.central, ServicePrincipal=SERVICE)
    with pytest.raises(ClientError):
        central.list_accounts()


def test_delegating_needs_trusted_access_first(organizations: Any) -> None:
    with pytest.raises(ClientError, match="before you enabled service access") as error:
        organizations.register_delegated_administrator(
            AccountId=ACCOUNTS.home, ServicePrincipal="guardduty.amazonaws.com"
        )
    assert refused(error) == "ConstraintViolationException"


def test_trusted_access_is_listed_and_can_be_withdrawn(organizations: Any) -> None:
    organizations.enable_aws_service_access(ServicePrincipal="access-analyzer.amazonaws.com")
    services = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert "access-analyzer.amazonaws.com" in {service["ServicePrincipal"] for service in services}
    organizations.disable_aws_service_access(ServicePrincipal="access-analyzer.amazonaws.com")
    services = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert "access-analyzer.amazonaws.com" not in {service["ServicePrincipal"] for service in services}


def test_a_backup_policy_can_only_be_attached_while_its_type_is_enabled(
    world: World, organizations: Any
) -> None:
    policy = create_policy(organizations, "needs-the-type")
    organizations.disable_policy_type(RootId=world.root, PolicyType="BACKUP_POLICY")
    with pytest.raises(ClientError) as error:
        organizations.attach_policy(PolicyId=policy, TargetId=world.unit)
    assert refused(error) == "PolicyTypeNotEnabledException"
    organizations.enable_policy_type(RootId=world.root, PolicyType="BACKUP_POLICY")
    organizations.attach_policy(PolicyId=policy, TargetId=world.unit)
    organizations.detach_policy(PolicyId=policy, TargetId=world.unit)
    organizations.delete_policy(PolicyId=policy)


def test_policies_that_aws_refuses_are_refused(world: World, organizations: Any) -> None:
    policy = create_policy(organizations, "strict")
    organizations.attach_policy(PolicyId=policy, TargetId=world.unit)
    refusals: list[tuple[str, Callable[[], Any]]] = [
        ("DuplicatePolicyException", lambda: create_policy(organizations, "strict")),
        (
            "DuplicatePolicyAttachmentException",
            lambda: organizations.attach_policy(PolicyId=policy, TargetId=world.unit),
        ),
        (
            "PolicyNotAttachedException",
            lambda: organizations.detach_policy(PolicyId=policy, TargetId=ACCOUNTS.home),
        ),
        ("PolicyInUseException", lambda: organizations.delete_policy(PolicyId=policy)),
        (
            "ConstraintViolationException",
            lambda: organizations.update_policy(PolicyId=policy, Content=POLICY + " " * 10_000),
        ),
        ("MalformedPolicyDocumentException", lambda: create_policy(organizations, "bad", '{"plan": {}}')),
        (
            "TargetNotFoundException",
            lambda: organizations.attach_policy(PolicyId=policy, TargetId="ou-none-12345678"),
        ),
        ("InvalidInputException", lambda: create_policy(organizations, "n" * 129)),
    ]
    for code, call in refusals:
        with pytest.raises(ClientError) as error:
            call()
        assert refused(error) == code
    organizations.detach_policy(PolicyId=policy, TargetId=world.unit)
    organizations.delete_policy(PolicyId=policy)


def test_an_eleventh_policy_on_one_target_is_refused(organizations: Any) -> None:
    policies = [create_policy(organizations, f"many-{number}") for number in range(11)]
    for policy in policies[:10]:
        organizations.attach_policy(PolicyId=policy, TargetId=ACCOUNTS.central)
    with pytest.raises(ClientError, match="maximum number") as error:
        organizations.attach_policy(PolicyId=policies[10], TargetId=ACCOUNTS.central)
    assert refused(error) == "ConstraintViolationException"


def test_policies_have_tags(organizations: Any) -> None:
    policy = create_policy(organizations, "tagged", Tags=[{"Key": "owner", "Value": "stack"}])
    organizations.tag_resource(ResourceId=policy, Tags=[{"Key": "more", "Value": "1"}])
    tags = organizations.list_tags_for_resource(ResourceId=policy)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"owner": "stack", "more": "1"}


def test_lists_come_in_pages_of_twenty(organizations: Any) -> None:
    for number in range(21):
        create_policy(organizations, f"paged-{number}")
    first = organizations.list_policies(Filter="BACKUP_POLICY")
    assert len(first["Policies"]) == 20
    pages = organizations.get_paginator("list_policies").paginate(Filter="BACKUP_POLICY")
    names = [policy["Name"] for page in pages for policy in page["Policies"]]
    assert len(names) == len(set(names)) > 20
    assert {f"paged-{number}" for number in range(21)} <= set(names)


def test_the_effective_policy_is_merged_from_the_root_to_the_account(
    world: World, organizations: Any
) -> None:
    plan = {"p": {"regions": {"@@append": ["us-east-2"]}}}
    lower = create_policy(organizations, "lower", json.dumps({"plans": plan}))
    upper = create_policy(organizations, "upper")
    organizations.attach_policy(PolicyId=upper, TargetId=world.root)
    organizations.attach_policy(PolicyId=lower, TargetId=world.unit)
    described = organizations.describe_effective_policy(
        PolicyType="BACKUP_POLICY", TargetId=ACCOUNTS.members[0]
    )["EffectivePolicy"]
    content = json.loads(described["PolicyContent"])
    assert content == {"plans": {"p": {"regions": ["us-east-1", "us-east-2"]}}}


def test_an_account_moves_only_from_where_it_is(world: World, organizations: Any) -> None:
    with pytest.raises(ClientError, match="is in") as error:
        organizations.move_account(
            AccountId=ACCOUNTS.members[0], SourceParentId=world.root, DestinationParentId=world.unit
        )
    assert refused(error) in ("SourceParentNotFoundException", "DuplicateAccountException")


def test_a_unit_with_accounts_cannot_be_deleted(world: World, organizations: Any) -> None:
    children = organizations.list_children(ParentId=world.unit, ChildType="ACCOUNT")["Children"]
    assert {child["Id"] for child in children} == set(ACCOUNTS.members)
    with pytest.raises(ClientError) as error:
        organizations.delete_organizational_unit(OrganizationalUnitId=world.unit)
    assert refused(error) == "OrganizationalUnitNotEmptyException"


def test_a_closed_account_is_suspended_and_stays_where_it_is(world: World, organizations: Any) -> None:
    account = ACCOUNTS.members[1]
    assert organizations.describe_account(AccountId=account)["Account"]["State"] == "ACTIVE"
    organizations.close_account(AccountId=account)
    described = organizations.describe_account(AccountId=account)["Account"]
    assert (described["Status"], described["State"]) == ("SUSPENDED", "CLOSED")
    states = {each["Id"]: each["State"] for each in organizations.list_accounts()["Accounts"]}
    assert {each for each, state in states.items() if state != "ACTIVE"} == {account}
    inside = organizations.list_accounts_for_parent(ParentId=world.unit)["Accounts"]
    assert {each["Id"]: each["Status"] for each in inside} == {
        ACCOUNTS.members[0]: "ACTIVE",
        account: "SUSPENDED",
    }
    with pytest.raises(ClientError) as error:
        organizations.close_account(AccountId=account)
    assert refused(error) == "AccountAlreadyClosedException"


@pytest.mark.parametrize(
    ("caller", "account", "code"),
    [
        (ACCOUNTS.management, "999999999999", "AccountNotFoundException"),
        (ACCOUNTS.management, ACCOUNTS.management, "ConstraintViolationException"),
        (ACCOUNTS.members[0], ACCOUNTS.central, "AccessDeniedException"),
        (ACCOUNTS.members[0], ACCOUNTS.members[0], "AccessDeniedException"),
    ],
)
def test_only_the_management_account_closes_accounts_and_only_those_of_members(
    world: World, caller: str, account: str, code: str
) -> None:
    with pytest.raises(ClientError) as error:
        world.client("organizations", caller).close_account(AccountId=account)
    assert refused(error) == code
    described = world.client("organizations", ACCOUNTS.management).list_accounts()["Accounts"]
    assert all(each["Status"] == "ACTIVE" for each in described if each["Id"] == account)
