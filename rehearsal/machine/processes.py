"""Programs that the rehearsal starts: each in its own process group, and none outlives the rehearsal."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Finished:
    """How a program ended; `output` holds standard output, then standard error."""

    code: int
    stdout: str
    output: str


_running: set[int] = set()
_lock = threading.Lock()
_ended = threading.Event()


@contextmanager
def started(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes] | int = subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; when the block ends, end what is left of its process group."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    with _lock:
        _running.add(process.pid)
    if _ended.is_set():
        _end(process.pid)
    try:
        yield process
    finally:
        _end(process.pid)
        process.wait()
        with _lock:
            _running.discard(process.pid)


def run(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> Finished:
    """Run a program to its end. What it prints goes to `log` and, below it, `log`.err."""
    errors = log.with_name(f"{log.name}.err")
    with (
        log.open("wb") as out,
        errors.open("wb") as err,
        started(arguments, folder=folder, environment=environment, output=out, errors=err) as process,
    ):
        code = process.wait()
    stdout = log.read_text(errors="replace")
    return Finished(code, stdout, stdout + errors.read_text(errors="replace"))


def end_all() -> None:
    """For an interruption: end everything that runs, and what starts later as soon as it starts."""
    _ended.set()
    with _lock:
        groups = list(_running)
    for group in groups:
        _end(group)


def _end(group: int) -> None:
    # PermissionError: macOS raises it for a group in which only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
