"""The certificate authority and the server certificate of one run.

Lambda functions respond to CloudFormation over https only (crhelper always does), so the emulator has to
speak TLS. Every client trusts this one authority through an explicit bundle, so verification stays on
everywhere.
"""

from pathlib import Path

import trustme

from rehearsal.emulator.configuration import Configuration

# S3 Control puts the account ID in front of the host.
_NAMES = ("127.0.0.1", "localhost", "*.127.0.0.1")


def make(configuration: Configuration) -> None:
    """Write the PEM files that the configuration names; the authority, which clients wait for, comes last."""
    authority = trustme.CA(organization_unit_name="Rehearsal certificate authority")
    server = authority.issue_cert(*_NAMES, common_name="Rehearsal of AWS on this machine")
    _write(configuration.key, server.private_key_pem)
    _write(configuration.certificate, server.cert_chain_pems[0])
    _write(configuration.authority, authority.cert_pem)


def _write(path: Path, content: trustme.Blob) -> None:
    path.touch(mode=0o600)
    content.write_to_path(path)
