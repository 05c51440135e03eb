"""Which server a client speaks to, and how much it puts up with."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One server, as RFC 9110 section 4.3.1 tells servers apart."""

    host: str
    """A name or an address; with ``tls`` the certificate must be for it."""

    port: int

    tls: ssl.SSLContext | None = None
    """What is trusted and offered; None for plain TCP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Bounds on waits, connections and heads. All sizes in bytes, all durations in seconds."""

    connect_timeout_seconds: float = 5.0
    """For name, TCP and TLS together. TCP has repeated a lost SYN twice by then."""

    response_timeout_seconds: float = 30.0
    """From the last byte of the request to the end of the response's head: S3 may take long to complete an upload."""

    stall_timeout_seconds: float = 30.0
    """Without one byte of progress in a body, either way. TCP has retransmitted about seven times by then."""

    idle_timeout_seconds: float = 20.0
    """Between requests. Servers close after 60 s or more, S3 after 20 to 25: it is better that we are first."""

    max_idle: int = 64
    """How many connections wait for another request. Those in use are the caller's to bound."""

    max_head_bytes: int = 64 * 1024
    """Of one response: 2 KiB of metadata, escaped, and what proxies add, many times over."""

    max_header_count: int = 200
    """2 KiB of user metadata in the shortest possible headers stay below this."""
