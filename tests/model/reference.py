"""What a bucket is, in the simplest words: a dictionary, and the rules of S3's listings written out naively."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """One object. ``etag`` is None for what a file-system program wrote: then it has a dash, and is nobody's MD5."""

    body: bytes
    etag: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The parameters of one page of a listing; ``after`` is the marker, or whatever the dialect calls it."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    max_keys: int = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """One page: keys, common prefixes, and the last entry of either kind where more follows."""

    keys: list[str]
    prefixes: list[str]
    next_after: str | None


def listed(keys: list[str], query: Query, *, after_is_prefix: bool | None = None) -> Page:
    """The page that S3 answers for a bucket of ``keys``.

    Args:
        keys: in any order.
        query: what was asked for.
        after_is_prefix: whether ``query.after`` was a common prefix; None to find out as the first dialect must.
    """
    if after_is_prefix is None:
        after_is_prefix = _entry(query.after, query) == query.after != "" and _is_rolled_up(query.after, query)
    entries: list[str] = []
    for key in sorted(keys, key=str.encode):
        is_behind = key.encode() > query.after.encode() and not (after_is_prefix and key.startswith(query.after))
        if key.startswith(query.prefix) and is_behind and _entry(key, query) not in entries[-1:]:
            entries.append(_entry(key, query))
    shown = entries[: query.max_keys]
    return Page(
        [entry for entry in shown if not _is_rolled_up(entry, query)],
        [entry for entry in shown if _is_rolled_up(entry, query)],
        shown[-1] if shown and len(entries) > len(shown) else None,
    )


def _entry(key: str, query: Query) -> str:
    """What stands for ``key`` in the listing: itself, or the common prefix that it has with others."""
    if not query.delimiter or not key.startswith(query.prefix):
        return key
    end = key.find(query.delimiter, len(query.prefix))
    return key if end < 0 else key[: end + len(query.delimiter)]


def _is_rolled_up(entry: str, query: Query) -> bool:
    return bool(query.delimiter) and entry.startswith(query.prefix) and query.delimiter in entry[len(query.prefix) :]


class Bucket:
    """The objects of one bucket, as S3 and as the file system sees them.

    A file-system program that makes the file ``a`` where S3 keeps the object ``a`` elsewhere, because ``a`` was a
    directory when it was put, *hides* that object. Removing the file brings it back; writing through S3 removes both.
    """

    def __init__(self) -> None:
        self._objects: dict[str, Stored] = {}
        self._hidden: dict[str, Stored] = {}

    @property
    def keys(self) -> list[str]:
        """What a listing shows. A key that became too long by renaming a directory is none."""
        return [key for key in self._objects if len(key.encode()) <= MAX_KEY_BYTES]

    def get(self, key: str) -> Stored | None:
        return self._objects.get(key)

    # Through S3

    def put(self, key: str, stored: Stored) -> None:
        self._hidden.pop(key, None)
        self._objects[key] = stored

    def delete(self, key: str) -> None:
        self._hidden.pop(key, None)
        self._objects.pop(key, None)

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        self._objects[key] = replace(self._objects[key], tags=tags)

    # Through the file system

    def file_made(self, key: str, stored: Stored, *, was_file: bool) -> None:
        """The file of ``key`` was written, or another renamed to it."""
        if key in self._objects and not was_file:
            self._hidden[key] = self._objects[key]
        self._objects[key] = stored

    def file_gone(self, key: str) -> Stored:
        """The file of ``key`` was removed, or renamed to another."""
        stored = self._objects.pop(key)
        if key in self._hidden:
            self._objects[key] = self._hidden.pop(key)
        return stored

    def directory_renamed(self, old: str, new: str) -> None:
        """Everything below one directory is below another; both end with "/"."""
        for objects in (self._objects, self._hidden):
            for key in [key for key in objects if key.startswith(old)]:
                objects[new + key[len(old) :]] = objects.pop(key)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def multipart_etag(parts: list[bytes]) -> str:
    digests = b"".join([bytes.fromhex(md5(part)) for part in parts])
    return f"{md5(digests)}-{len(parts)}"
