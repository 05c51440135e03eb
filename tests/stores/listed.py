"""Pages of listings from everything that a bucket holds, as the plainest code that can be."""

from collections.abc import Mapping

from s3proxy.s3.model import Key, ListedObject, ListPage, ListQuery, ObjectInfo


def page_of_objects(objects: Mapping[str, ObjectInfo], query: ListQuery) -> ListPage:
    entries: dict[str, ListedObject | None] = {}  # None for a common prefix
    for key in sorted(objects, key=str.encode):
        if not key.startswith(query.prefix) or not _is_after(key, query):
            continue
        prefix = _common_prefix(key, query)
        if prefix is None:
            entries[key] = _listed(key, objects[key])
        elif prefix > query.after or query.after.startswith(prefix):
            entries[prefix] = None
    names = list(entries)[: query.max_keys]
    is_truncated = 0 < query.max_keys < len(entries)
    return ListPage(
        objects=tuple(listed for name in names if (listed := entries[name]) is not None),
        common_prefixes=tuple(name for name in names if entries[name] is None),
        is_truncated=is_truncated,
        next_after=names[-1] if is_truncated else "",
        next_is_prefix=is_truncated and entries[names[-1]] is None,
    )


def _is_after(key: str, query: ListQuery) -> bool:
    if query.after_is_prefix and key.startswith(query.after):
        return False
    return key.encode() > query.after.encode()


def _common_prefix(key: str, query: ListQuery) -> str | None:
    found = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
    return None if found < 0 else key[: found + len(query.delimiter)]


def _listed(key: str, info: ObjectInfo) -> ListedObject:
    return ListedObject(
        key=Key(key),
        size=info.size,
        etag=info.etag,
        last_modified_ns=info.last_modified_ns,
        storage_class=info.storage_class,
        checksum_algorithm=info.checksum.algorithm if info.checksum else None,
        checksum_type=info.checksum.type if info.checksum else None,
    )
