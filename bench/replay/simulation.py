"""Replaying reads against a policy: what a tier of some size would have had, block by block.

A read becomes an access to every block that it touches. What is missing is fetched as the server does it, by units or
as a whole block (``s3proxy.cache.plan``); what the server fetches ahead of a reader is left out, since it is read soon
anyway. A block weighs what of it is there, with its header, and the policy evicts blocks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bench.replay.policies import Lru, Policy
from bench.replay.trace import Read
from s3proxy.cache.block_file import TOUCH_SECONDS
from s3proxy.cache.blocks import PAGE_BYTES, Geometry
from s3proxy.cache.plan import ReadHistory, blocks_of, wanted

USE_SECONDS: Final = float(TOUCH_SECONDS)
"""Accesses to a block within so many seconds of its last use are one use, as in the server: a reader takes a block in
several pieces, which says nothing of whether it will be wanted again."""


class Access(NamedTuple):
    """A read's part in one block; the range is counted from the start of the block."""

    at: float
    block: int
    """The same for the same block of the same version of an object."""
    length: int
    """Of the block."""
    start: int
    stop: int
    is_sequential: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the accesses of a trace."""

    accesses: int
    hits: int
    """Accesses of which every byte was there."""
    asked_bytes: int
    hit_bytes: int
    fetched_bytes: int
    """From the store; more than was missing where whole units or blocks are fetched."""

    @property
    def hit_ratio(self) -> float:
        """Of accesses."""
        return self.hits / self.accesses

    @property
    def byte_hit_ratio(self) -> float:
        """Of bytes."""
        return self.hit_bytes / self.asked_bytes


def accesses_of(reads: Iterable[Read], geometry: Geometry) -> list[Access]:
    """Cut reads at the borders of blocks."""
    blocks: dict[tuple[str, ...], int] = {}
    history = ReadHistory(geometry.unit_size)
    accesses = []
    for read in reads:
        version = (read.bucket, read.key, read.etag, str(read.size))
        run = history.note("\0".join(version), read.start, read.stop)
        is_sequential = run.is_sequential(geometry.unit_size)
        for index, start, stop in blocks_of(geometry.block_size, read.start, read.stop):
            block = blocks.setdefault((*version, str(index)), len(blocks))
            length = min(geometry.block_size, read.size - index * geometry.block_size)
            accesses.append(Access(read.at, block, length, start, min(stop, length), is_sequential))
    return accesses


def footprint_of(accesses: Sequence[Access], geometry: Geometry) -> int:
    """What a tier holds at last that never evicts anything."""
    endless = Lru(1 << 62)
    Replay(endless, geometry).run(accesses)
    return endless.weight


class Replay:
    """One policy under one trace.

    Args:
        policy: new, with the capacity of the tier.
        geometry: of the blocks.
        use_seconds: see ``USE_SECONDS``.
    """

    def __init__(self, policy: Policy, geometry: Geometry, *, use_seconds: float = USE_SECONDS) -> None:
        self._policy = policy
        self._unit = geometry.unit_size
        self._use_seconds = use_seconds
        self._units: dict[int, int] = {}  # block -> a bit for each unit that is there, as long as it is kept
        self._used_at: dict[int, float] = {}

    def run(self, accesses: Iterable[Access]) -> Tally:
        """Replay all; once."""
        count = hits = asked = missing = fetched = 0
        for access in accesses:
            missing_bytes, fetched_bytes = self._take(access)
            count += 1
            hits += not missing_bytes
            asked += access.stop - access.start
            missing += missing_bytes
            fetched += fetched_bytes
        return Tally(accesses=count, hits=hits, asked_bytes=asked, hit_bytes=asked - missing, fetched_bytes=fetched)

    def _take(self, access: Access) -> tuple[int, int]:
        """How many bytes of an access are missing, and how many are fetched for it."""
        block = access.block
        there = self._units.get(block, 0) if block in self._policy else 0
        missing = self._bits(access.start, access.stop) & ~there
        after = there | self._fetched(access, there) if missing else there
        self._units[block] = after
        is_again = access.at - self._used_at.get(block, -self._use_seconds) < self._use_seconds
        if not is_again:
            self._used_at[block] = access.at
        weight = self._bytes(after, access.length)
        self._policy.access(block, PAGE_BYTES + weight, is_again=is_again)
        if not missing:
            return 0, 0
        return self._bytes_within(missing, access), weight - self._bytes(there, access.length)

    def _fetched(self, access: Access, there: int) -> int:
        present = self._bytes(there, access.length)
        _, _, length, start, stop, is_sequential = access
        run = wanted(length, self._unit, start, stop, present=present, is_sequential=is_sequential)
        return self._bits(*run)

    def _bits(self, start: int, stop: int) -> int:
        return (1 << -(-stop // self._unit)) - (1 << start // self._unit)

    def _bytes(self, units: int, length: int) -> int:
        """So many bytes units of a block of this length have: the last one may be cut."""
        last = (length - 1) // self._unit
        return units.bit_count() * self._unit - (units >> last & 1) * ((last + 1) * self._unit - length)

    def _bytes_within(self, units: int, access: Access) -> int:
        """So many bytes of units an access wants: the first and the last one may be cut."""
        first, last = access.start // self._unit, (access.stop - 1) // self._unit
        before = (units >> first & 1) * (access.start - first * self._unit)
        after = (units >> last & 1) * ((last + 1) * self._unit - access.stop)
        return units.bit_count() * self._unit - before - after
