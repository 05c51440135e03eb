"""ListObjectsV2 of a store: how a page is asked for, and what its answer is worth.

The answer of a store that is wrong must not send whoever lists in circles, nor show what was not asked for: keys come
in byte order, each after the last, all with the prefix.
"""

from collections.abc import Sequence
from itertools import chain, pairwise

from s3proxy.s3 import xml
from s3proxy.s3.client import answers
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import StoreRequest, query
from s3proxy.s3.listing import MAX_LISTED
from s3proxy.s3.model import Bucket, ChecksumAlgorithm, ChecksumType, ETag, Key, ListedObject, ListPage, ListQuery

_ALGORITHMS = {algorithm.value: algorithm for algorithm in ChecksumAlgorithm}
_TYPES = {kind.value: kind for kind in ChecksumType}


def list_objects(bucket: Bucket, asked: ListQuery, token: str | None = None) -> StoreRequest:
    """GET ?list-type=2 for one page.

    Args:
        bucket: the bucket.
        asked: which page.
        token: the store's own, to go on where it stopped short of a first entry.

    Source: S3 API ListObjectsV2.
    """
    # S3 skips the keys up to start-after, not what a common prefix stands for: that prefix may come once more.
    most = min(asked.max_keys + 1, MAX_LISTED) if asked.after_is_prefix and asked.max_keys else asked.max_keys
    texts = {"prefix": asked.prefix, "delimiter": asked.delimiter, "start_after": asked.after}
    if token is not None:
        texts |= {"start_after": "", "continuation_token": token}
    parameters = {name: text for name, text in texts.items() if text}
    parameters |= {"list_type": "2", "encoding_type": "url", "max_keys": str(most)}
    return StoreRequest(method=b"GET", bucket=bucket, query=query(**parameters))


def parse_listing(asked: ListQuery, body: bytes) -> tuple[ListPage, str | None]:
    """One page, as it was asked for with ``list_objects``.

    Returns:
        The page; and the token to go on with where it has no entry although there may be more.

    Raises:
        MalformedAnswerError: it is no page, or has entries that were not asked for.
    """
    root = answers.parse_document(body, "ListBucketResult")
    texts = answers.texts(root)
    encoding = texts.get("EncodingType", "")
    objects = [_parsed(element, encoding) for element in answers.children(root, "Contents")]
    prefixes = [
        answers.decoded(answers.required(answers.texts(element), "Prefix"), encoding)
        for element in answers.children(root, "CommonPrefixes")
    ]
    _check(asked, [listed.key for listed in objects], prefixes)
    is_truncated = answers.parse_boolean(texts.get("IsTruncated", "false"))
    if asked.after_is_prefix:
        objects = [listed for listed in objects if not listed.key.startswith(asked.after)]
        prefixes = [prefix for prefix in prefixes if not prefix.startswith(asked.after)]
    if is_truncated and asked.max_keys and not objects and not prefixes:
        return _page(asked, (), (), is_truncated=False), answers.required(texts, "NextContinuationToken")
    return _page(asked, objects, prefixes, is_truncated=is_truncated), None


def _check(asked: ListQuery, keys: Sequence[str], prefixes: Sequence[str]) -> None:
    # Python compares by code point, which is the order of the UTF-8 bytes.
    in_order = all(one < other for one, other in chain(pairwise((asked.after, *keys)), pairwise(prefixes)))
    is_within = all(name.startswith(asked.prefix) for name in chain(keys, prefixes))
    is_grouped = not prefixes or (
        bool(asked.delimiter) and all(prefix.endswith(asked.delimiter) for prefix in prefixes)
    )
    is_ahead = not prefixes or prefixes[0] >= asked.after or asked.after.startswith(prefixes[0])
    if not (in_order and is_within and is_grouped and is_ahead) or len(keys) + len(prefixes) > MAX_LISTED:
        raise MalformedAnswerError("the listing has entries that were not asked for")


def _page(
    asked: ListQuery, objects: Sequence[ListedObject], prefixes: Sequence[str], *, is_truncated: bool
) -> ListPage:
    """At most ``max_keys`` of these, in their common order."""
    names = sorted(chain((listed.key for listed in objects), prefixes))[: asked.max_keys]
    if len(names) < len(objects) + len(prefixes):
        is_truncated = True
        kept = set(names)
        objects = [listed for listed in objects if listed.key in kept]
        prefixes = [prefix for prefix in prefixes if prefix in kept]
    last = names[-1] if names else ""
    return ListPage(
        objects=tuple(objects),
        common_prefixes=tuple(prefixes),
        is_truncated=is_truncated and bool(names),
        next_after=last if is_truncated else "",
        next_is_prefix=is_truncated and bool(prefixes) and last == prefixes[-1],
    )


def _parsed(element: xml.Element, encoding: str) -> ListedObject:
    texts = answers.texts(element)
    return ListedObject(
        key=Key(answers.decoded(answers.required(texts, "Key"), encoding)),
        size=answers.parse_number(answers.required(texts, "Size")),
        etag=ETag(answers.parse_etag(texts.get("ETag", ""))),
        last_modified_ns=answers.parse_time_ns(answers.required(texts, "LastModified")),
        storage_class=texts.get("StorageClass") or "STANDARD",
        checksum_algorithm=_ALGORITHMS.get(texts.get("ChecksumAlgorithm", "")),
        checksum_type=_TYPES.get(texts.get("ChecksumType", "")),
    )
