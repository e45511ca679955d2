"""Restores with botocore's own clients, on moto."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from moto import mock_aws
from tag_on_restore import handler
from tag_on_restore.aws import Aws
from tag_on_restore.result import Origin, Outcome

from tests.generated import IN_CODEBUILD
from tests.lambdas.tag_on_restore.moto_account import (
    ACCOUNT,
    MOTO_TYPES,
    REGION,
    MotoAccount,
    client,
    ec2_tags,
    instance,
    pairs,
    resource_id,
    restore_jobs,
    snapshot,
    volume,
)
from tests.lambdas.tag_on_restore.restored_types import event

# For Redshift alone, moto takes half a second: the builds run with these types, `make test` with all.
IN_BUILDS = ("EC2", "EBS", "RDS", "DynamoDB", "EFS", "FSx", "S3", "EKS")
TYPES = IN_BUILDS if IN_CODEBUILD else MOTO_TYPES


@pytest.fixture(scope="module", autouse=True)
def moto() -> Iterator[None]:
    """One account for all tests, and no public AMIs: moto takes long to create them."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        yield


@pytest.fixture
def account() -> Iterator[MotoAccount]:
    with restore_jobs() as account:
        yield account


@pytest.mark.parametrize("type_name", TYPES)
def test_the_tags_of_the_source_are_copied_and_a_second_run_changes_nothing(
    account: MotoAccount, type_name: str
) -> None:
    moto_type = MOTO_TYPES[type_name]
    source = moto_type.create({"project": "shop", "stage": "production"})
    created = moto_type.create({"stage": "rehearsal"})
    job = account.add_job(created, source, moto_type.back_up(source, {"project": "as of the backup"}))
    result = account.run(job)
    assert (result.outcome, result.origins) == (Outcome.TAGGED, {created: Origin.SOURCE})
    assert moto_type.tags(created) == {"stage": "rehearsal", "project": "shop"}
    assert account.run(job).outcome is Outcome.UNCHANGED
    assert moto_type.tags(created) == {"stage": "rehearsal", "project": "shop"}


@pytest.mark.parametrize("type_name", sorted(set(TYPES) - {"S3"}))
def test_if_the_source_cannot_be_read_the_tags_of_its_backup_are_copied(
    account: MotoAccount, type_name: str
) -> None:
    moto_type = MOTO_TYPES[type_name]
    source = moto_type.create({"project": "shop"})
    backup = moto_type.back_up(source, {"project": "as of the backup"})
    created = moto_type.create({})
    if moto_type.delete:
        moto_type.delete(source)
    else:
        source = source.replace(ACCOUNT, "999988887777")
    result = account.run(account.add_job(created, source, backup))
    assert result.origins == {created: Origin.GONE if moto_type.delete else Origin.ELSEWHERE}
    assert moto_type.tags(created) == {"project": "as of the backup"}


@pytest.mark.parametrize("type_name", ["S3", "EFS", "EKS"])
def test_an_existing_resource_is_not_selected_for_backup(account: MotoAccount, type_name: str) -> None:
    moto_type = MOTO_TYPES[type_name]
    source = moto_type.create({"project": "shop", "backup": "daily"})
    existing = moto_type.create({})
    later = datetime.now(UTC) + timedelta(minutes=1)
    job = account.add_job(existing, source, moto_type.back_up(source, {}), CreationDate=later)
    result = account.run(job)
    assert result.plans[existing].withheld == ("backup",)
    assert moto_type.tags(existing) == {"project": "shop"}
    created = moto_type.create({})
    account.run(account.add_job(created, source, moto_type.back_up(source, {})))
    assert moto_type.tags(created) == {"project": "shop", "backup": "daily"}


