"""Requests as tests write them."""

from collections.abc import Mapping

import pytest

from s3proxy.s3.addressing import parse_address
from s3proxy.s3.errors import S3Error
from s3proxy.s3.model import Operation
from s3proxy.s3.requests import RequestText, Route, find_route, header_fields


def route(method: str, target: str, headers: Mapping[str, str] | None = None) -> Route:
    """The route of a request."""
    return find_route(method.encode(), parse_address(target.encode()), _fields(headers))


def ask(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Operation:
    """The operation that a request asks for."""
    fields = _fields(headers)
    address = parse_address(target.encode())
    return find_route(method.encode(), address, fields).parse(RequestText(address, fields, body))


def refuse(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> S3Error:
    """The error that a request ends with."""
    with pytest.raises(S3Error) as caught:
        ask(method, target, headers, body)
    return caught.value


def _fields(headers: Mapping[str, str] | None) -> dict[bytes, bytes]:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return header_fields([(b"host", b"127.0.0.1:39999"), *pairs])
