"""The one folder outside the clone that a rehearsal writes to, and the folders that killed rehearsals left.

A rehearsal holds a lock in its folder, which the operating system releases however the process ends. A folder
of this user whose lock is free is therefore not in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rehearsal.errors import PrerequisiteError

PREFIX: Final = "rehearsal-"
LOCK: Final = "lock"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new private folder, removed at the end. Raises PrerequisiteError if none can be made."""
    try:
        new = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot make a temporary folder ({error.strerror}): set TMPDIR to a writable folder"
        ) from None
    with new as name:
        path = Path(name).resolve()
        unlocked = path / f"{LOCK}.new"
        with unlocked.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unlocked.rename(path / LOCK)  # only now can another rehearsal try the lock
            yield path


def remove_left_behind() -> list[Path]:
    """Remove and return the folders that killed rehearsals of this user left."""
    return [path for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")) if _removed(path)]


def _removed(path: Path) -> bool:
    with contextlib.suppress(OSError):
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        with (path / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            return True
    return False
