"""Artifacts between the pipeline's actions: zip objects in the artifact bucket, as CodePipeline keeps them.

Each is written and read with the credentials of the role that does so in AWS, so a role that may not use the
artifact bucket or its key fails here too. Amazon S3 calls AWS KMS with the role's permissions; the emulator's
S3 does not, so the store makes these calls.
"""

from __future__ import annotations

import io
import secrets
import stat
import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rehearsal.errors import ActionError, UnsupportedError
from rehearsal.machine.environment import Caller


def select(base: Path, patterns: Iterable[str]) -> list[Path]:
    """The files below `base` that match a buildspec's patterns, sorted. Raises ActionError without any."""
    wanted = list(patterns)
    found = {path for pattern in wanted for path in base.glob(pattern) if path.is_file()}
    if not found:
        raise ActionError(f"no file in {base.name} matches the artifact's files {', '.join(wanted)}.")
    return sorted(found)


def pack(base: Path, files: Iterable[Path]) -> bytes:
    """A zip of these files, named by their path below `base`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False
    ) as archive:
        for path in files:
            archive.write(path, path.relative_to(base).as_posix())
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Extract a zip with the files' permissions, which zipfile alone does not restore."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            if path.is_file() and (mode := stat.S_IMODE(entry.external_attr >> 16)):
                path.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)


def all_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


class ArtifactStore:
    """The artifact bucket of a pipeline; bucket and key are those of get-pipeline's artifactStore."""

    def __init__(self, pipeline: str, bucket: str, encryption_key: str | None) -> None:
        self._prefix = pipeline[:20]
        self._bucket = bucket
        self._encryption_key = encryption_key
        self._objects: dict[str, tuple[str, bytes]] = {}  # name → object key, encrypted data key
        self._lock = threading.Lock()

    def put(self, role: Caller, name: str, content: bytes) -> None:
        """Store the zip `content` as artifact `name`."""
        key = f"{self._prefix}/{name[:10]}/{secrets.token_hex(4)}.zip"
        encryption, data_key = {}, b""
        if self._encryption_key:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._encryption_key}
            made = role.client("kms").generate_data_key(KeyId=self._encryption_key, KeySpec="AES_256")
            data_key = made["CiphertextBlob"]
        role.client("s3").put_object(Bucket=self._bucket, Key=key, Body=content, **encryption)
        with self._lock:
            self._objects[name] = (key, data_key)

    def get(self, role: Caller, name: str, folder: Path) -> Path:
        """Extract artifact `name` into `folder`."""
        unpack(self._content(role, name), folder)
        return folder

    def text(self, role: Caller, name: str, path: str) -> str | None:
        """One file of artifact `name`; None if it has no such file."""
        with zipfile.ZipFile(io.BytesIO(self._content(role, name))) as archive:
            return archive.read(path).decode() if path in archive.namelist() else None

    def _content(self, role: Caller, name: str) -> bytes:
        if name not in self._objects:
            raise UnsupportedError(f"no earlier action of the pipeline makes the artifact {name}.")
        key, data_key = self._objects[name]
        if data_key:
            role.client("kms").decrypt(CiphertextBlob=data_key)
        content: bytes = role.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return content
