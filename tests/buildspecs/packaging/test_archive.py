"""The zip of a package: the same content makes the same bytes, whatever the machine, time or folder."""

import io
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildspecs.errors import PackagingError
from buildspecs.packaging.archive import (
    PACKAGES,
    TAG_ON_RESTORE,
    Archive,
    Package,
    build,
    source_files,
    write,
    zipped,
)
from buildspecs.paths import ROOT

PACKAGE = Path("lambdas") / "tag_on_restore"


def entries(archive: Archive) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_package_folder_is_at_the_root_of_the_zip(repository: Path) -> None:
    assert sorted(entries(build(TAG_ON_RESTORE, repository))) == [
        "tag_on_restore/__init__.py",
        "tag_on_restore/handler.py",
    ]


@pytest.mark.parametrize("package", PACKAGES.values(), ids=lambda package: package.folder)
def test_a_package_has_every_module_of_its_function(package: Package) -> None:
    modules = (ROOT / "lambdas" / package.folder).rglob("*.py")
    expected = {module.relative_to(ROOT / "lambdas").as_posix() for module in modules}
    assert set(source_files(ROOT / "lambdas" / package.folder)) == expected


def test_the_key_carries_the_function_and_the_hash_of_the_content(repository: Path) -> None:
    archive = build(TAG_ON_RESTORE, repository)
    assert archive.key == f"aws-backup-tagonrestore-{archive.sha256[:16]}.zip"
    assert len(archive.sha256) == 64


def test_the_file_of_the_zip_is_named_by_its_key(repository: Path) -> None:
    archive = build(TAG_ON_RESTORE, repository)
    assert write(archive, repository).read_bytes() == archive.content
    assert (repository / ".build" / "packages" / archive.key).is_file()


def test_caches_bytecode_and_dotfiles_do_not_count(repository: Path) -> None:
    before = build(TAG_ON_RESTORE, repository)
    cache = repository / PACKAGE / "__pycache__"
    cache.mkdir()
    (cache / "handler.cpython-313.pyc").write_bytes(b"\0")
    (repository / PACKAGE / ".DS_Store").write_bytes(b"\0")
    assert build(TAG_ON_RESTORE, repository) == before


def test_a_comment_in_the_requirements_does_not_count(repository: Path) -> None:
    before = build(TAG_ON_RESTORE, repository)
    (repository / PACKAGE / "requirements.txt").write_text("\n   # still nothing\n")
    assert build(TAG_ON_RESTORE, repository) == before


def test_one_changed_character_changes_the_key(repository: Path) -> None:
    before = build(TAG_ON_RESTORE, repository)
    (repository / PACKAGE / "handler.py").write_text("def handler(event, context):\n    return Event\n")
    assert build(TAG_ON_RESTORE, repository).key != before.key


def test_a_renamed_module_changes_the_key(repository: Path) -> None:
    before = build(TAG_ON_RESTORE, repository)
    (repository / PACKAGE / "handler.py").rename(repository / PACKAGE / "other.py")
    assert build(TAG_ON_RESTORE, repository).key != before.key


def test_time_zone_umask_modes_and_folder_do_not_count(
    repository: Path, tmp_path: Path, wheels: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / PACKAGE / "requirements.txt").write_text(wheels())
    before = build(TAG_ON_RESTORE, repository)

    moved = tmp_path / "moved"
    repository.rename(moved)
    for path in (moved / PACKAGE).glob("*.py"):
        os.utime(path, (10**9, 10**9))
        path.chmod(0o700)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    umask = os.umask(0o077)
    try:
        after = build(TAG_ON_RESTORE, moved)
    finally:
        os.umask(umask)
        monkeypatch.delenv("TZ")
        time.tzset()

    assert after == before


@given(st.dictionaries(st.text("abc/_.é", min_size=1, max_size=8), st.binary(max_size=20), max_size=6))
def test_the_order_in_which_files_are_found_does_not_count(files: dict[str, bytes]) -> None:
    content = zipped(files)
    assert content == zipped(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files


def test_entries_are_stored_readable_and_without_a_real_time(repository: Path) -> None:
    """Stored, because compressors differ between Pythons; readable, because Lambda runs as another user."""
    with zipfile.ZipFile(io.BytesIO(build(TAG_ON_RESTORE, repository).content)) as opened:
        for entry in opened.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == 0o100644
            assert entry.create_system == 3


def test_dependencies_are_next_to_the_package_without_what_pip_adds(
    repository: Path, wheels: Callable[..., str]
) -> None:
    (repository / PACKAGE / "requirements.txt").write_text(wheels())
    assert sorted(entries(build(TAG_ON_RESTORE, repository))) == [
        "helper-1.0.dist-info/LICENSE",
        "helper-1.0.dist-info/METADATA",
        "helper-1.0.dist-info/WHEEL",
        "helper-1.0.dist-info/entry_points.txt",
        "helper/__init__.py",
        "tag_on_restore/__init__.py",
        "tag_on_restore/handler.py",
    ]


def test_a_changed_dependency_changes_the_key(repository: Path, wheels: Callable[..., str]) -> None:
    (repository / PACKAGE / "requirements.txt").write_text(wheels())
    before = build(TAG_ON_RESTORE, repository)
    (repository / PACKAGE / "requirements.txt").write_text(wheels(code="ANSWER = 43\n"))
    assert build(TAG_ON_RESTORE, repository).key != before.key


def test_a_dependency_with_another_hash_is_rejected(repository: Path, wheels: Callable[..., str]) -> None:
    wheels()
    (repository / PACKAGE / "requirements.txt").write_text(f"helper==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PackagingError, match=r"(?s)requirements\.txt: pip did not install it.*HASH"):
        build(TAG_ON_RESTORE, repository)


def test_a_dependency_without_a_hash_is_rejected(repository: Path, wheels: Callable[..., str]) -> None:
    wheels()
    (repository / PACKAGE / "requirements.txt").write_text("helper==1.0\n")
    with pytest.raises(PackagingError, match=r"(?s)requirements\.txt: pip did not install it.*hash"):
        build(TAG_ON_RESTORE, repository)


@pytest.mark.parametrize("tag", ["cp311-cp311-manylinux_2_28_x86_64", "py3-none-linux_x86_64"])
def test_a_dependency_for_one_platform_is_rejected(
    repository: Path, wheels: Callable[..., str], tag: str
) -> None:
    (repository / PACKAGE / "requirements.txt").write_text(wheels(tag=tag))
    with pytest.raises(PackagingError, match=r"(?s)pip did not install it.*No matching distribution"):
        build(TAG_ON_RESTORE, repository)


def test_an_unexpected_file_is_rejected_and_named(repository: Path) -> None:
    """If it were left out silently, only Lambda would miss it."""
    (repository / PACKAGE / "policy.json").write_text("{}")
    with pytest.raises(PackagingError, match=r"policy\.json: a package holds \.py files"):
        build(TAG_ON_RESTORE, repository)


def test_a_package_without_source_is_rejected(repository: Path) -> None:
    for path in (repository / PACKAGE).glob("*.py"):
        path.unlink()
    with pytest.raises(PackagingError, match=r"tag_on_restore: there is no \.py file"):
        build(TAG_ON_RESTORE, repository)


def test_missing_requirements_are_rejected(repository: Path) -> None:
    (repository / PACKAGE / "requirements.txt").unlink()
    with pytest.raises(PackagingError, match=r"requirements\.txt: cannot be read: No such file"):
        build(TAG_ON_RESTORE, repository)
