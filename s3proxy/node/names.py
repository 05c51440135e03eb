"""The names of buckets and keys in the two directions: as clients say them, and as blocks in the cache have them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.pins import Pin
from s3proxy.s3.model import ListedObject
from s3proxy.stores.caching.metadata import token_of
from s3proxy.stores.routes import Mount, Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Keys that start with ``prefix`` in a bucket of a store, as the cache calls them."""

    store: str
    bucket: str
    prefix: str

    def holds(self, version: ObjectVersion) -> bool:
        """Whether a version is of these keys."""
        return version.store == self.store and version.bucket == self.bucket and version.key.startswith(self.prefix)


class Names:
    """Translates names.

    Args:
        routes: of the node.
        identity_of: a store's name in the configuration -> in the cache.
    """

    def __init__(self, routes: Routes, identity_of: Callable[[str], str]) -> None:
        self._routes = routes
        self._identity_of = identity_of

    def place_of(self, bucket: str, prefix: str) -> Place:
        """Where the keys are that clients call so."""
        mount = self._routes.mount_of(bucket)
        return Place(
            store=self._identity_of(mount.store_name),
            bucket=mount.target_bucket or bucket,
            prefix=mount.prefix + prefix,
        )

    def version_of(self, bucket: str, listed: ListedObject) -> ObjectVersion:
        """What the cache calls a version that clients list so."""
        place = self.place_of(bucket, listed.key)
        return ObjectVersion(
            store=place.store,
            bucket=place.bucket,
            key=place.prefix,
            token=token_of(listed.etag, listed.last_modified_ns),
            size=listed.size,
        )

    def of_version(self, version: ObjectVersion) -> tuple[str, str]:
        """What clients call the bucket and key of a version; its own names where nobody can reach it any more."""
        for mount in self._candidates(version.bucket):
            if self._identity_of(mount.store_name) == version.store and version.key.startswith(mount.prefix):
                return self._named(mount, version.bucket, version.key)
        return version.bucket, version.key

    def of_pin(self, pin: Pin) -> tuple[str, str] | None:
        """What clients call the keys of a pin; None where nobody can reach them, as with a store that was replaced."""
        for mount in self._candidates(pin.bucket):
            if self._identity_of(mount.store_name) == pin.store and pin.prefix.startswith(mount.prefix):
                return self._named(mount, pin.bucket, pin.prefix)
        return None

    def _candidates(self, bucket: str) -> Iterator[Mount]:
        """The mounts by which a bucket of a store may be seen, narrow ones first."""
        exact = [mount for mount in self._routes.exact.values() if (mount.target_bucket or mount.bucket) == bucket]
        yield from sorted(exact, key=lambda mount: -len(mount.prefix))
        mount = self._routes.mount_of(bucket)
        if mount.is_pattern:
            yield mount

    def _named(self, mount: Mount, bucket: str, key: str) -> tuple[str, str]:
        return bucket if mount.is_pattern else mount.bucket, key.removeprefix(mount.prefix)
