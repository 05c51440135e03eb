"""From the bucket that a client names to the store, the bucket and the prefix behind it; all decisions, no waiting."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeVar

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import ObjectStore, StoreUnavailableError

MAX_KEY_BYTES = 1024
"""Amazon S3 User Guide, "Naming Amazon S3 objects"."""

_MOST_REMEMBERED = 4096
"""Routes; clients may ask for any bucket."""

_KeyOperation = TypeVar(
    "_KeyOperation",
    model.GetObject,
    model.HeadObject,
    model.GetObjectAttributes,
    model.PutObject,
    model.DeleteObject,
    model.CopyObject,
    model.GetObjectTagging,
    model.PutObjectTagging,
    model.CreateMultipartUpload,
    model.UploadPart,
    model.UploadPartCopy,
    model.CompleteMultipartUpload,
    model.AbortMultipartUpload,
    model.ListParts,
    model.CopySource,
)


@dataclass(frozen=True, slots=True)
class Outage:
    """In the place of a store that could not be opened; the reason is told to the log whenever its buckets are used."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Buckets, and where they are."""

    bucket: str
    """A name, or a pattern in which ``*`` is any text."""
    store: ObjectStore | Outage
    store_name: str
    """Mounts of the same name lead to the same under-store, whatever is in front of it."""
    target_bucket: str = ""
    """Empty for the same name; always so for a pattern."""
    prefix: str = ""
    """Of the keys in the store."""
    is_read_only: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether it means any number of buckets."""
        return "*" in self.bucket

    def opened(self) -> ObjectStore:
        """The store.

        Raises:
            StoreUnavailableError: it could not be opened.
        """
        if isinstance(self.store, Outage):
            raise StoreUnavailableError(f"{self.store_name}: {self.store.reason}")
        return self.store


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to one bucket. As a context, it lets errors tell the names that clients know, and not those behind."""

    mount: Mount
    store: ObjectStore
    name: model.Bucket
    """What clients call it."""
    target: model.Bucket
    prefix: str
    is_plain: bool
    """Names and keys are the same on both sides."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, S3Error) and not self.is_plain:
            self._rename(error.detail)

    def of(self, operation: _KeyOperation) -> _KeyOperation:
        """The operation, or the source of a copy, in the names of the store.

        Raises:
            S3Error: KEY_TOO_LONG_ERROR when the key is one only without the prefix.
        """
        if self.is_plain:
            return operation
        return replace(operation, bucket=self.target, key=self.inside(operation.key))

    def inside(self, key: str) -> model.Key:
        """A key in the store; raises like ``of``."""
        found = self.prefix + key
        if self.prefix and len(found.encode()) > MAX_KEY_BYTES:
            raise S3Error(ErrorCode.KEY_TOO_LONG_ERROR)
        return model.Key(found)

    def outside(self, text: str) -> str:
        """A key, or what keys start with, as clients call it."""
        return text.removeprefix(self.prefix)

    def _rename(self, detail: dict[str, str]) -> None:
        if detail.get("BucketName") == self.target:
            detail["BucketName"] = self.name
        if "Key" in detail:
            detail["Key"] = self.outside(detail["Key"])


class Routes:
    """All mounts, and the routes that were asked for.

    Args:
        mounts: the first one that fits a bucket counts, but exact names before patterns.
        default: has all other buckets.
    """

    def __init__(self, mounts: Sequence[Mount], default: Mount) -> None:
        self.exact = {mount.bucket: mount for mount in reversed(mounts) if not mount.is_pattern}
        self.patterns = [mount for mount in mounts if mount.is_pattern] + [replace(default, bucket="*")]
        self._matchers = [(_matcher(mount.bucket), mount) for mount in self.patterns]
        self._remembered: dict[str, Route] = {}

    def to(self, bucket: model.Bucket) -> Route:
        """The route to a bucket; one lookup for those that were asked for before.

        Raises:
            StoreUnavailableError: its store could not be opened.
        """
        route = self._remembered.get(bucket)
        return self._find(bucket) if route is None else route

    def mount_of(self, bucket: str) -> Mount:
        """The mount that a bucket is of."""
        exact = self.exact.get(bucket)
        if exact is not None:
            return exact
        return next(mount for is_match, mount in self._matchers if is_match(bucket))

    def _find(self, bucket: model.Bucket) -> Route:
        mount = self.mount_of(bucket)
        target = model.Bucket(mount.target_bucket or bucket)
        route = Route(
            mount=mount,
            store=mount.opened(),
            name=bucket,
            target=target,
            prefix=mount.prefix,
            is_plain=target == bucket and not mount.prefix,
        )
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[bucket] = route
        return route


def _matcher(pattern: str) -> Callable[[str], object]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL).fullmatch
