"""Publishing: every bucket gets the package, SSM is written last, and the next run completes a failed one."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from buildspecs import pipeline_variables
from buildspecs.packaging import publish
from buildspecs.packaging.archive import TAG_ON_RESTORE, build
from rehearsal.machine import environment
from tests.buildspecs.conftest import ACCOUNT, HOME_REGION, OTHER_REGION, Aws, client

NAME = "/backup/lambda/aws-backup-tagonrestore/deployed-package"
HASH = "/backup/lambda/aws-backup-tagonrestore/deployed-hash"
# The calls of a first run, in order.
FIRST_RUN = [
    "us-east-1 GetCallerIdentity",
    "us-east-1 GetParameters",
    "us-east-1 HeadObject",
    "us-east-1 PutObject",
    "us-east-2 HeadObject",
    "us-east-2 PutObject",
    "us-east-1 PutParameter",
    "us-east-1 PutParameter",
]


@pytest.fixture
def run_publish(aws: Aws, repository: Path) -> Callable[[], int]:
    """The command of the buildspec; returns its exit code."""
    return lambda: publish.main(["publish", "tag_on_restore"], session=aws.session, root=repository)


def refused(operation: str, code: str = "InternalError", status: int = 500) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "injected"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # all that errors carry
        operation,
    )


UNREACHABLE = EndpointConnectionError(endpoint_url="https://example.amazonaws.com")


def is_complete(aws: Aws, repository: Path) -> bool:
    """Both buckets hold exactly this package, and SSM names it."""
    archive = build(TAG_ON_RESTORE, repository)
    parameters = aws.parameters()
    return all(
        [
            aws.objects(HOME_REGION) == {archive.key: archive.content},
            aws.objects(OTHER_REGION) == {archive.key: archive.content},
            parameters[NAME][0] == archive.key,
            parameters[HASH][0] == hashlib.sha256(archive.content).hexdigest(),
        ]
    )


def test_a_first_run_fills_every_region_and_then_records(
    aws: Aws, repository: Path, run_publish: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_publish() == 0
    assert is_complete(aws, repository)
    assert aws.calls == FIRST_RUN
    key = build(TAG_ON_RESTORE, repository).key
    assert f"us-east-1: uploaded, lambda-deployment-bucket-{ACCOUNT}-us-east-1/{key}\n" in (
        out := capsys.readouterr().out
    )
    assert f"us-east-2: uploaded, lambda-deployment-bucket-{ACCOUNT}-us-east-2/{key}\n" in out
    assert f"SSM {NAME}: {key}\n" in out


def test_the_pipeline_gets_the_package_of_this_very_build(
    aws: Aws, repository: Path, run_publish: Callable[[], int]
) -> None:
    """Even if SSM was changed meanwhile: the targets stage of another execution may do so at any time."""
    assert run_publish() == 0
    client("ssm", HOME_REGION).put_parameter(Name=NAME, Value="older", Overwrite=True)
    key = build(TAG_ON_RESTORE, repository).key
    assert (repository / pipeline_variables.FILE).read_text() == f"export PACKAGE={key}\n"


def test_a_failed_build_exports_no_package_not_even_an_earlier_one(
    aws: Aws, repository: Path, run_publish: Callable[[], int]
) -> None:
    assert run_publish() == 0
    aws.fail(lambda number, call: refused("HeadObject") if call == "us-east-2 HeadObject" else None)
    assert run_publish() == 1
    assert not (repository / pipeline_variables.FILE).exists()


def test_the_other_package_is_not_touched(aws: Aws, run_publish: Callable[[], int]) -> None:
    run_publish()
    others = {name: held for name, held in aws.parameters().items() if "backuporgpolicymanager" in name}
    assert set(others.values()) == {("none", 1)}
    assert len(others) == 2


def test_the_same_content_again_writes_nothing(
    aws: Aws, run_publish: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_publish()
    before = aws.parameters()
    aws.recover()
    capsys.readouterr()
    assert run_publish() == 0
    assert [call for call in aws.calls if "Put" in call] == []
    assert aws.parameters() == before
    out = capsys.readouterr().out
    assert out.count("already there") == 2
    assert out.count("unchanged") == 2


def test_every_s3_call_demands_the_account_as_owner(aws: Aws, run_publish: Callable[[], int]) -> None:
    run_publish()
    assert aws.owners == {ACCOUNT}


def test_s3_verifies_the_content_and_keeps_its_hash(
    aws: Aws, repository: Path, run_publish: Callable[[], int]
) -> None:
    run_publish()
    archive = build(TAG_ON_RESTORE, repository)
    head = (
        environment.session(OTHER_REGION)
        .client("s3")
        .head_object(
            Bucket=f"lambda-deployment-bucket-{ACCOUNT}-{OTHER_REGION}",
            Key=archive.key,
            ChecksumMode="ENABLED",
        )
    )
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(archive.content).digest()).decode()


def test_changed_code_is_published_in_addition_to_the_old(
    aws: Aws, repository: Path, run_publish: Callable[[], int]
) -> None:
    """A stack that still has the old key must find it."""
    run_publish()
    old = build(TAG_ON_RESTORE, repository)
    (repository / "lambdas" / "tag_on_restore" / "handler.py").write_text("changed = True\n")
    new = build(TAG_ON_RESTORE, repository)
    assert run_publish() == 0
    assert aws.objects(OTHER_REGION) == {old.key: old.content, new.key: new.content}
    assert aws.parameters()[NAME] == (new.key, 3)


def test_a_region_added_later_gets_the_package_whatever_ssm_says(
    aws: Aws, repository: Path, run_publish: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_publish()
    aws.make_bucket("eu-west-1")
    monkeypatch.setenv("TARGET_REGIONS", "us-east-1, us-east-2, eu-west-1")
    aws.recover()
    assert run_publish() == 0
    assert aws.objects("eu-west-1") == aws.objects(HOME_REGION)
    assert [call for call in aws.calls if "Put" in call] == ["eu-west-1 PutObject"]


def test_a_package_deleted_from_one_bucket_is_put_back(
    aws: Aws, repository: Path, run_publish: Callable[[], int]
) -> None:
    run_publish()
    key = build(TAG_ON_RESTORE, repository).key
    client("s3", OTHER_REGION).delete_object(
        Bucket=f"lambda-deployment-bucket-{ACCOUNT}-{OTHER_REGION}", Key=key
    )
    assert run_publish() == 0
    assert is_complete(aws, repository)


@pytest.mark.parametrize("checksum", [{"ChecksumAlgorithm": "SHA256"}, {}], ids=["SHA-256", "no SHA-256"])
def test_other_content_under_the_key_is_replaced(
    aws: Aws,
    repository: Path,
    run_publish: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
    checksum: dict[str, Any],
) -> None:
    client("s3", OTHER_REGION).put_object(
        Bucket=f"lambda-deployment-bucket-{ACCOUNT}-{OTHER_REGION}",
        Key=build(TAG_ON_RESTORE, repository).key,
        Body=b"cut off",
        **checksum,
    )
    assert run_publish() == 0
    assert is_complete(aws, repository)
    assert "us-east-2: replaced other content" in capsys.readouterr().out


def test_the_home_region_gets_the_package_even_if_it_is_not_a_target(
    aws: Aws, repository: Path, run_publish: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_REGIONS", OTHER_REGION)
    assert run_publish() == 0
    assert is_complete(aws, repository)


def test_an_upload_that_fails_in_the_second_region_leaves_ssm_alone_until_the_next_run(
    aws: Aws, repository: Path, run_publish: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = aws.parameters()
    aws.fail(lambda number, call: refused("PutObject") if call == f"{OTHER_REGION} PutObject" else None)
    assert run_publish() == 1
    printed = capsys.readouterr()
    assert f"bucket lambda-deployment-bucket-{ACCOUNT}-{OTHER_REGION} in {OTHER_REGION}: " in printed.err
    assert "us-east-1: uploaded" in printed.out
    assert "us-east-2: FAILED" in printed.out
    assert aws.parameters() == before

    aws.recover()
    assert run_publish() == 0
    assert is_complete(aws, repository)


@pytest.mark.parametrize("error", [refused("Any"), UNREACHABLE], ids=["refused", "unreachable"])
def test_the_regions_after_a_failed_one_are_tried_and_every_fault_is_reported(
    aws: Aws,
    run_publish: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    aws.make_bucket("us-west-2")
    monkeypatch.setenv("TARGET_REGIONS", "eu-west-1,us-east-1,us-east-2,us-west-2")  # eu-west-1 has no bucket
    aws.fail(lambda number, call: error if call == "us-east-2 HeadObject" else None)
    assert run_publish() == 1
    err = capsys.readouterr().err
    assert "in eu-west-1 does not exist" in err
    assert "in us-east-2: " in err
    assert len(aws.objects("us-east-1")) == len(aws.objects("us-west-2")) == 1


@pytest.mark.parametrize("number", range(len(FIRST_RUN)), ids=FIRST_RUN)
def test_whichever_call_fails_the_build_fails_and_the_next_one_completes_it(
    aws: Aws,
    repository: Path,
    run_publish: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    """The errors alternate, so that uploads, their checks and SSM's writes meet both."""
    error = UNREACHABLE if (number + number // 4) % 2 else refused("Any")
    aws.fail(lambda count, call: error if count == number else None)
    assert run_publish() == 1
    assert capsys.readouterr().err.startswith("error: ")
    uploads_done = number >= FIRST_RUN.index("us-east-1 PutParameter")
    assert (aws.parameters()[NAME][0] == "none") or uploads_done
    assert aws.parameters()[HASH][0] == "none"  # the hash is the very last thing written

    aws.recover()
    assert run_publish() == 0
    assert is_complete(aws, repository)


def test_a_missing_bucket_is_named_with_the_stack_that_creates_it(
    run_publish: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TARGET_REGIONS", "eu-west-1")
    assert run_publish() == 1
    err = capsys.readouterr().err
    assert f"bucket lambda-deployment-bucket-{ACCOUNT}-eu-west-1 in eu-west-1 does not exist" in err
    assert "stack stackset-aws-backup-lambda-s3-bucket creates it" in err


@pytest.mark.parametrize("operation", ["HeadObject", "PutObject"])
def test_a_bucket_of_another_owner_fails_with_the_permissions_that_are_needed(
    aws: Aws, run_publish: Callable[[], int], capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    """S3 returns 403 both for a bucket of another owner and for a role without permission."""
    aws.fail(
        lambda number, call: refused(operation, "403", 403) if call == f"us-east-2 {operation}" else None
    )
    assert run_publish() == 1
    err = capsys.readouterr().err
    assert f"us-east-2: access denied ({operation}): it must belong to account {ACCOUNT}" in err
    assert "s3:ListBucket, s3:GetObject and s3:PutObject" in err
    assert aws.objects(OTHER_REGION) == {}


def test_parameters_that_no_stack_has_created_stop_the_build_before_any_upload(
    aws: Aws, run_publish: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """If the build created them, the stack that owns them could not."""
    client("ssm", HOME_REGION).delete_parameters(Names=[NAME, HASH])
    assert run_publish() == 1
    err = capsys.readouterr().err
    assert f"SSM parameter {NAME} and {HASH} does not exist: deploy stack aws-backup-ssm-targets first" in err
    assert aws.objects(HOME_REGION) == {}


@pytest.mark.parametrize("name", ["TARGET_REGIONS", "PACKAGE_BUCKET_PREFIX"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_not_set_is_named(
    run_publish: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str | None,
) -> None:
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    assert run_publish() == 1
    assert f"environment variable {name} is not set" in capsys.readouterr().err


def test_a_missing_region_is_reported(
    repository: Path, aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    session = environment.session()
    assert publish.main(["publish", "tag_on_restore"], session=session, root=repository) == 1
    assert "set AWS_DEFAULT_REGION to the home Region" in capsys.readouterr().err


def test_building_needs_no_aws(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main(["build", "tag_on_restore"], root=repository) == 0
    archive = build(TAG_ON_RESTORE, repository)
    assert (repository / ".build" / "packages" / archive.key).read_bytes() == archive.content
    assert archive.key in capsys.readouterr().out


def test_a_package_that_cannot_be_built_publishes_nothing(
    aws: Aws, repository: Path, run_publish: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "lambdas" / "tag_on_restore" / "notes.txt").write_text("")
    assert run_publish() == 1
    assert "notes.txt" in capsys.readouterr().err
    assert aws.calls == []


def test_an_unknown_package_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        publish.main(["build", "tagonrestore"])
    assert "backup_org_policy_manager" in capsys.readouterr().err
