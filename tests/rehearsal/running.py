"""Processes that run, read from /proc; where a system has none, ps shows them."""

import subprocess
from pathlib import Path

PROC = Path("/proc/self/stat")


def runs(process: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    if PROC.exists():
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
    else:
        state = _ps("-o", "stat=", "-p", str(process)).strip()
    return state[:1] not in ("", "Z", "X")


def commands() -> list[str]:
    """The command lines of all processes."""
    if not PROC.exists():
        return _ps("-eo", "args").splitlines()
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended meanwhile
            continue
    return found


def _ps(*options: str) -> str:
    command = ["ps", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
