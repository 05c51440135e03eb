"""Fills: one fetch from the source over adjacent blocks, written as the bytes arrive and followed by readers.

A fill owns what it has claimed of each block until that part is written. It runs in the cache's nursery, not in that of
a reader, for readers come and go. Readers of this process follow its ``position``, which counts single bytes; those of
other processes see whole units in the block files.

No byte is read from a file unverified, but by who was waiting for it when it was written. So the bytes of the one unit
that is not whole yet are kept in memory for who comes meanwhile.
"""

import os
from dataclasses import dataclass
from typing import Final

import trio

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId
from s3proxy.cache.claims import Claim
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.shelf import Shelf
from s3proxy.cache.source import (
    BrokenSourceError,
    Fetched,
    Source,
    close_body,
    close_chunks,
    fetch_exactly,
    size_of,
)

_COPY_BYTES: Final = 256 * 1024  # of a file that is the source, through memory at once: each is checksummed on its way
_IDLE_RESUMES: Final = 4  # without a byte of progress, after which the source counts as broken
_BACKOFF_SECONDS: Final = 0.05
_MAX_BACKOFF_SECONDS: Final = 1.0
_NEARLY_WHOLE: Final = 4  # a block of which at most one part in so many is left is finished though nobody waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a fill has claimed of one block; offsets count from the start of the object.

    Closes: has a share of the block.
    """

    block_id: BlockId
    block: Block
    claim: Claim
    start: int
    stop: int

    def release(self) -> None:
        """Let go of the block, and of the claim if that was not done before."""
        self.claim.release()
        self.block.release()


class Fill:
    """A fetch that is on its way into blocks.

    Args:
        pieces: adjacent, in order, at least one; taken over.
        is_kept: it goes on though nobody waits for it.
        shelf: what writes into blocks.
    """

    def __init__(self, pieces: list[Piece], *, is_kept: bool, shelf: Shelf) -> None:
        self.start: Final = pieces[0].start
        self.stop = pieces[-1].stop
        self.position = self.start
        """Up to here the bytes are in the blocks."""
        self._fresh_from = self.start  # where the latest write began
        self._tail = bytearray()  # the bytes of the unit that is not whole yet, which cannot be verified in the file
        self.error: Exception | None = None
        self.is_accepted = False
        self.is_over = False
        self._pieces = pieces
        self._current = 0  # the piece that is being written
        self._is_kept = is_kept
        self._shelf = shelf
        self._unit = shelf.geometry.unit_size
        self._users = 0
        self._lot = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()

    def covers(self, offset: int) -> bool:
        """Whether the unit of ``offset`` is to come by this fill."""
        return not self.is_over and self.position // self._unit * self._unit <= offset < self.stop

    @property
    def is_joined(self) -> bool:
        """Whether somebody waits for bytes of it."""
        return self._users > 0

    def join(self) -> None:
        """Count one more who waits for bytes of it."""
        self._users += 1

    def leave(self, *, is_satisfied: bool) -> None:
        """Count one less. After the last one it ends with the current block or at once.

        Args:
            is_satisfied: whether who leaves got what was asked for; if not, a block is only finished if most of it is
                there.
        """
        self._users -= 1
        if self._users or self._is_kept or self.is_over:
            return
        if self.position == self.stop:
            return
        current = self._pieces[self._current]
        if is_satisfied or (current.stop - self.position) * _NEARLY_WHOLE <= current.block.length:
            while self._pieces[-1] is not current:
                self._pieces.pop().release()
            self.stop = current.stop
        else:
            self.is_over = True  # nobody joins any more; the claims are held until the task has let go of the blocks
            self._scope.cancel()

    async def wait_until_accepted(self) -> None:
        """Wait until the source has agreed, or the fill is over."""
        while not (self.is_accepted or self.is_over):
            await self._lot.park()
        self._raise_error()

    async def wait_for(self, offset: int) -> Piece | None:
        """Wait until the byte at ``offset`` is there, or the fill is over.

        Returns:
            The piece that the byte has just been written to, up to ``position``: it need not be verified if it is given
            out at once. None when it was written before, if at all.

        Raises:
            CacheIOError: the blocks could not be written.
            Exception: what the source raised.
        """
        while self.position <= offset:
            if self.is_over:
                self._raise_error()
                return None
            await self._lot.park()
            if self._fresh_from <= offset < self.position:
                return next((piece for piece in self._pieces if piece.start <= offset < piece.stop), None)
        return None

    def tail_at(self, offset: int) -> bytes | None:
        """The bytes from ``offset`` to ``position``, if they are of a unit that is not whole yet."""
        skipped = offset - (self.position - len(self._tail))
        return bytes(self._tail[skipped:]) if 0 <= skipped < len(self._tail) else None

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error.with_traceback(None)  # many raise it: each traceback would be added to the others'

    async def run(self, source: Source, fetched: Fetched | None) -> None:
        """Do it. Raises nothing of the source or the blocks: whoever waits finds the error here.

        Args:
            source: of the version.
            fetched: a body that begins where the fill does, taken over.
        """
        try:
            with self._scope:
                await self._transfer(source, fetched)
        except Exception as error:  # it belongs to the readers, whatever the store layer raised
            self.error = error
        finally:
            self.is_over = True
            while self._pieces:
                self._pieces.pop().release()
            self._lot.unpark_all()

    async def _transfer(self, source: Source, fetched: Fetched | None) -> None:
        """Fetch until all is there.

        What ``fetch`` raises is final, for the store layer repeats what may be repeated. A body that breaks off is
        asked for again from where it was.
        """
        idle = 0
        while True:
            before = self.position
            if fetched is not None:
                failure = await self._take(fetched.body, fetched.stop)
                fetched = None
            else:
                stop = self.stop
                self._shelf.shared.add(Counter.STORE_REQUESTS)
                failure = await self._take(await fetch_exactly(source, before, stop), stop)
            if failure is None or self.position >= self.stop:
                return
            idle = idle + 1 if self.position == before else 0
            if idle > _IDLE_RESUMES:
                raise failure
            await trio.sleep(min(_BACKOFF_SECONDS * 2**idle, _MAX_BACKOFF_SECONDS))

    async def _take(self, body: Body, target: int) -> Exception | None:
        """Write a body that ends at ``target``, up to ``stop``, and close it; return what broke it off."""
        chunks = aiter(body)
        try:
            self.is_accepted = True
            self._lot.unpark_all()
            async for chunk in chunks:
                if size_of(chunk) > target - self.position:
                    return BrokenSourceError(f"more bytes than up to {target}")
                await self._put(chunk)
                if self.position >= self.stop < target:
                    return None
        except CacheIOError:
            raise
        except Exception as error:  # whatever the store layer raises of a connection
            return error
        finally:
            await close_chunks(chunks)
            await close_body(body)
        return None if self.position >= self.stop else BrokenSourceError(f"the source ended early, at {self.position}")

    async def _put(self, chunk: Chunk) -> None:
        if not isinstance(chunk, FileSlice):
            await self._write(memoryview(chunk))
            return
        offset, stop = chunk.offset, chunk.offset + chunk.length
        while offset < stop and self.position < self.stop:
            async with self._shelf.copying:
                offset += await self._copy(chunk.fd, offset, min(stop - offset, _COPY_BYTES))

    async def _copy(self, fd: int, offset: int, length: int) -> int:
        buffer = memoryview(bytearray(length))
        count = await self._read(fd, buffer, offset)
        if not count:
            raise BrokenSourceError(f"the file ended early, at {offset}")
        await self._write(buffer[:count])
        return count

    async def _read(self, fd: int, buffer: memoryview, offset: int) -> int:
        try:
            count = os.preadv(fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError:  # not in the page cache, or a file system that cannot tell
            return await self._shelf.in_thread(os.preadv, fd, [buffer], offset)
        await trio.lowlevel.checkpoint()
        return count

    async def _write(self, data: memoryview) -> None:
        """Write what is not beyond ``stop``, block by block, and wake who waits for it."""
        while data and self.position < self.stop:
            piece = self._pieces[self._current]
            part = data[: piece.stop - self.position]
            await self._shelf.write(piece.block, self.position - piece.block_id.start, part)
            self._fresh_from = self.position
            self.position += len(part)
            self._keep_tail(part)
            data = data[len(part) :]
            if self.position == piece.stop:
                piece.claim.release()
                self._current += 1
            self._lot.unpark_all()

    def _keep_tail(self, written: memoryview) -> None:
        count = self.position % self._unit
        if count <= len(written):
            self._tail = bytearray(written[len(written) - count :])
        else:
            self._tail += written
