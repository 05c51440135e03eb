"""How much of an object version lies in the tiers, and in what spans to fetch the rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.s3.model import ByteRange

Run = tuple[int, int]


class BlockFile(Protocol):
    """A block as a tier has it."""

    def missing(self, start: int, stop: int) -> list[Run]:
        """What of ``[start, stop)`` of the block is not there, in order."""
        ...

    def release(self) -> None:
        """Let go of it."""
        ...


class BlockFiles(Protocol):
    """A tier, as far as it matters here."""

    @property
    def name(self) -> str:
        """As operators know it."""
        ...

    def find(self, block: BlockId) -> BlockFile | None:
        """The block, released by the caller."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """What of a version is where."""

    cached: dict[str, int]
    """Tier -> bytes there."""
    missing: list[Run]
    """What is in no tier: in order, apart from each other, in bytes of the object."""


def locate(version: ObjectVersion, geometry: Geometry, tiers: Sequence[BlockFiles]) -> Located:
    """Look for every block of ``version`` in every tier. Blocks: one look costs an open file."""
    cached = dict.fromkeys((tier.name for tier in tiers), 0)
    missing: list[Run] = []
    for index in range(-(-version.size // geometry.block_size)):
        block = BlockId(version, index, geometry)
        nowhere: list[Run] = [(0, block.length)]
        for tier in tiers:
            gaps = _gaps(tier, block)
            cached[tier.name] += block.length - sum(stop - start for start, stop in gaps)
            nowhere = list(_both(nowhere, gaps))
        missing += ((block.start + start, block.start + stop) for start, stop in nowhere)
    return Located(cached=cached, missing=list(_joined(missing)))


def fetch_spans(missing: Iterable[Run], block_size: int, max_bytes: int) -> list[ByteRange]:
    """Cut runs into spans of at most ``max_bytes``, or a block where that is more, at the borders of blocks."""
    step = max(max_bytes // block_size, 1) * block_size
    spans = []
    for start, stop in missing:
        borders = [start, *range((start // block_size) * block_size + step, stop, step), stop]
        spans += [ByteRange(here, there) for here, there in pairwise(borders)]
    return spans


def _gaps(tier: BlockFiles, block: BlockId) -> list[Run]:
    found = tier.find(block)
    if found is None:
        return [(0, block.length)]
    try:
        return found.missing(0, block.length)
    finally:
        found.release()


def _both(ones: Iterable[Run], others: Sequence[Run]) -> Iterator[Run]:
    for start, stop in ones:
        for first, last in others:
            if max(start, first) < min(stop, last):
                yield max(start, first), min(stop, last)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    before: Run | None = None
    for start, stop in runs:
        if before is not None and before[1] == start:
            before = (before[0], stop)
            continue
        if before is not None:
            yield before
        before = (start, stop)
    if before is not None:
        yield before
