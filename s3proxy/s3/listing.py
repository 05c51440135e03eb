"""Pages of listings: the tokens that continue them, and what each operation asks of the store.

A continuation token says where its page ended and carries a digest of that, so a token that we did not make is found
out. It is no secret: whoever makes one can only ask to start elsewhere in a listing that they may read anyway.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import BucketInfo, ListBuckets, ListObjects, ListObjectsV2, ListObjectVersions, ListQuery

MAX_LISTED = 1000
"""The most entries of one page, whatever max-keys says."""

_DIGEST_SIZE = 6
_AFTER_KEY = b"k"
_AFTER_PREFIX = b"p"


def encode_token(after: str, *, is_prefix: bool = False) -> str:
    """The token that continues a listing after a key, or after all keys of a common prefix."""
    place = (_AFTER_PREFIX if is_prefix else _AFTER_KEY) + after.encode()
    return urlsafe_b64encode(_digest(place) + place).decode()


def decode_token(token: str) -> tuple[str, bool]:
    """What ``encode_token`` was given.

    Raises:
        S3Error: INVALID_ARGUMENT when it did not make this token.
    """
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
        place = raw[_DIGEST_SIZE:]
        after, is_prefix = place[1:].decode(), place[:1] == _AFTER_PREFIX
    except ValueError:
        raise _incorrect_token() from None
    # Comparing the texts, not the digests, also refuses other spellings of the same base64.
    if encode_token(after, is_prefix=is_prefix) != token:
        raise _incorrect_token()
    return after, is_prefix


def _digest(place: bytes) -> bytes:
    return blake2b(place, digest_size=_DIGEST_SIZE, person=b"s3proxy-list").digest()


def _incorrect_token() -> S3Error:
    return S3Error(
        ErrorCode.INVALID_ARGUMENT,
        "The continuation token provided is incorrect",
        {"ArgumentName": "continuation-token"},
    )


def list_query(operation: ListObjects | ListObjectsV2 | ListObjectVersions) -> ListQuery:
    """The page that a listing operation asks for.

    Raises:
        S3Error: INVALID_ARGUMENT for a continuation token that is not ours.
    """
    if isinstance(operation, ListObjectsV2):
        # An empty token is as good as none: SDKs send what their caller gave them.
        token = operation.continuation_token
        after, is_prefix = decode_token(token) if token else (operation.start_after, False)
    else:
        after = operation.marker if isinstance(operation, ListObjects) else operation.key_marker
        is_prefix = _is_common_prefix(after, operation.prefix, operation.delimiter)
    return ListQuery(
        prefix=operation.prefix,
        delimiter=operation.delimiter,
        after=after,
        after_is_prefix=is_prefix,
        max_keys=min(operation.max_keys, MAX_LISTED),
    )


def _is_common_prefix(marker: str, prefix: str, delimiter: str) -> bool:
    """Whether a page may have ended with ``marker`` as a common prefix, so that its keys are not to come again."""
    if not delimiter or not marker.startswith(prefix):
        return False
    return marker.find(delimiter, len(prefix)) + len(delimiter) == len(marker) >= len(prefix) + len(delimiter)


def page_of_buckets(operation: ListBuckets, buckets: Sequence[BucketInfo]) -> tuple[list[BucketInfo], str | None]:
    """One page of ``buckets``, which are all of the caller's in byte order, and the token of the next page.

    Raises:
        S3Error: INVALID_ARGUMENT for a continuation token that is not ours.
    """
    after = decode_token(operation.continuation_token)[0] if operation.continuation_token else ""
    found = [bucket for bucket in buckets if bucket.name > after and bucket.name.startswith(operation.prefix)]
    page = found[: operation.max_buckets]
    return page, encode_token(page[-1].name) if page and len(found) > len(page) else None
