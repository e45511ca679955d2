"""A user's machine on which every setting for AWS, a proxy or a certificate is a trap.

A program that reads one of the files fails or writes the mark; one that connects to an address is recorded.
"""

import os
import shlex
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

_ADDRESSES = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_STS",
    "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy",
)  # fmt: skip
_CERTIFICATES = (
    "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE",
)  # fmt: skip
# Every variable from which botocore takes a setting.
SETTINGS = {
    variable
    for _, name, *_ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()
    for variable in ([name] if isinstance(name, str) else name or [])
}
Trap = Callable[[Path], dict[str, str]]
_BROKEN = "not [a configuration\n"


def unparsable(home: Path) -> dict[str, str]:
    """The usual files are broken, and every variable has a value that nothing accepts."""
    for name in ("config", "credentials", "models/endpoints.json", "models/partitions.json"):
        file = home / ".aws" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_BROKEN)
    (home / ".boto").write_text(_BROKEN)
    variables = dict.fromkeys(SETTINGS - {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}, "bogus")
    return {**variables, "AWS_SESSION_TOKEN": "somebody's"}


def marking(home: Path) -> dict[str, str]:
    """Readable files in other places; their command for credentials writes the mark."""
    config = home / "config"
    process = f"credential_process = touch {shlex.quote(str(home / 'mark'))}\n"
    config.write_text(f"[default]\n{process}ca_bundle = /nowhere\n[profile own]\n{process}")
    (home / "credentials").write_text("")
    (home / "openssl.cnf").write_text(_BROKEN)
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_DEFAULT_PROFILE": "own",
        "AWS_PROFILE": "own",
        "BOTO_CONFIG": str(home / "credentials"),
        "OPENSSL_CONF": str(home / "openssl.cnf"),
        "SSLKEYLOGFILE": str(home / "keys"),
    }


class _Recorder(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Record)


class _Record(socketserver.BaseRequestHandler):
    server: _Recorder

    def handle(self) -> None:
        self.server.received.append(self.request.recv(200))


@contextmanager
def machine(home: Path, trap: Trap) -> Iterator[dict[str, str]]:
    """The environment of a user; at the end, no address may have been called and no mark written."""
    home.mkdir()
    with _Recorder() as recorder:
        threading.Thread(target=recorder.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{recorder.server_address[1]}"
        yield {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            **dict.fromkeys(_CERTIFICATES, str(home / "missing" / "file")),  # it cannot be written either
            **trap(home),
            **dict.fromkeys(_ADDRESSES, address),
        }
        recorder.shutdown()
        assert recorder.received == [], recorder.received
    assert not (home / "mark").exists(), "the mark exists"
