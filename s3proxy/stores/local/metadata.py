"""What is stored beside an object's bytes, and its encoding.

A record is one JSON array in ASCII:

    [1, size, mtime_ns, etag, {extras}]

1 is the version of the encoding. A record counts only for a file of exactly that size and mtime_ns: otherwise a
file-system program changed the file after the record was written. Extras have one-letter names and are left out when
they have their default; a plain record has about 110 bytes, which ``getxattr`` reads in one system call. An abridged
record ends with a random text and ``"more"``: it tells what a listing shows, and the whole one is kept elsewhere
(records.py).
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from s3proxy.s3.model import (
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    Key,
    ListedObject,
    ObjectInfo,
    ObjectMetadata,
    Part,
    Tags,
)

_VERSION = 1
_MORE = b',"more"]'  # inside strings JSON escapes the quotes, so nothing a client stores can end a record so

_HEADERS = {
    "t": "content_type",
    "e": "content_encoding",
    "l": "content_language",
    "d": "content_disposition",
    "c": "cache_control",
    "x": "expires",
    "w": "website_redirect_location",
}
# Anyone who may write the file can write its attributes: what could break out of a header line makes a record invalid.
_find_unsafe = re.compile(r"[\r\n\0]").search

_encode_json = json.JSONEncoder(separators=(",", ":")).encode
_DEFAULT_METADATA = ObjectMetadata()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that is known of an object or a part apart from its bytes."""

    info: ObjectInfo
    tags: Tags = field(default_factory=dict)
    upload_id: str = ""
    """The multipart upload that it was completed from, so that a retry of Complete is recognised."""


def encode(record: Record) -> bytes:
    """Encode a whole record; ``decode`` is the inverse."""
    return _encode(record.info, _summary_of(record.info) | _rest_of(record))


def encode_abridged(record: Record) -> bytes:
    """Encode what a listing shows of a record, in at most about 250 bytes.

    No two are equal, because ext4 does not touch the ctime when an attribute is set to what it was.
    """
    return _encode(record.info, _summary_of(record.info), secrets.token_hex(4), "more")


def is_abridged(data: bytes) -> bool:
    """Whether the whole record has to be looked up elsewhere."""
    return data.endswith(_MORE)


