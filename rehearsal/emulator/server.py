"""The server process: ministack with the extension modules, on 127.0.0.1 only, and no longer than its parent.

process.py starts it as `python -m rehearsal.emulator.server <settings.json>` in an environment of its own.
"""

import asyncio
import os
import resource
import signal
import sys
import threading
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from rehearsal.emulator import certificate, control, hooks
from rehearsal.emulator.configuration import Configuration
from rehearsal.emulator.errors import StartError
from rehearsal.emulator.extensions import installation

_OPEN_FILES = 8192


def end_process_group(*_: object) -> None:
    """End the Lambda workers too: the state is in memory, and the temporary folder is the parent's."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def watch_parent() -> None:
    """The parent holds the other end of standard input and never writes: reading returns when it is gone."""
    sys.stdin.buffer.read()
    end_process_group()


def allow_many_connections() -> None:
    """A StackSet in a hundred accounts needs more open files than macOS allows by default (256)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(settings: Path) -> None:
    configuration = Configuration.read(settings)
    signal.signal(signal.SIGTERM, end_process_group)
    threading.Thread(target=watch_parent, name="parent", daemon=True).start()
    allow_many_connections()
    hooks.check()
    if not hooks.app.AUTH:
        raise StartError("the server was started without AUTH=true: it would deny nothing")
    installation.install(configuration)
    certificate.make(configuration)
    listener = Config()
    listener.bind = [f"127.0.0.1:{configuration.port}"]
    listener.certfile, listener.keyfile = str(configuration.certificate), str(configuration.key)
    listener.keep_alive_timeout = 75
    application = control.with_operations(hooks.app.app, configuration.token)
    # A shutdown trigger that never fires keeps hypercorn from replacing the SIGTERM handler.
    asyncio.run(serve(application, listener, shutdown_trigger=asyncio.Event().wait))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