def test_an_instance_and_its_volumes_get_the_tags_of_their_sources(account: MotoAccount) -> None:
    data = volume({"disk": "data"})
    deleted = volume({"disk": "deleted"})
    backups = [snapshot(data, {"disk": "data, older"}), snapshot(deleted, {"disk": "as of the backup"})]
    client("ec2").delete_volume(VolumeId=resource_id(deleted))
    source = instance({"project": "shop"})
    disks = [
        {"DeviceName": f"/dev/sd{letter}", "Ebs": {"SnapshotId": resource_id(backup), "VolumeSize": 1}}
        for letter, backup in zip("fg", backups, strict=True)
    ]
    created = instance({}, BlockDeviceMappings=disks)
    result = account.run(account.add_job(created, source, MOTO_TYPES["EC2"].back_up(source, {})))
    filters = [{"Name": "attachment.instance-id", "Values": [resource_id(created)]}]
    tags = {
        each["SnapshotId"]: each["Tags"]
        for each in client("ec2").describe_volumes(Filters=filters)["Volumes"]
        if each["SnapshotId"]
    }
    assert tags == {
        resource_id(backups[0]): pairs({"disk": "data"}),
        resource_id(backups[1]): pairs({"disk": "as of the backup"}),
    }
    assert ec2_tags(created) == {"project": "shop"}
    assert set(result.origins.values()) == {Origin.SOURCE, Origin.GONE}


def test_excluded_tags_are_not_copied_and_existing_values_are_replaced_on_request(
    account: MotoAccount,
) -> None:
    databases = MOTO_TYPES["RDS"]
    source = databases.create({"project": "shop", "stage": "production", "tmp:1": "x", "id": "7"})
    created = databases.create({"stage": "rehearsal", "own": "x"})
    job = account.add_job(created, source, databases.back_up(source, {}))
    account.run(job, TAGS_TO_EXCLUDE_IN_COPY="tmp:*, id", OVERWRITE_EXISTING_TAGS="true")
    assert databases.tags(created) == {"project": "shop", "stage": "production", "own": "x"}


def test_a_resource_has_at_most_fifty_tags(account: MotoAccount) -> None:
    source = volume({f"key-{number:02}": "x" for number in range(50)})
    created = volume({"own": "x"})
    result = account.run(account.add_job(created, source, snapshot(source, {})))
    assert result.plans[created].left_out == ("key-49",)
    assert len(ec2_tags(created)) == 50


def test_a_sweep_tags_what_several_jobs_restored_and_skips_restore_tests(account: MotoAccount) -> None:
    created = {}
    for type_name in ("EBS", "RDS", "DynamoDB", "S3"):
        moto_type = MOTO_TYPES[type_name]
        source = moto_type.create({"project": type_name})
        created[type_name] = moto_type.create({})
        account.add_job(created[type_name], source, moto_type.back_up(source, {}))
    plan = f"arn:aws:backup:{REGION}:{ACCOUNT}:restore-testing-plan:weekly"
    tested = volume({})
    account.add_job(tested, volume({"project": "x"}), "", CreatedBy={"RestoreTestingPlanArn": plan})
    assert account.sweep().counts == {Outcome.TAGGED: 4, Outcome.SKIPPED: 1}
    assert {type_name: MOTO_TYPES[type_name].tags(arn) for type_name, arn in created.items()} == {
        type_name: {"project": type_name} for type_name in created
    }
    assert ec2_tags(tested) == {}
    assert account.sweep().counts == {Outcome.UNCHANGED: 4, Outcome.SKIPPED: 1}


def test_the_handler_tags_what_an_event_names_and_a_sweep_then_changes_nothing(
    account: MotoAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_aws", lambda: Aws(account))
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    source, created = volume({"project": "shop"}), volume({})
    restored = event("ebs")
    restored["detail"]["restoreJobId"] = account.add_job(created, source, snapshot(source, {}))
    response = handler.handler(restored, context)
    swept = handler.handler({"RefreshTagItems": "true"}, context)
    assert response["resources"][created]["tagged"] == ["project"]
    assert ec2_tags(created) == {"project": "shop"}
    assert (swept["unchanged"], swept["finished"]) == (1, True)