def decode(data: bytes, size: int, mtime_ns: int) -> Record | None:
    """Decode the record of a file.

    Args:
        data: what ``encode`` gave, or anything at all: a file-system program can write it.
        size: the file's size now.
        mtime_ns: the file's time of modification now.

    Returns:
        The record, or None when it is not valid for this file.
    """
    try:
        version, its_size, its_mtime_ns, etag, extras = json.loads(data.decode("ascii"))
        if version != _VERSION or its_size != size or its_mtime_ns != mtime_ns:
            return None
        tags = _texts(extras["g"]) if "g" in extras else {}
        info = ObjectInfo(
            size=size,
            etag=ETag(_safe(etag)),
            last_modified_ns=mtime_ns,
            metadata=_metadata_of(extras),
            checksum=_checksum_of(extras["k"]) if "k" in extras else None,
            tag_count=len(tags),
            storage_class=_safe(extras["s"]) if "s" in extras else "STANDARD",
            parts=tuple(map(_part_of, extras["p"])) if "p" in extras else (),
            acl=CannedAcl(extras["a"]) if "a" in extras else CannedAcl.PRIVATE,
        )
        return Record(info=info, tags=tags, upload_id=extras.get("i", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def decode_listed(data: bytes, key: Key, size: int, mtime_ns: int) -> ListedObject | None:
    """Decode only what a listing shows; like ``decode``, and also for abridged records."""
    try:
        version, its_size, its_mtime_ns, etag, extras, *_ = json.loads(data.decode("ascii"))
        if version != _VERSION or its_size != size or its_mtime_ns != mtime_ns:
            return None
        checksum = _checksum_of(extras["k"]) if "k" in extras else None
        return ListedObject(
            key=key,
            size=size,
            etag=ETag(_safe(etag)),
            last_modified_ns=mtime_ns,
            storage_class=_safe(extras["s"]) if "s" in extras else "STANDARD",
            checksum_algorithm=checksum.algorithm if checksum else None,
            checksum_type=checksum.type if checksum else None,
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def unrecorded(stat: os.stat_result) -> Record:
    """The record of a file that a file-system program wrote: private, without metadata, its ETag changing with it.

    The ETag contains dashes, so nobody takes it for the MD5 of the content.
    """
    return Record(
        info=ObjectInfo(
            size=stat.st_size,
            etag=_unrecorded_etag(stat),
            last_modified_ns=stat.st_mtime_ns,
            metadata=_DEFAULT_METADATA,
        )
    )


def unrecorded_listed(key: Key, stat: os.stat_result) -> ListedObject:
    """How a listing shows a file that a file-system program wrote."""
    return ListedObject(key=key, size=stat.st_size, etag=_unrecorded_etag(stat), last_modified_ns=stat.st_mtime_ns)


def _unrecorded_etag(stat: os.stat_result) -> ETag:
    return ETag(f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}")


def _encode(info: ObjectInfo, extras: dict[str, object], *more: str) -> bytes:
    return _encode_json([_VERSION, info.size, info.last_modified_ns, info.etag, extras, *more]).encode("ascii")


def _summary_of(info: ObjectInfo) -> dict[str, object]:
    extras: dict[str, object] = {}
    if info.checksum is not None:
        extras["k"] = _checksum_to(info.checksum)
    if info.storage_class != "STANDARD":
        extras["s"] = info.storage_class
    return extras


def _rest_of(record: Record) -> dict[str, object]:
    metadata = record.info.metadata
    extras: dict[str, object] = {}
    for letter, name in _HEADERS.items():
        value = getattr(metadata, name)
        if value is not None:
            extras[letter] = value
    if metadata.user:
        extras["u"] = dict(metadata.user)
    if record.tags:
        extras["g"] = dict(record.tags)
    if record.info.parts:
        extras["p"] = [_part_to(part) for part in record.info.parts]
    if record.info.acl is not CannedAcl.PRIVATE:
        extras["a"] = record.info.acl.value
    if record.upload_id:
        extras["i"] = record.upload_id
    return extras


def _metadata_of(extras: Mapping[str, Any]) -> ObjectMetadata:
    headers = {name: _safe(extras[letter]) for letter, name in _HEADERS.items() if letter in extras}
    user = _texts(extras["u"]) if "u" in extras else {}
    for name, value in user.items():
        _safe(name)
        _safe(value)
    return ObjectMetadata(**headers, user=user)


def _checksum_to(checksum: Checksum) -> list[str]:
    kept = [checksum.algorithm.value, checksum.value]
    return [*kept, checksum.type.value] if checksum.type is not ChecksumType.FULL_OBJECT else kept


def _checksum_of(kept: list[str]) -> Checksum:
    algorithm, value, *kind = kept
    return Checksum(ChecksumAlgorithm(algorithm), _safe(value), *map(ChecksumType, kind))


def _part_to(part: Part) -> list[object]:
    kept = [part.number, part.size, part.etag, part.last_modified_ns]
    return [*kept, _checksum_to(part.checksum)] if part.checksum is not None else kept


def _part_of(kept: list[Any]) -> Part:
    number, size, etag, last_modified_ns, *checksum = kept
    return Part(
        number=int(number),
        size=int(size),
        etag=ETag(_safe(etag)),
        last_modified_ns=int(last_modified_ns),
        checksum=_checksum_of(checksum[0]) if checksum else None,
    )


def _safe(text: str) -> str:
    if _find_unsafe(text):
        raise ValueError(text)
    return text


def _texts(values: dict[str, str]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in values.values()):
        raise TypeError(values)
    return values
