"""Header fields and document parts that many responses share.

Rule: a value reaches a header only through ``header_value``, so no stored or requested text can end a line of the head
(Ceph CVE-2020-10753, CVE-2021-3524).
"""

import re
from functools import lru_cache

from s3proxy.http1.messages import Header, Response
from s3proxy.s3 import xml
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType, Owner

CONTENT_TYPE_XML: Header = (b"content-type", b"application/xml")

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_CHECKSUM_HEADERS = {algorithm: f"x-amz-checksum-{algorithm.value.lower()}".encode() for algorithm in ChecksumAlgorithm}
_CHECKSUM_TYPE_HEADERS: dict[ChecksumType, Header] = {
    kind: (b"x-amz-checksum-type", kind.value.encode()) for kind in ChecksumType
}


@lru_cache(maxsize=1024)
def header_value(text: str) -> bytes:
    """``text`` as it goes out: the bytes that came in, or UTF-8 where it has more than latin-1; controls become spaces.

    Source: RFC 9110 section 5.5.
    """
    if _CONTROL.search(text) is not None:
        text = _CONTROL.sub(" ", text)
    try:
        return text.encode("latin-1").strip()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").strip()


def etag_header(etag: str) -> Header:
    """The ETag header, quoted."""
    return (b"etag", b'"' + header_value(etag) + b'"')


def checksum_header(checksum: Checksum) -> Header:
    """The x-amz-checksum-* header."""
    return (_CHECKSUM_HEADERS[checksum.algorithm], header_value(checksum.value))


def checksum_headers(checksum: Checksum | None) -> list[Header]:
    """The checksum with its type; nothing without one."""
    return [] if checksum is None else [checksum_header(checksum), _CHECKSUM_TYPE_HEADERS[checksum.type]]


def checksum_type_header(kind: ChecksumType) -> Header:
    """The x-amz-checksum-type header."""
    return _CHECKSUM_TYPE_HEADERS[kind]


def etag_element(etag: str) -> str:
    """The ETag element, quoted."""
    return f"<ETag>&quot;{xml.escape(etag)}&quot;</ETag>"


def checksum_elements(checksum: Checksum | None) -> str:
    """The checksum with its type; nothing without one."""
    if checksum is None:
        return ""
    return checksum_element(checksum) + f"<ChecksumType>{checksum.type.value}</ChecksumType>"


def checksum_element(checksum: Checksum | None) -> str:
    """The checksum alone; nothing without one."""
    return "" if checksum is None else xml.element(f"Checksum{checksum.algorithm.value}", checksum.value)


def owner_element(owner: Owner | None, name: str = "Owner") -> str:
    """A user; nothing where there is none."""
    if owner is None:
        return ""
    return f"<{name}>{xml.element('ID', owner.id)}{xml.element('DisplayName', owner.display_name)}</{name}>"


def xml_response(document: bytes, headers: list[Header] | None = None) -> Response:
    """A 200 with a document."""
    return Response(200, [CONTENT_TYPE_XML, *(headers or ())], document)
