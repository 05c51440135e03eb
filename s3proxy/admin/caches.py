"""What the commands need of the caches of a node, in the names that clients use; a narrow view of all the rest."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from s3proxy.admin.messages import Counter, Pin, TierUsage
from s3proxy.s3 import model


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedBlock:
    """One block file of a tier."""

    tier: str
    name: str
    """The file's, which ``Caches`` finds it by."""
    bucket: str
    key: str
    index: int
    bytes: int
    """That it takes of the tier."""
    is_pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """How much of one object is cached."""

    present_bytes: int
    """In whichever tier, each byte once."""
    cached: Mapping[str, int] = field(default_factory=dict)
    """Tier -> bytes of the object there."""


class Caches(Protocol):
    """The caches of this node. Methods that are not async block: they are called in threads.

    What cannot be done raises ``CommandError`` with a sentence.
    """

    def tiers(self) -> Sequence[TierUsage]:
        """The tiers, fastest first."""
        ...

    def counters(self) -> Sequence[Counter]:
        """What all workers of the node counted."""
        ...

    def blocks(self, bucket: str | None, prefix: str) -> Generator[CachedBlock, None, None]:
        """The blocks of every version of the keys that start with ``prefix``, in no order; all without a bucket."""
        ...

    def drop(self, block: CachedBlock) -> None:
        """Remove a block; it may be gone already."""
        ...

    def verify(self, block: CachedBlock) -> bool:
        """Read a block and compare it with its checksums; a bad one is dropped. True for one that is gone."""
        ...

    def pins(self) -> Sequence[Pin]:
        """What is pinned."""
        ...

    def pin(self, pin: Pin) -> bool:
        """Keep these blocks from eviction, those to come too, also after a restart. False when it was so before."""
        ...

    def unpin(self, pin: Pin) -> bool:
        """Take back exactly this pin. False when there is none."""
        ...

    async def list_objects(self, bucket: str, prefix: str, after: str) -> model.ListPage:
        """One page of the keys that start with ``prefix`` and come after ``after``, from the store."""
        ...

    def presence(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[Presence]:
        """How much of each of these versions is cached, in the same order."""
        ...

    def missing(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[list[model.ByteRange]]:
        """What is not cached of each of these versions, in the same order, in spans that are fetched in one go."""
        ...

    async def fetch(self, bucket: str, listed: model.ListedObject, span: model.ByteRange) -> None:
        """Return when ``span``, one of what ``missing`` gave, is cached."""
        ...
