"""Whatever happens to blocks, workers and the source: a byte that is given is the right one."""

import os
from dataclasses import dataclass, field
from typing import Literal

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.cache.blocks import Geometry
from s3proxy.cache.cache import BlockCache, FetchLimits
from s3proxy.cache.source import BrokenSourceError, Fetched
from tests.cache.rig import Rig, memory_directory, open_descriptors, read, rig_over, version_of
from tests.cache.sources import Fault, ScriptedSource, StoreFailedError, content

UNIT = 4096
BLOCK = 4 * UNIT
SIZE = 9 * BLOCK + 1234
DATA = content(SIZE)
WORKERS = 2
LIMITS = FetchLimits(max_fetch_bytes=3 * BLOCK, max_prefetch_bytes=4 * BLOCK, busy_fills=2)


@dataclass(frozen=True, slots=True)
class Read:
    """Open a body."""

    worker: int
    start: int
    length: int
    store: bool
    is_fetched: bool


@dataclass(frozen=True, slots=True)
class Take:
    """Take some chunks of a body, to its end with ``chunks`` 0, or close it with -1."""

    body: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Tamper:
    """Damage a block file."""

    file: int
    place: int
    kind: Literal["flip", "truncate", "delete"]


@dataclass(frozen=True, slots=True)
class Restart:
    """Kill a worker and start another."""

    worker: int


@dataclass(frozen=True, slots=True)
class Fail:
    """Have the next fetch fail."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


Step = Read | Take | Tamper | Restart | Fail | Wait

PLACES = st.integers(0, SIZE - 1) | st.sampled_from([0, UNIT, BLOCK - 1, BLOCK, 3 * BLOCK, SIZE - 1])
STEPS = st.one_of(
    st.builds(Read, st.integers(0, 1), PLACES, st.integers(1, SIZE), st.booleans() | st.just(True), st.booleans()),
    st.builds(Take, st.integers(0, 5), st.integers(-1, 3)),
    st.builds(Tamper, st.integers(0, 9), st.integers(0, BLOCK + 4096), st.sampled_from(["flip", "truncate", "delete"])),
    st.builds(Restart, st.integers(0, 1)),
    st.builds(Fail, st.builds(Fault, kind=st.sampled_from(["refuse", "reset", "short", "long"]), after=PLACES)),
    st.builds(Wait, st.sampled_from([0.001, 0.1, 20.0])),
)


@dataclass(slots=True)
class Worker:
    cache: BlockCache
    scope: trio.CancelScope


@dataclass(slots=True)
class Open:
    """A body, and what is to come of it."""

    worker: int
    body: Body
    position: int
    stop: int

    def check(self, chunk: Chunk) -> None:
        given = os.pread(chunk.fd, chunk.length, chunk.offset) if isinstance(chunk, FileSlice) else bytes(chunk)
        assert given, "an empty chunk"
        assert given == DATA[self.position : self.position + len(given)]
        self.position += len(given)
        assert self.position <= self.stop


@dataclass(slots=True)
class Model:
    rig: Rig
    nursery: trio.Nursery
    source: ScriptedSource
    workers: list[Worker] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)

    async def start(self) -> Worker:
        started: list[Worker] = []
        is_up = trio.Event()

        async def live() -> None:
            async with trio.open_nursery() as nursery:
                cache = self.rig.cache(nursery, LIMITS, evicts=True)
                started.append(Worker(cache, nursery.cancel_scope))
                is_up.set()
                try:
                    await cache.upkeep()
                finally:
                    cache.close()

        self.nursery.start_soon(live)
        await is_up.wait()
        return started[0]

    async def run(self, step: Step) -> None:
        match step:
            case Read():
                await self.read(step)
            case Take():
                if self.open:
                    await self.take(self.open[step.body % len(self.open)], step.chunks)
            case Tamper():
                self.tamper(step)
            case Restart():
                for each in [each for each in self.open if each.worker == step.worker]:
                    await self.close(each)
                self.workers[step.worker].scope.cancel()
                self.workers[step.worker] = await self.start()
            case Fail():
                self.source.faults.append(step.fault)
            case Wait():
                await trio.sleep(step.seconds)

    async def read(self, step: Read) -> None:
        stop = min(step.start + step.length, SIZE)
        cache = self.workers[step.worker].cache
        try:
            fetched = None
            if step.is_fetched:
                begin, end = step.start // UNIT * UNIT, min(-(-stop // UNIT) * UNIT, SIZE)
                fetched = Fetched(start=begin, stop=end, body=await self.source.fetch(begin, end))
            body = await cache.read(version_of(DATA), step.start, stop, self.source, fetched=fetched, store=step.store)
        except (StoreFailedError, BrokenSourceError):
            return
        assert body.length == stop - step.start
        self.open.append(Open(step.worker, body, step.start, stop))

    async def take(self, each: Open, chunks: int) -> None:
        try:
            while chunks >= 0:
                each.check(await anext(aiter(each.body)))
                chunks -= 1
                if chunks == 0:
                    return
                chunks = max(chunks, 0)
        except StopAsyncIteration:
            assert each.position == each.stop
        except (StoreFailedError, BrokenSourceError):
            pass
        await self.close(each)

    async def close(self, each: Open) -> None:
        self.open.remove(each)
        await each.body.aclose()

    def tamper(self, step: Tamper) -> None:
        files = self.rig.block_files()
        if not files:
            return
        path = files[step.file % len(files)]
        size = path.stat().st_size or 1
        if step.kind == "delete":
            path.unlink()
        elif step.kind == "truncate":
            os.truncate(path, step.place % size)
        else:
            with path.open("r+b") as file:
                file.seek(step.place % size)
                old = file.read(1) or b"\0"
                file.seek(step.place % size)
                file.write(bytes([old[0] ^ 0x10]))


async def play(steps: list[Step], chunk_bytes: int, size_bytes: int) -> None:
    geometry = Geometry(block_size=BLOCK, unit_size=UNIT)
    with memory_directory() as directory, rig_over(directory, geometry=geometry, size_bytes=size_bytes) as rig:
        before = open_descriptors()
        source = ScriptedSource(DATA, chunk_bytes=chunk_bytes, latency_seconds=0.004, bytes_per_second=1e7)
        async with trio.open_nursery() as nursery:
            model = Model(rig, nursery, source)
            model.workers = [await model.start() for _ in range(WORKERS)]
            for step in steps:
                await model.run(step)
            for each in list(model.open):
                await model.take(each, 0)
            source.faults.clear()
            for worker in model.workers:
                assert await read(worker.cache, DATA, source) == DATA
            nursery.cancel_scope.cancel()
        assert source.open_bodies == 0
        assert open_descriptors() == before


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25), st.sampled_from([1000, 4096, 10_000]), st.sampled_from([1 << 20, 12 * BLOCK]))
def test_every_byte_is_right_whatever_happens(steps: list[Step], chunk_bytes: int, size_bytes: int) -> None:
    trio.run(play, steps, chunk_bytes, size_bytes, clock=MockClock(autojump_threshold=0))
