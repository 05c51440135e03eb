"""What of an object version is where, and removing blocks, for the commands. All of it blocks: call it in threads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.cache.plan import Run, blocks_of
from s3proxy.cache.tier import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPresence:
    """What is missing of one block in each tier that has some of it; ranges count from the start of the block."""

    block_id: BlockId
    missing: dict[str, list[Run]]

    @property
    def held(self) -> dict[str, int]:
        """Tier -> bytes of the block there; only those that have some file of it."""
        return {
            tier: self.block_id.length - sum(stop - start for start, stop in runs)
            for tier, runs in self.missing.items()
        }

    @property
    def missing_everywhere(self) -> list[Run]:
        """What no tier has."""
        missing = [(0, self.block_id.length)]
        for others in self.missing.values():
            missing = [(max(a, c), min(b, d)) for a, b in missing for c, d in others if max(a, c) < min(b, d)]
        return missing


def presence(tiers: Sequence[Tier], geometry: Geometry, version: ObjectVersion, span: Run) -> Iterator[BlockPresence]:
    """Look for the blocks of a span, in order.

    Raises:
        CacheIOError: a tier cannot be read.
    """
    for index, _, _ in blocks_of(geometry.block_size, *span):
        block_id = BlockId(version, index, geometry)
        missing = {}
        for tier in tiers:
            block = tier.find(block_id)
            if block is not None:
                missing[tier.name] = block.missing(0, block.length)
                block.release()
        yield BlockPresence(block_id=block_id, missing=missing)


def missing_in(tiers: Sequence[Tier], geometry: Geometry, version: ObjectVersion, span: Run) -> list[Run]:
    """What no tier has of a span, in ranges of the object that do not touch.

    Raises:
        CacheIOError: a tier cannot be read.
    """
    runs: list[Run] = []
    for found in presence(tiers, geometry, version, span):
        base = found.block_id.start
        for start, stop in found.missing_everywhere:
            begin, end = max(base + start, span[0]), min(base + stop, span[1])
            if begin >= end:
                continue
            if runs and runs[-1][1] == begin:
                begin = runs.pop()[0]
            runs.append((begin, end))
    return runs


def remove_blocks(tiers: Sequence[Tier], matches: Callable[[BlockId], bool]) -> list[str]:
    """Remove the blocks that match from every tier, and return their names.

    Raises:
        CacheIOError: a tier cannot be read or written.
    """
    names = []
    for tier in tiers:
        for entry in tier.scan():
            block_id = tier.identify(entry.name)
            if block_id is not None and matches(block_id) and tier.remove(entry.name):
                names.append(entry.name)
    return names
