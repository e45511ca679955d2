"""Stands in for a program that warm_start.py has started already: `warm_command.py SOCKET PYTHON PROGRAM …`.

It starts in a few milliseconds, so it imports only what it needs. If the process behind the socket has ended
or a standard stream is closed, it runs the program itself.
"""

import os
import socket
import sys


def main(address: str, python: str, program: str, *arguments: str) -> int:
    with socket.socket(socket.AF_UNIX) as process:
        # A new socket has the lowest free number: one below 3 belongs to a closed standard stream.
        if process.fileno() < 3 or process.connect_ex(address):
            os.execv(python, [python, program, *arguments])  # noqa: S606 - the real program
        variables = [name + b"=" + value for name, value in os.environb.items()]
        fields = [os.getcwdb(), b"%d" % len(arguments), *map(os.fsencode, arguments), *variables]
        content = b"\0".join(fields)
        socket.send_fds(process, [len(content).to_bytes(8)], [0, 1, 2])
        process.sendall(content)
        code = process.recv(1)
    if not code:
        sys.exit(f"{program}: the process that ran it has ended")
    return code[0]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
