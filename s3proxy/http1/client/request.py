"""The head of a request, rendered once, and bodies that are sent as they come; no sockets here."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from s3proxy.http1.messages import Header

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++ [\x21-\x7e]++ HTTP/1\.1\r\n")
# RFC 9110 sections 5.1 and 5.5; no control characters, above all no CR, LF and NUL.
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++: [\t\x20-\x7e\x80-\xff]*+\r\n)*+")
_FRAMING = re.compile(rb"^(?:content-length|transfer-encoding):", re.IGNORECASE | re.MULTILINE)

_WITH_BODY = frozenset((b"PUT", b"POST", b"PATCH"))

Send = Callable[[bytes | memoryview], Awaitable[None]]


class UnsendableRequestError(ValueError):
    """A request that is not one: a bug or an attack of whoever made it, and nothing was sent."""


class RequestStream(Protocol):
    """A request body that is sent as it comes."""

    @property
    def length(self) -> int:
        """How many bytes ``send_to`` will send."""
        ...

    async def send_to(self, send: Send) -> None:
        """Await ``send`` with one piece after another, ``length`` bytes in all; it returns when there is room for more.

        Cancelled when the server answers before the end. What it raises ends the connection and comes out of
        ``HttpClient.request`` as it is.
        """
        ...


def render_request_head(method: bytes, target: bytes, headers: Sequence[Header], length: int) -> bytes:
    """Render the head of a request with a body of ``length`` bytes.

    Args:
        method: as sent, in upper case.
        target: as sent: origin form, percent-escaped.
        headers: as sent, with Host, without Content-Length and Transfer-Encoding.
        length: of the body; 0 is announced only by methods that usually have one (RFC 9110 section 8.6).

    Raises:
        UnsendableRequestError: something in it would break out of its place.
    """
    line = b"%s %s HTTP/1.1\r\n" % (method, target)
    fields = b"".join([b"%s: %s\r\n" % header for header in headers])
    # A value with a line break in it could look like two good lines; there must be as many as there are headers.
    if (
        _REQUEST_LINE.fullmatch(line) is None
        or fields.count(b"\n") != len(headers)
        or _FIELDS.fullmatch(fields) is None
        or _FRAMING.search(fields) is not None
    ):
        raise UnsendableRequestError(f"cannot be sent: {line!r} {fields!r}")
    framing = b"Content-Length: %d\r\n" % length if length or method in _WITH_BODY else b""
    return b"".join((line, fields, framing, b"\r\n"))
