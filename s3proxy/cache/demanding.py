"""Starting fills: which blocks are opened and claimed for the bytes that somebody needs.

Opening blocks may wait for a disk; after that everything up to the start of the fill is decided without waiting, so
that no two tasks of this process fetch the same bytes. Other processes are kept out by the claims.
"""

from dataclasses import dataclass
from typing import Final

import trio

from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId, ObjectVersion
from s3proxy.cache.counters import Counter
from s3proxy.cache.direct import DirectBody
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.filling import Fill, Piece
from s3proxy.cache.following import Followers
from s3proxy.cache.plan import Run, blocks_of, cut_to, fetch_bytes, halved, run_at, wanted
from s3proxy.cache.shelf import Shelf
from s3proxy.cache.source import Fetched, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Bytes of a version that are to be fetched."""

    version: ObjectVersion
    source: Source
    start: int
    stop: int
    is_sequential: bool = False
    is_kept: bool = False  # fetched to the end though nobody waits
    is_exact: bool = False  # not grown to more than these whole units
    most_bytes: int | None = None  # of one fetch; the fills' own bound if less is not said


class Fills:
    """The fills of this process, and how they begin.

    Args:
        shelf: where blocks are opened and made.
        nursery: where fills run.
        first_fetch_bytes: the longest range asked of a source for who begins to read, a multiple of the unit size.
        max_fetch_bytes: the same for who has read as much as that.
        busy_fills: with so many under way nothing is fetched without need. How many are fetched at once is the
            sources' to bound, in which reads past the cache and all other requests have their turns too.
    """

    def __init__(
        self, shelf: Shelf, *, nursery: trio.Nursery, first_fetch_bytes: int, max_fetch_bytes: int, busy_fills: int
    ) -> None:
        self.shelf: Final = shelf
        self._first_fetch_bytes = first_fetch_bytes
        self._max_fetch_bytes = max_fetch_bytes
        self._unit: Final = shelf.geometry.unit_size
        self._nursery = nursery
        self._busy_fills = busy_fills
        self._under_way = 0
        self._followers = Followers(nursery)
        self._fills: dict[str, list[Fill]] = {}

    def __str__(self) -> str:
        return f"{self._under_way} fills"

    @property
    def is_busy(self) -> bool:
        """Whether so many fills are under way that none should be begun without need."""
        return self._under_way >= self._busy_fills

    def fetch_bytes(self, read: int) -> int:
        """How much one fetch may take for who has read so many bytes without a gap."""
        return fetch_bytes(read, self._unit, first=self._first_fetch_bytes, most=self._max_fetch_bytes)

    def covering(self, version: ObjectVersion, offset: int) -> Fill | None:
        """The fill by which the byte at ``offset`` is to come."""
        for fill in self._fills.get(version.digest, ()):
            if fill.covers(offset):
                return fill
        return None

    async def obtain(self, demand: Demand) -> Fill | None:
        """The fill by which the first byte of ``demand`` is to come, begun now unless there is one.

        A new one fetches as many of the bytes as one fetch may take.

        Returns:
            The fill; None when the byte is there by now, or another process is fetching it.

        Raises:
            CacheIOError: no tier takes the block.
        """
        return self.covering(demand.version, demand.start) or await self._begin(demand)

    async def adopt(self, demand: Demand, fetched: Fetched) -> bool:
        """Fill from a body that is open already, as far as its bytes are missing and nobody else is fetching them.

        Args:
            demand: ``is_exact``, the range of the body, which begins and ends with a unit.
            fetched: taken over if so.

        Returns:
            Whether that was begun. If not, the caller still has the body.

        Raises:
            CacheIOError: no tier takes the block; the caller still has the body.
        """
        return await self._begin(demand, fetched) is not None

    async def reach(self, demand: Demand) -> tuple[int, Fill | None]:
        """See to it that the bytes of ``demand`` are there or on their way, from the first one on.

        Returns:
            Up to where they are for now, more than ``demand.start``, and the fill by which they come, if any.
        """
        block_id = self.shelf.block_at(demand.version, demand.start)
        start = block_id.start
        try:
            block = self.shelf.opened(block_id)
            if block is None:
                await self.shelf.look_for(self._blocks_of(demand))
                block = self.shelf.opened(block_id)
            if block is not None:
                until = start + block.present_until(demand.start - start, min(demand.stop, block_id.stop) - start)
                if until > demand.start:
                    return until, None
            fill = await self.obtain(demand)
        except CacheIOError:
            return demand.stop, None  # whoever needs them finds out
        return (block_id.stop, None) if fill is None else (fill.stop, fill)

    async def wait_for_others(self, block_id: BlockId, offset: int) -> None:
        """Wait for what another process fetches: until the byte at ``offset`` of the object may be there or claimed.

        Raises:
            CacheIOError: it does not come.
        """
        block = self.shelf.opened(block_id)
        if block is None:
            await trio.lowlevel.checkpoint()
            return
        await self._followers.wait(block, (offset - block_id.start) // self._unit * self._unit)

    async def fetch(self, source: Source, start: int, stop: int) -> DirectBody:
        """Fetch past the cache.

        Raises:
            Exception: what the source raises.
        """
        self.shelf.shared.add(Counter.DIRECT_READS)
        body = DirectBody(source, (start, stop), piece_bytes=self._max_fetch_bytes, shared=self.shelf.shared)
        await body.begin()
        return body

    # Beginning

    async def _begin(self, demand: Demand, fetched: Fetched | None = None) -> Fill | None:
        try:
            return await self._try_to_begin(demand, fetched)
        except TierFullError:
            block = self.shelf.opened(self.shelf.block_at(demand.version, demand.start))
            if block is None or not await self.shelf.make_room(block.tier, self.shelf.geometry.block_size):
                raise
            return await self._try_to_begin(demand, fetched)

    async def _try_to_begin(self, demand: Demand, fetched: Fetched | None) -> Fill | None:
        blocks = await self._open(demand)
        # From here to the start of the fill nothing waits, so no other task of this process can come between.
        try:
            fill = self.covering(demand.version, demand.start)
            if fill is not None:
                return fill if fetched is None else None
            pieces = self._claim(demand, blocks)
            return self._start(demand, pieces, fetched) if pieces else None
        finally:
            for _, block in blocks:
                block.release()

    async def _open(self, demand: Demand) -> list[tuple[BlockId, Block]]:
        """Open or make the blocks of one fetch, each shared: as many as can be had, but the first at least."""
        blocks: list[tuple[BlockId, Block]] = []
        block_ids = self._blocks_of(demand)
        try:
            await self.shelf.look_for(block_ids)
            for block_id in block_ids:
                block = await self.shelf.find_or_make(block_id)
                blocks.append((block_id, block.share()))
        except CacheIOError:
            if not blocks:
                raise
        except BaseException:
            for _, block in blocks:
                block.release()
            raise
        return blocks

    def _blocks_of(self, demand: Demand) -> list[BlockId]:
        """The blocks of one fetch for a demand."""
        geometry = self.shelf.geometry
        limit = min(demand.stop, demand.start + self._room_of(demand))
        spans = blocks_of(geometry.block_size, demand.start, limit)
        return [BlockId(demand.version, index, geometry) for index, _, _ in spans]

    def _room_of(self, demand: Demand) -> int:
        return self._max_fetch_bytes if demand.most_bytes is None else demand.most_bytes

    def _claim(self, demand: Demand, blocks: list[tuple[BlockId, Block]]) -> list[Piece]:
        """Claim adjacent missing parts, the first of them around the byte that is needed."""
        pieces: list[Piece] = []
        room = self._room_of(demand)
        try:
            for block_id, block in blocks:
                piece = self._claim_of(demand, block_id, block, room)
                if piece is None:
                    break
                pieces.append(piece)
                room -= piece.stop - piece.start
                if piece.stop < block_id.stop or not room:
                    break
        except CacheIOError:
            if not pieces:
                raise
        return pieces

    def _claim_of(self, demand: Demand, block_id: BlockId, block: Block, room: int) -> Piece | None:
        """Claim what is wanted of one block, at most ``room`` bytes, or as much of it as nobody else is fetching."""
        base = block_id.start
        needed = max(demand.start - base, 0)
        missing = block.missing(0, block.length)
        present = block.length - sum(stop - start for start, stop in missing)
        within = self._wanted(demand, block.length, (needed, min(demand.stop - base, block.length)), present=present)
        found = run_at(missing, needed, within)
        run = None if found is None else cut_to(found, needed, room)
        while run is not None:
            claim = block.claim(*run)
            if claim is None:
                run = halved(*run, needed, self._unit)
                continue
            if block.missing(*run) == [run]:
                return Piece(
                    block_id=block_id, block=block.share(), claim=claim, start=base + run[0], stop=base + run[1]
                )
            claim.release()  # whoever had it was done between our look and our claim
            break
        return None

    def _wanted(self, demand: Demand, length: int, span: Run, *, present: int) -> Run:
        if demand.is_exact:
            return span
        return wanted(length, self._unit, *span, present=present, is_sequential=demand.is_sequential)

    def _start(self, demand: Demand, pieces: list[Piece], fetched: Fetched | None) -> Fill:
        fill = Fill(pieces, is_kept=demand.is_kept, shelf=self.shelf)
        self._fills.setdefault(demand.version.digest, []).append(fill)
        self._under_way += 1
        self._nursery.start_soon(self._run, fill, demand, fetched)
        return fill

    async def _run(self, fill: Fill, demand: Demand, fetched: Fetched | None) -> None:
        digest = demand.version.digest
        try:
            await fill.run(demand.source, fetched)
        finally:
            self._under_way -= 1
            fills = self._fills[digest]
            fills.remove(fill)
            if not fills:
                del self._fills[digest]
            self.shelf.shared.add(Counter.FILLS)
            self.shelf.shared.add(Counter.FILL_BYTES, fill.position - fill.start)
