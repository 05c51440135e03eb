"""One request to a store, before it is known where the store is and who signs."""

from dataclasses import dataclass
from urllib.parse import quote

from s3proxy.http1.messages import Header
from s3proxy.s3 import xml
from s3proxy.s3.model import Bucket, Key
from s3proxy.s3.responses.fields import header_value

XML_TYPE: Header = (b"content-type", b"application/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """A request: of the service without ``bucket``, of a bucket without ``key``."""

    method: bytes
    bucket: Bucket | None = None
    key: Key | None = None
    query: bytes = b""
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    """Where it is at hand; an object's bytes come beside the request."""


def quoted(text: str) -> str:
    """``text`` as a value of a query or a header: everything but unreserved characters escaped, in UTF-8."""
    return quote(text, safe="-._~")


def quoted_path(text: str) -> str:
    """``text`` as part of a path, its slashes kept; never normalised, since ``a/../b`` is a key of its own."""
    return quote(text, safe="-._~/")


def query(**parameters: str | int) -> bytes:
    """A query of these parameters, ``_`` in their names being ``-``."""
    return "&".join(f"{name.replace('_', '-')}={quoted(str(value))}" for name, value in parameters.items()).encode()


def text_header(name: bytes, text: str | None) -> tuple[Header, ...]:
    """One header, or none where there is no text."""
    return () if text is None else ((name, header_value(text)),)


def etag_value(etag: str) -> bytes:
    """An entity tag as a condition has it: quoted, but for ``*``."""
    return b"*" if etag == "*" else b'"' + header_value(etag) + b'"'


def write_etag_value(etag: str) -> bytes:
    """An entity tag as a condition of a write has it: bare, since Ceph 16 takes the quotes for part of the tag."""
    return header_value(etag)


def document(root: str, *content: str) -> bytes:
    """The body of a request: a document in S3's namespace."""
    return xml.document(root, *content)
