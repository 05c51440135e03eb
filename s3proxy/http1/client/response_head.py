"""The head of a response: found, judged and parsed; no sockets here.

A head is read in one way or refused, for whoever makes a client and a server disagree about where a response ends
chooses what the next request is answered with. h11 is the oracle of the tests.
"""

import re
from dataclasses import dataclass

from s3proxy.http1.client.origin import ClientLimits
from s3proxy.http1.messages import ConnectionLostError, Header

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n")
# RFC 9110 section 5.5 without control characters. Possessive, so that white space cannot be split in many ways.
_FIELD = re.compile(rb"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)\r\n", re.MULTILINE)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")  # 10^18 bytes: nothing larger is ever sent, and it fits into 64 bits
_BEGINNING = b"HTTP/1."


class MalformedResponseError(ConnectionLostError):
    """The server sent what is no response, or what could be read as more than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """One parsed response head: what the caller gets to see, and what the connection must know to go on."""

    status: int
    headers: tuple[Header, ...]
    length: int | None
    """The Content-Length, also where no body follows; None without one."""
    is_chunked: bool
    keep_alive: bool


def find_head_end(data: bytes, searched: int, limits: ClientLimits) -> int:
    """Find where the head at the start of ``data`` ends.

    Args:
        data: everything received so far of this response.
        searched: how many bytes of it an earlier call has seen.
        limits: for the size.

    Returns:
        The index after the empty line; or 0 when more must be received.

    Raises:
        MalformedResponseError: no acceptable head can come of it.
    """
    end = data.find(b"\r\n\r\n", max(0, searched - 3)) + 4
    if 4 <= end <= limits.max_head_bytes:
        return end
    if end >= 4 or len(data) > limits.max_head_bytes:
        raise MalformedResponseError("the response head is too large")
    if not data.startswith(_BEGINNING[: len(data)]):
        raise MalformedResponseError(f"this does not start like an HTTP response: {data[:40]!r}")
    if _BARE_LF.search(data, max(0, searched - 1)):
        raise MalformedResponseError("a line of the response head ends without CR")
    return 0


def parse_response_head(head: bytes, limits: ClientLimits) -> ResponseHead:
    """Parse a whole response head.

    Args:
        head: from the status line to the empty line, both included.
        limits: for the number of headers.

    Raises:
        MalformedResponseError: it breaks the grammar or has more than one meaning.
    Source: RFC 9112 sections 4 to 6 and 9.3.
    """
    line = _STATUS_LINE.match(head)
    if line is None:
        raise MalformedResponseError(f"the status line is malformed: {head[:80]!r}")
    is_http10 = line[1] == b"0"
    headers = _parse_fields(head, line.end(), limits)
    by_name = dict(headers)
    is_chunked = b"transfer-encoding" in by_name
    if is_chunked:
        _check_transfer_coding(headers, is_http10=is_http10)
    length = by_name.get(b"content-length")
    return ResponseHead(
        status=int(line[2]),
        headers=headers,
        length=None if length is None else _parse_length(length, headers),
        is_chunked=is_chunked,
        keep_alive=not is_http10 and (b"connection" not in by_name or not _announces_close(headers)),
    )


def _parse_fields(head: bytes, start: int, limits: ClientLimits) -> tuple[Header, ...]:
    stop = len(head) - 2
    line_count = head.count(b"\n", start, stop)
    if line_count > limits.max_header_count:
        raise MalformedResponseError("the response has too many headers")
    fields: list[Header] = _FIELD.findall(head, start, stop)
    # Each match starts a line and holds one LF, so equal counts mean that the matches are all there is.
    if len(fields) != line_count:
        raise MalformedResponseError("a header line of the response is malformed")
    return tuple([(name.lower(), value.rstrip(b" \t")) for name, value in fields])


def _check_transfer_coding(headers: tuple[Header, ...], *, is_http10: bool) -> None:
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings != [b"chunked"] or is_http10:
        raise MalformedResponseError(f"the transfer coding cannot be read: {codings!r}")
    if any(name == b"content-length" for name, _ in headers):
        raise MalformedResponseError("Transfer-Encoding stands beside Content-Length")


def _parse_length(value: bytes, headers: tuple[Header, ...]) -> int:
    """Read a Content-Length; repeated ones must be equal, as RFC 9112 section 6.3 allows."""
    if _LENGTH.fullmatch(value) is None or any(other != value for name, other in headers if name == b"content-length"):
        raise MalformedResponseError("Content-Length is malformed or there are different ones")
    return int(value)


def _announces_close(headers: tuple[Header, ...]) -> bool:
    return any(
        name == b"connection" and b"close" in [option.strip().lower() for option in value.split(b",")]
        for name, value in headers
    )
