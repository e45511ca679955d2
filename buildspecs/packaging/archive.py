"""Reproducible Lambda packages: the same sources and dependencies make the same bytes on every machine."""

import base64
import hashlib
import io
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from buildspecs import names
from buildspecs.errors import PackagingError
from buildspecs.paths import BUILD_FOLDER, ROOT

# What pip writes about itself and this machine, not about the content of a distribution.
INSTALLER_RECORDS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
PLAIN_FILE = stat.S_IFREG | 0o644


@dataclass(frozen=True)
class Package:
    """A Lambda package: its folder below lambdas/, and its name in the object key and in SSM."""

    folder: str
    name: str

    @property
    def name_parameter(self) -> str:
        return names.package_path(self.name)

    @property
    def hash_parameter(self) -> str:
        return names.hash_path(self.name)


POLICY_MANAGER = Package("backup_org_policy_manager", names.PACKAGES[names.POLICY_FUNCTION])
TAG_ON_RESTORE = Package("tag_on_restore", names.PACKAGES[names.TAG_FUNCTION])
PACKAGES: Mapping[str, Package] = {package.folder: package for package in (POLICY_MANAGER, TAG_ON_RESTORE)}


@dataclass(frozen=True)
class Archive:
    """A package's zip and its names."""

    package: Package
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        return f"{self.package.name}-{self.sha256[:16]}.zip"

    @property
    def s3_checksum(self) -> str:
        """The hash in S3's form."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode("ascii")


def build(package: Package, root: Path = ROOT) -> Archive:
    """The package's folder and its pinned dependencies as a zip."""
    folder = root / "lambdas" / package.folder
    return Archive(package, zipped(source_files(folder) | dependency_files(folder / "requirements.txt")))


def source_files(folder: Path) -> dict[str, bytes]:
    """The Python files of a package by their path in the zip, which begins with the package's name."""
    files = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_dir() or any(part == "__pycache__" or part.startswith(".") for part in relative.parts):
            continue
        if path.suffix == ".py":
            files[f"{folder.name}/{relative.as_posix()}"] = path.read_bytes()
        elif relative != Path("requirements.txt"):
            raise PackagingError(f"{path}: a package holds .py files and requirements.txt; move this file")
    if not files:
        raise PackagingError(f"{folder}: there is no .py file to package")
    return files


def dependency_files(requirements: Path) -> dict[str, bytes]:
    """What the requirements install, by path in the zip; nothing if they hold only comments."""
    if not any(line.strip() and not line.strip().startswith("#") for line in _lines(requirements)):
        return {}
    with tempfile.TemporaryDirectory() as target:
        _pip_install(requirements, Path(target))
        return {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in Path(target).rglob("*")
            if path.is_file() and _belongs_to_package(path.relative_to(target))
        }


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on names and contents alone.

    Entries are sorted, with one time and one mode. They are stored, not compressed: what deflate writes
    depends on the zlib that Python was built with, and the packages are small.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EARLIEST_TIME)
            entry.create_system = 3  # Unix, wherever it is built: only then is the mode read
            entry.external_attr = PLAIN_FILE << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def write(archive: Archive, root: Path = ROOT) -> Path:
    """Write the zip to a file named by its key, and return the path."""
    folder = root / BUILD_FOLDER / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / archive.key
    path.write_bytes(archive.content)
    return path


def _lines(requirements: Path) -> list[str]:
    try:
        return requirements.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PackagingError(f"{requirements}: cannot be read: {error.strerror}") from error


def _pip_install(requirements: Path, target: Path) -> None:
    """Install only wheels for any platform: nothing is built, and every machine installs the same files."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--no-compile", "--only-binary", ":all:"]
    command += ["--platform", "any", "--implementation", "py", "--abi", "none"]
    command += ["--target", str(target), "--requirement", str(requirements)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if run.returncode != 0:
        raise PackagingError(f"{requirements}: pip did not install it:\n{run.stderr.strip()}")


def _belongs_to_package(path: Path) -> bool:
    if "__pycache__" in path.parts or path.parts[0] == "bin":  # scripts name this machine's Python
        return False
    return not (path.parts[0].endswith(".dist-info") and path.name in INSTALLER_RECORDS)
