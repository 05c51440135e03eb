"""Certificates in files, for processes under test and their clients."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certified:
    """A server's certificate for some names, and what a client needs to trust it and to prove who it is itself."""

    certificate: Path
    """With what is in between behind it."""
    key: Path
    bundle: Path
    """Both in one file, as balancers take it."""
    authority: Path
    """Who signed it, and the certificates of clients."""
    client: Path
    """A client's certificate and key."""

    def context(self, *, has_certificate: bool = False) -> ssl.SSLContext:
        """Of a client."""
        context = ssl.create_default_context(cafile=self.authority)
        if has_certificate:
            context.load_cert_chain(self.client)
        return context


def certify(directory: Path, *names: str) -> Certified:
    """Make an authority that nobody else trusts, and let it sign."""
    authority = trustme.CA()
    server, client = authority.issue_cert(*names), authority.issue_cert("ann@example.com")
    files = ("server.pem", "server.key", "bundle.pem", "authority.pem", "client.pem")
    made = Certified(*(directory / name for name in files))
    authority.cert_pem.write_to_path(made.authority)
    server.private_key_and_cert_chain_pem.write_to_path(made.bundle)
    server.private_key_pem.write_to_path(made.key)
    for index, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(made.certificate, append=index > 0)
    client.private_key_and_cert_chain_pem.write_to_path(made.client)
    return made
