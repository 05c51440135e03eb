"""The head of a request: found, judged and parsed; no sockets here.

Two rules:

1. A head is read in one way or refused. Whatever another HTTP implementation might read differently (bare LF, folded
   lines, two lengths, a length beside a transfer coding) ends the connection, for that difference is what request
   smuggling is made of. h11 is lenient in these, so they are refused before it is asked.
2. A plain head, one that carries no framing and nothing that asks for special treatment, is complete once it matches
   the grammar, which takes 4 us on a signed GET. All others are judged by h11 too, for another 20. The tests hold the
   short way against h11 as its oracle.
"""

import re
from typing import NamedTuple

import h11

from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import Header

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n")
# RFC 9110 section 5.5 without control characters. Possessive, so that white space cannot be split in many ways.
_FIELD = re.compile(rb"^(" + _TOKEN + rb"):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)\r\n", re.MULTILINE)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_HOST = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")  # RFC 3986 section 3.2, without user information

_PLAIN_METHODS = frozenset((b"GET", b"HEAD", b"DELETE"))
_NOT_PLAIN = frozenset((b"content-length", b"transfer-encoding", b"expect"))


class RefusedRequestError(Exception):
    """A request that is answered with an error and the end of the connection, without asking the handler."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class RequestHead(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """One parsed request head: what the handler gets to see, and what the connection must know to go on."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    length: int | None = 0
    """Of the body; None with chunked transfer coding."""
    expects_continue: bool = False
    keep_alive: bool = True
    is_http10: bool = False


def find_head_end(data: bytes, limits: Limits) -> int:
    """Find where the head at the start of ``data`` ends.

    Args:
        data: everything received so far of this request, leading empty line removed.
        limits: for the size of head and request line.

    Returns:
        The index after the empty line; or 0 when more must be received.

    Raises:
        RefusedRequestError: 400, 414 or 431, as soon as it is certain that no acceptable head can come of it.
    """
    end = data.find(b"\r\n\r\n") + 4
    if 4 <= end <= limits.max_head_bytes:
        return end
    if end >= 4 or len(data) > limits.max_head_bytes:
        raise _too_large(data, limits)
    if data and data[0] <= 0x20:
        raise RefusedRequestError(400, "This does not start like an HTTP request.")  # a TLS greeting, for one
    if _BARE_LF.search(data):
        raise RefusedRequestError(400, "A line ends without CR.")
    return 0


def _too_large(data: bytes, limits: Limits) -> RefusedRequestError:
    if data.find(b"\r\n", 0, limits.max_request_line_bytes) < 0:
        return RefusedRequestError(414, "The request line is too long.")
    return RefusedRequestError(431, "The request head is too large.")


def parse_head(head: bytes, limits: Limits) -> RequestHead:
    """Parse a whole request head.

    Args:
        head: from the request line to the empty line, both included.
        limits: for the request line and the number of headers.

    Raises:
        RefusedRequestError: with the status to answer: 400, 414, 431, 501 or 505.
    Source: RFC 9112 sections 2 to 6; RFC 9110 sections 5.5, 7.2 and 10.1.1.
    """
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise RefusedRequestError(400, "The request line is malformed.")
    start = line.end()
    if start > limits.max_request_line_bytes:
        raise RefusedRequestError(414, "The request line is too long.")
    method, target, version = line.groups()
    if version not in (b"1.1", b"1.0"):
        raise RefusedRequestError(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if target[0] != 0x2F:  # RFC 9112 section 3.2: the other forms are for proxies, CONNECT and OPTIONS
        raise RefusedRequestError(400, "The request target is not an absolute path.")
    headers = _parse_fields(head, start, limits)
    by_name = dict(headers)
    if _HOST.fullmatch(by_name.get(b"host", b"")) is None:
        raise RefusedRequestError(400, "The Host header is malformed.")
    if (
        method in _PLAIN_METHODS
        and version == b"1.1"
        and len(by_name) == len(headers)
        and b"host" in by_name
        and _NOT_PLAIN.isdisjoint(by_name)
        and by_name.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    ):
        return RequestHead(method=method, target=target, headers=headers)
    return _judge(head, headers)


def _parse_fields(head: bytes, start: int, limits: Limits) -> tuple[Header, ...]:
    stop = len(head) - 2
    line_count = head.count(b"\n", start, stop)
    if line_count > limits.max_header_count:
        raise RefusedRequestError(431, "There are too many headers.")
    fields: list[Header] = _FIELD.findall(head, start, stop)
    # Each match starts a line and holds one LF, so equal counts mean that the matches are all there is.
    if len(fields) != line_count:
        raise RefusedRequestError(400, "A header line is malformed.")
    return tuple([(name.lower(), value.rstrip(b" \t")) for name, value in fields])


def _judge(head: bytes, headers: tuple[Header, ...]) -> RequestHead:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(head))
    connection.receive_data(head)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise RefusedRequestError(error.error_status_hint, str(error)) from error
    assert isinstance(event, h11.Request)
    is_http10 = event.http_version == b"1.0"
    return RequestHead(
        method=event.method,
        target=event.target,
        headers=headers,
        length=_body_length(headers, is_http10=is_http10),
        expects_continue=_expects_continue(headers) and not is_http10,
        keep_alive=not is_http10 and not _asks_to_close(headers),
        is_http10=is_http10,
    )


def _body_length(headers: tuple[Header, ...], *, is_http10: bool) -> int | None:
    """What RFC 9112 section 6.3 makes of lengths that h11 accepted, without its leave to repair a doubtful message."""
    lengths = [value for name, value in headers if name == b"content-length"]
    is_chunked = any(name == b"transfer-encoding" for name, _ in headers)
    if is_chunked and (lengths or is_http10):
        raise RefusedRequestError(400, "Transfer-Encoding stands beside Content-Length or in HTTP/1.0.")
    if is_chunked:
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit():
        raise RefusedRequestError(400, "There is more than one Content-Length.")
    return int(lengths[0])


def _expects_continue(headers: tuple[Header, ...]) -> bool:
    """Whatever else is expected is passed over, as RFC 9110 section 10.1.1 allows; clients send nonsense in it."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)


def _asks_to_close(headers: tuple[Header, ...]) -> bool:
    return any(
        name == b"connection" and b"close" in [option.strip().lower() for option in value.split(b",")]
        for name, value in headers
    )
