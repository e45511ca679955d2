"""CodeCommit: a repository made from a zip, once."""

import base64
import io
import re
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.emulator.templates import template, zipped
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

FILES = {"README.md": b"# It", "templates/home-account/a.yaml": b"a: 1\n", "templates/tags.json": b"{}"}


PACKED = zipped(FILES)


def repository(name: str, key: str) -> str:
    properties: dict[str, Any] = {
        "RepositoryName": name,
        "RepositoryDescription": "d",
        "Code": {"BranchName": "main", "S3": {"Bucket": "code-of-it", "Key": key}},
    }
    return template(
        {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": properties}},
        Outputs={
            "Arn": {"Value": {"Fn::GetAtt": ["Repository", "Arn"]}},
            "Url": {"Value": {"Fn::GetAtt": ["Repository", "CloneUrlHttp"]}},
        },
    )


@pytest.fixture(scope="session")
def codecommit(world: World) -> Any:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="code-of-it")
    s3.put_object(Bucket="code-of-it", Key="it.zip", Body=PACKED)
    s3.put_object(Bucket="code-of-it", Key="text", Body=b"no zip")
    s3.put_object(
        Bucket="code-of-it", Key="hole.zip", Body=zipped({**FILES, "lambdas/": b"", "lambdas/.keep": b""})
    )
    made = world.create("repository-it", repository("it", "it.zip"))
    assert made.status == "CREATE_COMPLETE", made.reason
    assert made.outputs["Arn"] == f"arn:aws:codecommit:{HOME_REGION}:{ACCOUNTS.home}:it"
    assert made.outputs["Url"].endswith("/v1/repos/it")
    return world.client("codecommit")


def test_the_repository_is_described_and_listed(codecommit: Any) -> None:
    described = codecommit.get_repository(repositoryName="it")["repositoryMetadata"]
    assert (described["defaultBranch"], described["repositoryDescription"]) == ("main", "d")
    assert "it" in [each["repositoryName"] for each in codecommit.list_repositories()["repositories"]]
    assert codecommit.list_branches(repositoryName="it")["branches"] == ["main"]
    branch = codecommit.get_branch(repositoryName="it", branchName="main")["branch"]
    assert len(branch["commitId"]) == 40


def test_its_files_can_be_walked(codecommit: Any) -> None:
    def walk(folder: str) -> dict[str, bytes]:
        shown = codecommit.get_folder(repositoryName="it", folderPath=folder)
        found = {
            each["absolutePath"]: codecommit.get_file(repositoryName="it", filePath=each["absolutePath"])[
                "fileContent"
            ]
            for each in shown["files"]
        }
        for below in shown["subFolders"]:
            found |= walk(below["absolutePath"])
        return found

    assert walk("/") == FILES


def test_the_whole_zip_is_a_control_operation(world: World, codecommit: Any) -> None:
    packed = world.emulator.control(
        "repository-archive", account=ACCOUNTS.home, region=HOME_REGION, repository="it"
    )
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("missing.zip", r"NoSuchKey.*s3://code-of-it/missing\.zip"),
        ("text", "not a zip file"),
        ("hole.zip", r"repository other has empty files: lambdas/\.keep"),
    ],
)
def test_code_that_cannot_be_read_fails_the_stack(
    world: World, codecommit: Any, key: str, reason: str
) -> None:
    made = world.create(f"no-{key[:4]}", repository("other", key))
    assert made.status == "ROLLBACK_COMPLETE"
    assert re.search(reason, made.reason), made.reason


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("get_repository", {"repositoryName": "no"}, "RepositoryDoesNotExistException"),
        ("get_file", {"repositoryName": "it", "filePath": "no"}, "FileDoesNotExistException"),
        ("get_folder", {"repositoryName": "it", "folderPath": "no"}, "FolderDoesNotExistException"),
        ("get_branch", {"repositoryName": "it", "branchName": "no"}, "BranchDoesNotExistException"),
        (
            "get_file",
            {"repositoryName": "it", "filePath": "README.md", "commitSpecifier": "no"},
            "CommitDoesNotExistException",
        ),
    ],
)
def test_what_does_not_exist_is_refused(
    codecommit: Any, operation: str, arguments: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(codecommit, operation)(**arguments)
    assert error.value.response["Error"]["Code"] == code


def test_an_update_keeps_the_files_and_a_deletion_takes_them(world: World, codecommit: Any) -> None:
    world.create("passing", repository("passing", "it.zip"))
    world.update("passing", repository("passed", "missing.zip"))
    assert codecommit.get_file(repositoryName="passed", filePath="README.md")["fileContent"] == b"# It"
    world.delete("passing")
    with pytest.raises(ClientError):
        codecommit.get_repository(repositoryName="passed")
