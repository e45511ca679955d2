"""Artifacts: the files in them, and their way through the bucket."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import ActionError, UnsupportedError
from rehearsal.pipeline import artifacts
from rehearsal.pipeline.artifacts import ArtifactStore


class Role:
    """A role, with the calls of S3 and KMS that artifacts need; `denied`: a key that it may not use."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.denied = ""

    def client(self, service: str) -> Any:
        assert service in ("s3", "kms")
        return self

    def generate_data_key(self, KeyId: str, KeySpec: str) -> dict[str, bytes]:  # noqa: N803 - KMS's names
        assert KeySpec == "AES_256"
        return {"CiphertextBlob": f"a key under {KeyId}".encode()}

    def decrypt(self, CiphertextBlob: bytes) -> None:  # noqa: N803
        if self.denied and self.denied in CiphertextBlob.decode():
            raise PermissionError(self.denied)

    def put_object(self, **request: Any) -> None:
        self.requests.append(request)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - S3's names
        (found,) = [r for r in self.requests if (r["Bucket"], r["Key"]) == (Bucket, Key)]
        return {"Body": io.BytesIO(found["Body"])}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.yaml", "deep/er/b.yaml", "deep/c.txt", ".hidden/d"):
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "made" / "deep" / "c.txt").chmod(0o755)
    return tmp_path / "made"


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["**/*"], [".hidden/d", "a.yaml", "deep/c.txt", "deep/er/b.yaml"]),
        (["*.yaml"], ["a.yaml"]),
        (["**/*.yaml", "deep/c.txt"], ["a.yaml", "deep/c.txt", "deep/er/b.yaml"]),
    ],
)
def test_files_are_chosen_by_pattern(folder: Path, patterns: list[str], names: list[str]) -> None:
    chosen = artifacts.select(folder, patterns)
    assert [path.relative_to(folder).as_posix() for path in chosen] == names


def test_patterns_without_a_match_are_an_error(folder: Path) -> None:
    with pytest.raises(ActionError, match=r"no file in made matches.*\*\.zip"):
        artifacts.select(folder, ["*.zip"])


def test_an_artifact_comes_out_of_the_bucket_as_it_went_in(folder: Path, tmp_path: Path) -> None:
    role, store = Role(), ArtifactStore("a-pipeline-with-a-long-name", "b", "key-arn")
    store.put(role, "SourceArtifact", artifacts.pack(folder, artifacts.all_files(folder)))
    out = store.get(role, "SourceArtifact", tmp_path / "out")
    assert {p.relative_to(out).as_posix(): p.read_text() for p in artifacts.all_files(out)} == {
        p.relative_to(folder).as_posix(): p.read_text() for p in artifacts.all_files(folder)
    }
    assert (out / "deep" / "c.txt").stat().st_mode & 0o111
    assert not (out / "a.yaml").stat().st_mode & 0o111


def test_artifacts_are_encrypted_with_the_pipelines_key() -> None:
    role = Role()
    ArtifactStore("p", "b", "key-arn").put(role, "A", b"")
    ArtifactStore("p", "b", None).put(role, "A", b"")
    encrypted, plain = role.requests
    assert (encrypted["ServerSideEncryption"], encrypted["SSEKMSKeyId"]) == ("aws:kms", "key-arn")
    assert "ServerSideEncryption" not in plain


def test_a_role_that_may_not_use_the_key_cannot_read_an_artifact(tmp_path: Path) -> None:
    role, store = Role(), ArtifactStore("p", "b", "key-arn")
    store.put(role, "A", b"")
    role.denied = "key-arn"
    with pytest.raises(PermissionError, match="key-arn"):
        store.get(role, "A", tmp_path)


def test_an_artifact_that_no_action_makes_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="makes the artifact Missing"):
        ArtifactStore("p", "b", None).get(Role(), "Missing", tmp_path)


def test_a_zip_without_permissions_is_readable(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("x"), "text")
    artifacts.unpack(buffer.getvalue(), tmp_path)
    assert (tmp_path / "x").read_text() == "text"
