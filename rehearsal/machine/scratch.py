"""The one folder outside of the clone that a rehearsal writes to, and what a killed one has left of its own.

A rehearsal holds a lock in its folder, which the operating system lets go of when the process ends in
whatever way. A folder of this user's whose lock can be had belongs to nobody any more.
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
    """A new private folder, removed at the end. Raises PrerequisiteError if no folder can be written."""
    try:
        new = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise PrerequisiteError(
            f"no temporary folder can be made ({error.strerror}): set TMPDIR to a folder that can be written"
        ) from None
    with new as name:
        path = Path(name).resolve()
        unborn = path / f"{LOCK}.new"
        with unborn.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unborn.rename(path / LOCK)  # only now another rehearsal can try the lock
            yield path


def remove_left_behind() -> list[Path]:
    """Remove and return what killed rehearsals of this user have left in the temporary folder."""
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
