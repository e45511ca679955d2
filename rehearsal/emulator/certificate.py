"""A certificate authority and a server certificate for one run, made with the openssl command.

Lambda functions answer CloudFormation over https only (crhelper always does), so the emulator has to speak
TLS; a certificate made here and trusted through an explicit bundle keeps verification on everywhere. The
configuration files avoid options that LibreSSL (macOS) does not have.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rehearsal.emulator.errors import StartError
from rehearsal.machine import environment

_AUTHORITY = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = Rehearsal certificate authority
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""

_SERVER = """\
[req]
prompt = no
distinguished_name = name
[name]
CN = Rehearsal of AWS on this machine
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, DNS:localhost, DNS:*.127.0.0.1
"""


@dataclass(frozen=True)
class Certificate:
    """PEM files: what clients trust, what the server shows, and its key."""

    authority: Path
    server: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """Make a fresh authority and a server certificate for 127.0.0.1 in `folder`, valid for two days.

    Raises StartError if openssl is missing or fails.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise StartError(
            "openssl is not installed: the rehearsal makes its TLS certificate with it; install openssl"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "authority.cnf").write_text(_AUTHORITY)
    (folder / "server.cnf").write_text(_SERVER)
    for name in ("authority", "server"):
        _run(openssl, folder, "ecparam -name prime256v1 -genkey -noout -out", f"{name}.key")
    _run(
        openssl,
        folder,
        "req -x509 -new -sha256 -days 2 -config authority.cnf -key authority.key -out",
        "authority.pem",
    )
    _run(openssl, folder, "req -new -sha256 -config server.cnf -key server.key -out", "server.csr")
    _run(
        openssl,
        folder,
        "x509 -req -sha256 -days 2 -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial "
        "-extfile server.cnf -extensions extensions -out",
        "server.pem",
    )
    return Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")


def _run(openssl: str, folder: Path, arguments: str, output: str) -> None:
    command = [openssl, *arguments.split(), output]
    done = subprocess.run(
        command, cwd=folder, env=environment.program(folder), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StartError(f"openssl {arguments.split()[0]} failed for {output}: {done.stderr.strip()}")
    (folder / output).chmod(0o600)
