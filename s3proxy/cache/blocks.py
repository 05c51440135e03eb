"""The names of what is cached, and the sizes it is cut into; pure.

A *block* is an aligned piece of one object version, a *unit* the granule in which a block is filled. The name of a
block is a hash of everything that tells its bytes: what has changed at the store has another name, so no stale block
can be addressed.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final, NamedTuple

PAGE_BYTES: Final = 4096
"""Of memory and of file systems; headers and units are multiples of it."""

_MAX_BLOCK_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Into what sizes objects are cut.

    Attributes:
        block_size: bytes of a block, a multiple of ``unit_size``.
        unit_size: bytes of a unit, a multiple of a page.
    """

    block_size: int = 4 << 20
    unit_size: int = 64 << 10

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: a size that is no such multiple, or a block over 1 GiB.
        """
        if self.unit_size <= 0 or self.unit_size % PAGE_BYTES:
            raise ValueError(f"unit_size {self.unit_size} is no multiple of {PAGE_BYTES}")
        if not 0 < self.block_size <= _MAX_BLOCK_BYTES or self.block_size % self.unit_size:
            raise ValueError(f"block_size {self.block_size} is no multiple of unit_size {self.unit_size} up to 1 GiB")

    def unit_count(self, length: int) -> int:
        """How many units ``length`` bytes of a block take, the last one cut."""
        return -(-length // self.unit_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One state of an object: its bytes never change.

    Attributes:
        store: which under-store.
        bucket: as the store calls it, and so on.
        key: of the object.
        token: the validator that the store gave, ETag and Last-Modified as text.
        size: bytes of the object.
        digest: 32 hexadecimal digits that stand for all of these.
    """

    store: str
    bucket: str
    key: str
    token: str
    size: int
    digest: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compute the digest."""
        digest = hashlib.blake2b(self.as_json().encode(), digest_size=16).hexdigest()
        object.__setattr__(self, "digest", digest)

    def as_json(self) -> str:
        """All that makes the version, in ASCII; two versions have the same only if they are the same."""
        return json.dumps([self.store, self.bucket, self.key, self.token, self.size], separators=(",", ":"))


class BlockId(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """One block of a version: the ``number``-th, counted from 0."""

    version: ObjectVersion
    number: int
    geometry: Geometry

    @property
    def name(self) -> str:
        """Of its file in every tier."""
        return f"{self.version.digest}.{self.number:x}"

    @property
    def start(self) -> int:
        """Where it begins in the object."""
        return self.number * self.geometry.block_size

    @property
    def stop(self) -> int:
        """Where it ends in the object."""
        return min((self.number + 1) * self.geometry.block_size, self.version.size)

    @property
    def length(self) -> int:
        """Bytes of it: the block size, less for the last one."""
        return self.stop - self.start
