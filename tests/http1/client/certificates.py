"""A certificate authority that nobody else trusts."""

import ssl
from functools import cache

import trustme

NAME = "localhost"


@cache
def contexts(name: str = NAME) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server that is called ``name``, and for clients that trust its authority."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client
