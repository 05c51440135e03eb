"""Authorities that nobody else trusts, made once."""

import ssl
from functools import cache

import trustme

from tests.http1.client.certificates import NAME


@cache
def authority(name: str) -> trustme.CA:
    """One of several that know nothing of each other."""
    return trustme.CA(organization_name=name)


def server_context() -> ssl.SSLContext:
    """For a server that is called NAME."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    authority("servers").issue_cert(NAME).configure_cert(context)
    return context


def demanding_context(mode: ssl.VerifyMode = ssl.CERT_REQUIRED) -> ssl.SSLContext:
    """For a server that asks its clients who they are."""
    context = server_context()
    authority("clients").configure_trust(context)
    context.verify_mode = mode
    return context


def client_context(signed_by: str | None = None) -> ssl.SSLContext:
    """For a client that trusts the servers, with a certificate of its own if ``signed_by`` somebody."""
    context = ssl.create_default_context()
    authority("servers").configure_trust(context)
    if signed_by is not None:
        authority(signed_by).issue_cert("ann@example.com").configure_cert(context)
    return context
