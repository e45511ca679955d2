"""Starts a Python program quickly and often: one process imports its modules, then forks for each command.

`started` runs this module in its own process, and writes a program that stands in for the real one. The
stand-in (warm_command.py) passes its arguments, folder, environment and open files through a socket; a fork
takes them over and runs the file of the real program, so it prints and returns the same. A fork ends when its
stand-in does, and all of them end with the process that called `started`.

macOS ends a fork that calls a system framework. Python calls one for the system's proxies, but not if
NO_PROXY is set, as in every environment of the rehearsal.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from buildspecs.paths import ROOT
from rehearsal.machine import environment

_STAND_IN: Final = Path(__file__).with_name("warm_command.py")
# Standard input: a pipe to which the parent never writes. It closes when the parent ends.
_PARENT: Final = 0


def aws(folder: Path) -> contextlib.AbstractContextManager[bool]:
    """The AWS CLI that belongs to this Python, with all its plugins."""
    return started(Path(sys.executable).with_name("aws"), ["awscli.clidriver", "awscli.handlers"], folder)


@contextlib.contextmanager
def started(program: Path, modules: Sequence[str], folder: Path) -> Iterator[bool]:
    """Put a stand-in for `program`, which needs `modules`, into `folder` while the block runs.

    Yields False, without a stand-in, if no socket can be created: its path may have some 100 bytes.
    """
    address = folder / f"{program.name}.socket"
    stand_in = folder / program.name
    words = [sys.executable, "-I", "-S", str(_STAND_IN), str(address), sys.executable, str(program)]
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(address))
        except OSError:
            yield False
            return
        stand_in.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        stand_in.chmod(0o755)
        listener.listen()
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listener.fileno()), str(program), *modules],
            cwd=ROOT,
            env=environment.program(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        yield True
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@dataclass(frozen=True)
class Command:
    """What a stand-in was called with; `files` are standard input, output and error."""

    folder: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    files: tuple[int, ...]


@dataclass(frozen=True)
class _Fork:
    process: int
    ended: int  # the read end of a pipe that closes when the process ends
    stand_in: socket.socket


def wait(listener: socket.socket) -> Command:
    """Fork for every command, from the only thread of this process. Returns in the fork only."""
    forks: list[_Fork] = []
    while True:
        watched: list[int | socket.socket] = [listener, _PARENT]
        watched += [end for fork in forks for end in (fork.ended, fork.stand_in)]
        ready, _, _ = select.select(watched, [], [])
        if _PARENT in ready:
            os.killpg(0, signal.SIGKILL)
        for fork in list(forks):
            if fork.ended in ready:
                _report_end(fork)
                forks.remove(fork)
            elif fork.stand_in in ready:
                os.kill(fork.process, signal.SIGKILL)
        if listener in ready and (command := _fork(listener, forks)):
            return command


def _fork(listener: socket.socket, forks: list[_Fork]) -> Command | None:
    """Add a fork for the next stand-in to `forks` and return None; in the fork, return the command."""
    stand_in, _ = listener.accept()
    command = _receive(stand_in)
    if command is None:
        stand_in.close()
        return None
    ended, open_until_the_end = os.pipe()
    process = os.fork()
    if process == 0:
        for open_file in (listener, stand_in, *(fork.stand_in for fork in forks)):
            open_file.close()
        return command
    for number in (open_until_the_end, *command.files):
        os.close(number)
    forks.append(_Fork(process, ended, stand_in))
    return None


def _receive(stand_in: socket.socket) -> Command | None:
    """None if the stand-in ended before it had sent everything."""
    size, files, _, _ = socket.recv_fds(stand_in, 8, 3)
    with stand_in.makefile("rb") as stream:
        content = stream.read(int.from_bytes(size))
    if len(files) < 3 or len(content) < int.from_bytes(size):
        for number in files:
            os.close(number)
        return None
    folder, count, *fields = (os.fsdecode(field) for field in content.split(b"\0"))
    arguments, variables = fields[: int(count)], fields[int(count) :]
    return Command(
        folder, tuple(arguments), dict(variable.split("=", 1) for variable in variables), tuple(files)
    )


def _report_end(fork: _Fork) -> None:
    _, status = os.waitpid(fork.process, 0)
    code = os.waitstatus_to_exitcode(status)
    with fork.stand_in, contextlib.suppress(OSError):
        fork.stand_in.sendall(bytes([code if code >= 0 else 128 - code]))
    os.close(fork.ended)


def become(program: str, command: Command, added: Mapping[str, str]) -> None:
    """Run the program as the stand-in was called. `added` are the variables that its modules have set."""
    for number, file in enumerate(command.files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(command.folder)
    environment.replace({**command.environment, **added})
    sys.argv = [program, *command.arguments]
    sys.path[0] = str(Path(program).parent)
    runpy.run_path(program, run_name="__main__")


def main(descriptor: int, program: str, modules: Sequence[str]) -> None:
    before = environment.everything()
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # no fork looks through the modules for garbage; at its end alone that took 0.1 s
    added = {name: value for name, value in environment.everything().items() if name not in before}
    become(program, wait(socket.socket(fileno=descriptor)), added)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
