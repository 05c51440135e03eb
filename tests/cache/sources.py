"""A source whose bytes are known and whose failures are scripted."""

import random
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

import trio

from s3proxy.body import Body, Chunk, FileSlice

UNIT = 64 * 1024


def content(size: int, seed: int = 1) -> bytes:
    """The bytes of a made-up object."""
    return random.Random(seed).randbytes(size)


class StoreFailedError(Exception):
    """What a store might raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What one fetch does wrong.

    refuse: raises instead of giving a body. reset: raises after ``after`` bytes. short: ends after ``after`` bytes.
    long: gives ``after`` bytes too many. hang: gives nothing more after ``after`` bytes. announced: says that it has
    another length.
    """

    kind: Literal["refuse", "reset", "short", "long", "hang", "announced"]
    after: int = 0


@dataclass(slots=True)
class ScriptedSource:
    """Gives the bytes of ``data``; the first fetches fail as ``faults`` says, None standing for one that does not."""

    data: bytes
    chunk_bytes: int = 256 * 1024
    latency_seconds: float = 0.0
    bytes_per_second: float = 0.0
    faults: deque[Fault | None] = field(default_factory=deque)
    fd: int = -1  # of a file with the same bytes, to give FileSlices
    fetches: list[tuple[int, int]] = field(default_factory=list)
    given_bytes: int = 0
    open_bodies: int = 0
    max_open_bodies: int = 0
    _link_free_at: float = 0.0

    async def fetch(self, start: int, stop: int) -> Body:
        assert 0 <= start < stop <= len(self.data)
        self.fetches.append((start, stop))
        fault = self.faults.popleft() if self.faults else None
        await trio.sleep(self.latency_seconds)
        if fault is not None and fault.kind == "refuse":
            raise StoreFailedError("refused")
        return ScriptedBody(self, start, stop, fault)

    async def wait_for_link(self, length: int) -> None:
        """Take so many bytes' time of the one link that all bodies share."""
        if not self.bytes_per_second:
            await trio.lowlevel.checkpoint()
            return
        self._link_free_at = max(trio.current_time(), self._link_free_at) + length / self.bytes_per_second
        await trio.sleep_until(self._link_free_at)


class ScriptedBody(Body):
    def __init__(self, source: ScriptedSource, start: int, stop: int, fault: Fault | None) -> None:
        self.length = stop - start
        if fault is not None and fault.kind == "announced":
            self.length += 1
        self._source = source
        self._pos = start
        self._start = start
        self._stop = stop
        self._fault = fault
        self._is_open = True
        self._buffer = bytearray(source.chunk_bytes)
        source.open_bodies += 1
        source.max_open_bodies = max(source.max_open_bodies, source.open_bodies)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        assert self._is_open
        source = self._source
        self._buffer[:] = bytes(len(self._buffer))  # a chunk is valid until the next one is asked for
        length = min(source.chunk_bytes, self._stop - self._pos)
        if self._fault is not None and self._fault.kind in {"reset", "short", "hang"}:
            length = min(length, self._start + self._fault.after - self._pos)
        await source.wait_for_link(length)
        if not length:
            return await self._end()
        source.given_bytes += length
        self._pos += length
        if source.fd >= 0:
            return FileSlice(source.fd, self._pos - length, length)
        self._buffer[:length] = source.data[self._pos - length : self._pos]
        return memoryview(self._buffer)[:length]

    async def _end(self) -> Chunk:
        fault = self._fault
        if fault is not None and fault.kind == "reset":
            raise StoreFailedError("reset")
        if fault is not None and fault.kind == "hang":
            await trio.sleep_forever()
        if fault is not None and fault.kind == "long" and fault.after:
            self._fault = None
            return bytes(fault.after)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            self._source.open_bodies -= 1
