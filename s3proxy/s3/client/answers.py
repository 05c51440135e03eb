"""What every answer of a store is read with: documents within limits, texts, numbers, times."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

from s3proxy.http1.messages import Header
from s3proxy.s3 import xml
from s3proxy.s3.dates import NANOSECONDS, parse_http_date, parse_timestamp
from s3proxy.s3.errors import S3Error

MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
"""1,000 keys of 1,024 bytes, each percent-encoded to three times that, and as much as that again."""

_MAX_ELEMENTS = 32 * 1024  # 1,000 entries of a listing have 16 at most

# A key may have characters that no XML has, and stores write them as references all the same. Where keys count, in
# listings, they come percent-encoded; elsewhere they need not be read.
_UNTEXT = re.compile(rb"&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[eEfF])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));")

Fields = Mapping[bytes, bytes]


class MalformedAnswerError(Exception):
    """The store answered what is no answer to the question."""


def parse_document(body: bytes, root: str, alias: str | None = None) -> xml.Element:
    """Parse the document of an answer whose root must be ``root``, or as some stores call it, ``alias``.

    White space before the declaration is what keeps a connection alive while a store works.

    Raises:
        MalformedAnswerError: it is no such document, or exceeds a limit, or has a DOCTYPE.
    """
    try:
        return xml.parse(
            _UNTEXT.sub(b"&#xFFFD;", body.lstrip()), root, max_bytes=MAX_DOCUMENT_BYTES, max_elements=_MAX_ELEMENTS
        )
    except S3Error:
        if alias is not None:
            return parse_document(body, alias)
        raise MalformedAnswerError(f"the answer is no {root} document") from None


@lru_cache(maxsize=256)
def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def children(element: xml.Element, name: str) -> list[xml.Element]:
    """The children of ``element`` that are called ``name``."""
    return [child for child in element if _local_name(str(child.tag)) == name]


def texts(element: xml.Element) -> dict[str, str]:
    """The text of each child by name; of a name that comes again, the first, for stores repeat what may repeat."""
    found: dict[str, str] = {}
    for child in element:
        found.setdefault(_local_name(str(child.tag)), child.text or "")
    return found


def required(found: Mapping[str, str], name: str) -> str:
    """The text that an answer must have.

    Raises:
        MalformedAnswerError: it is missing.
    """
    text = found.get(name)
    if text is None:
        raise MalformedAnswerError(f"the answer has no {name}")
    return text


def decoded(text: str, encoding_type: str) -> str:
    """A key as a listing has it, with ``encoding-type=url`` or without.

    Raises:
        MalformedAnswerError: the escapes are not UTF-8.
    """
    if encoding_type != "url":
        return text
    try:
        # Amazon writes a space as "+", Ceph as "%20"; both escape a plus that is meant.
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise MalformedAnswerError("a key in the answer is not UTF-8") from None


def parse_number(text: str | bytes) -> int:
    """A number of bytes or of anything else, not negative.

    Raises:
        MalformedAnswerError: it is none.
    """
    if not text.isdigit() or not text.isascii() or len(text) > 19:
        raise MalformedAnswerError(f"not a number: {text[:40]!r}")
    return int(text)


def parse_boolean(text: str) -> bool:
    """What ``true`` and ``false`` say.

    Raises:
        MalformedAnswerError: it is neither.
    """
    if text not in {"true", "false"}:
        raise MalformedAnswerError(f"neither true nor false: {text[:40]!r}")
    return text == "true"


@lru_cache(maxsize=4096)
def parse_time_ns(text: str) -> int:
    """A time of a document, in whole seconds like that of a header: the two must not differ for one object.

    Raises:
        MalformedAnswerError: it is none.
    """
    seconds = parse_timestamp(text)
    if seconds is None:
        raise MalformedAnswerError(f"not a time: {text[:40]!r}")
    return seconds * NANOSECONDS


@lru_cache(maxsize=4096)
def parse_date_ns(value: bytes) -> int:
    """A Last-Modified.

    Raises:
        MalformedAnswerError: it is none.
    """
    seconds = parse_http_date(value.decode("latin-1"))
    if seconds is None:
        raise MalformedAnswerError(f"not a date: {value[:40]!r}")
    return seconds * NANOSECONDS


def parse_etag(text: str) -> str:
    """An ETag without its quotes; empty for a weak one, which names no bytes."""
    return "" if text.startswith("W/") else text.strip('"')


def fields_of(headers: Iterable[Header]) -> Fields:
    """Headers by name; of one that comes again, the first, as ``Request.header`` has it."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found.setdefault(name, value)
    return found
