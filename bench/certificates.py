"""A certificate for a server on loopback, and the trust of its clients in it."""

import ssl
from functools import cache
from pathlib import Path

import trustme

CERTIFICATE = "server.pem"
"""In the scratch directory of a server: its private key and certificate in one file."""

_AUTHORITY = "authority.pem"
_NAME = "127.0.0.1"


def make_certificate(directory: Path) -> Path:
    """Have ``directory / CERTIFICATE``, signed by an authority of its own; gives the file with that one's."""
    trusted = directory / _AUTHORITY
    if not trusted.exists():
        authority = trustme.CA()
        authority.issue_cert(_NAME).private_key_and_cert_chain_pem.write_to_path(str(directory / CERTIFICATE))
        authority.cert_pem.write_to_path(str(trusted))
    return trusted


@cache
def client_context(trusted: Path) -> ssl.SSLContext:
    """What a client needs to speak TLS with that server."""
    return ssl.create_default_context(cafile=str(trusted))
