"""One emulated organization per test module; the unit `workloads` holds the two member accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.emulator import Emulator
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator without an organization."""
    state: Path = tmp_path_factory.mktemp("emulator")
    with Emulator(state, ACCOUNTS, HOME_REGION) as running:
        yield running


@pytest.fixture(scope="module")
def world(emulator: Emulator) -> World:
    """A running emulator with its organization."""
    organizations = emulator.session(ACCOUNTS.management, HOME_REGION).client("organizations")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"][
        "Id"
    ]
    for name, account in ACCOUNTS.ids_by_name().items():
        if name != "management":
            organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        if account in ACCOUNTS.members:
            organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    return World(emulator, root, unit, organization)
