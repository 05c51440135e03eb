"""The PROXY protocol, versions 1 and 2: what a balancer says of a connection before the client's first byte.

Strict: what the specification does not allow ends the connection, since whatever follows could be read as something
else. Source: haproxy.org, "The PROXY protocol", sections 2.1 and 2.2.
"""

import re
import socket
import struct

from s3proxy.http1.proxies import parse_address

_V1_START = b"PROXY "
_V1_BYTES = 107  # at most, line end included
_V1 = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n"
)

_V2_START = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = struct.Struct("!12sBBH")
_V2_MOST_BYTES = 4096  # of addresses and what may follow them: an SSL and a few cloud attributes are some hundred
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _STREAM = 0, 1  # in the lower half of the family byte
_ADDRESSES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}  # by its upper half: family, bytes of an address
_UNIX, _UNIX_BYTES = 3, 216


class ProxyHeaderError(Exception):
    """What a trusted balancer sent is no PROXY header."""


def header_length(data: bytes) -> int:
    """How many bytes the header has, or at least has, that begins with ``data``.

    Raises:
        ProxyHeaderError: no header begins so, or it would be too long.
    """
    if data[0] == _V1_START[0]:
        return _v1_length(data)
    if not _agrees(data, _V2_START):
        raise ProxyHeaderError(f"no PROXY header begins with {data[:16]!r}")
    if len(data) < _V2_HEAD.size:
        return _V2_HEAD.size
    length: int = _V2_HEAD.unpack_from(data)[3]
    if length > _V2_MOST_BYTES:
        raise ProxyHeaderError(f"a PROXY header with {length} bytes of addresses and attributes")
    return _V2_HEAD.size + length


def parse_source(header: bytes) -> str | None:
    """The client's address; None where the balancer speaks for itself or does not know it.

    Raises:
        ProxyHeaderError: the header is malformed.
    """
    return _v1_source(header) if header.startswith(_V1_START) else _v2_source(header)


def _v1_length(data: bytes) -> int:
    if not _agrees(data, _V1_START):
        raise ProxyHeaderError(f"no PROXY header begins with {data[:16]!r}")
    end = data.find(b"\r\n", 0, _V1_BYTES)
    if end >= 0:
        return end + 2
    if len(data) >= _V1_BYTES:
        raise ProxyHeaderError("a PROXY header without an end")
    return len(data) + 1


def _v1_source(header: bytes) -> str | None:
    match = _V1.fullmatch(header)
    if match is None:
        raise ProxyHeaderError(f"a malformed PROXY header: {header!r}")
    family, source, destination, *ports = (None if group is None else group.decode("ascii") for group in match.groups())
    if family is None:
        return None
    addresses = [_address_of(text or "", family == "TCP6") for text in (source, destination)]
    if any(port is None or int(port) > 65535 or (port[0] == "0" and port != "0") for port in ports):
        raise ProxyHeaderError(f"a malformed PROXY header: {header!r}")
    return addresses[0]


def _address_of(text: str, is_v6: bool) -> str:
    address = parse_address(text)
    if address is None or is_v6 != (":" in text):
        raise ProxyHeaderError(f"not an address of its family: {text!r}")
    return address


def _v2_source(header: bytes) -> str | None:
    _, command, protocol, length = _V2_HEAD.unpack_from(header)
    if command not in (_LOCAL, _PROXY) or len(header) != _V2_HEAD.size + length:
        raise ProxyHeaderError(f"a malformed PROXY header: {header[:16]!r}")
    if command == _LOCAL or protocol == _UNSPECIFIED:
        return None
    family, transport = protocol >> 4, protocol & 15
    if transport != _STREAM or family not in (*_ADDRESSES, _UNIX):
        raise ProxyHeaderError(f"a PROXY header for protocol {protocol:#04x}")
    if length < (_UNIX_BYTES if family == _UNIX else 2 * _ADDRESSES[family][1] + 4):
        raise ProxyHeaderError("a PROXY header without its addresses")
    if family == _UNIX:
        return None
    kind, size = _ADDRESSES[family]
    return parse_address(socket.inet_ntop(kind, header[_V2_HEAD.size : _V2_HEAD.size + size]))


def _agrees(data: bytes, start: bytes) -> bool:
    """Whether ``data`` begins with ``start``, as far as it has arrived."""
    return data[: len(start)] == start[: len(data)]
