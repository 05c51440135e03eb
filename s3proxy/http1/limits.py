"""What one server grants its clients."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on heads, connections and waits. All sizes in bytes, all durations in seconds."""

    max_head_bytes: int = 32 * 1024
    """Request line and headers. S3 itself stops at 8 KiB of headers; session tokens and proxies add to that."""

    max_request_line_bytes: int = 16 * 1024
    """A percent-escaped key of 1,024 bytes is 3 KiB; a presigned query with a session token several more."""

    max_header_count: int = 200
    """2 KiB of user metadata in the shortest possible headers stay below this."""

    max_connections: int = 10_000
    """An idle one costs 6 KiB here, about as much in the kernel, and a descriptor."""

    head_timeout_seconds: float = 10.0
    """From accepting, or from the first byte of a later request, to the end of the head: one packet or two."""

    idle_timeout_seconds: float = 75.0
    """Between requests. Longer than the 60 s after which botocore, the JVM and HAProxy give up an idle connection
    themselves, so that it is they who close and no request meets a closing socket."""

    stall_timeout_seconds: float = 30.0
    """Without one byte of progress in a body, either way. TCP has retransmitted about seven times by then."""

    linger_seconds: float = 2.0
    """For the client to read a last response before the socket is gone: a round trip and some."""

    drain_idle_seconds: float = 1.0
    """At shutdown, for a request on its way on an idle connection; to close those without one takes as long again."""

    drain_seconds: float = 30.0
    """For requests in flight at shutdown; systemd kills after 90 s."""
