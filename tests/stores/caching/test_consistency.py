"""What readers see, against a model of what metadata.py states.

Writers go through this worker, through another one, and straight to the store. The clock is turned by hand, the blocks
are real ones in tiers that the workers share. Every version's bytes name it, so a mixture of two is none.
"""

import hashlib
import math
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import trio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from s3proxy.cache.blocks import Geometry
from s3proxy.cache.cache import FetchLimits
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, CopyObject, CopySource, GetObject, Key, PutObjectTagging
from s3proxy.s3.ranges import resolve_range
from s3proxy.stores.base import ObjectChangedError, ObjectStore, OpenObject
from s3proxy.stores.caching.store import Settings
from tests.stores.bodies import bytes_of
from tests.stores.caching.fakes import Clock
from tests.stores.caching.node import block_caches, running
from tests.stores.fakes import MemoryStore
from tests.stores.vocabulary import BUCKET, delete, head, keys_of, make_bucket, put, refusal_of

UNIT = 4096
GEOMETRY = Geometry(block_size=4 * UNIT, unit_size=UNIT)
MAX_FETCH_BYTES = 8 * UNIT
KEYS = ("a", "b")
SIZES = (0, 1, UNIT, 3 * UNIT + 5, 50_000)
HEADERS = (None, "bytes=0-0", "bytes=-9", "bytes=5000-", "bytes=4090-20000", "bytes=16384-16400")

Kind = Literal["put", "copy", "delete", "tag", "read", "head", "list", "race", "wait"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that somebody does: worker 0 or 1, or 2 straight at the store."""

    kind: Kind
    by: int = 0
    key: str = "a"
    size: int = 0
    header: str | None = None
    seconds: float = 0.0


_writes = st.builds(
    Step,
    st.sampled_from(["put", "put", "put", "copy", "delete", "tag"]),
    st.integers(0, 2),
    st.sampled_from(KEYS),
    st.sampled_from(SIZES),
)
_reads = st.builds(
    Step,
    st.sampled_from(["read", "read", "read", "head", "list", "race"]),
    st.integers(0, 1),
    st.sampled_from(KEYS),
    st.sampled_from(SIZES),
    st.sampled_from(HEADERS),
)
_waits = st.builds(Step, st.just("wait"), seconds=st.sampled_from([0.5, 4.0, 10.0]))
_steps = st.lists(st.one_of(_writes, _reads, _reads, _waits), min_size=30, max_size=50)


@dataclass(frozen=True, slots=True)
class Version:
    """What a key was from some time on; None for nothing."""

    data: bytes | None
    since: float
    is_by_node: bool


@dataclass(slots=True)
class World:
    """The store, two workers in front of it, and everything that ever was."""

    store: MemoryStore
    workers: Sequence[ObjectStore]
    clock: Clock
    ttl: float
    past: dict[str, list[Version]] = field(default_factory=lambda: {key: [Version(None, 0.0, True)] for key in KEYS})
    count: int = 0

    def allowed(self, key: str) -> list[bytes | None]:
        """What a reader may see: nothing older than the last write through the node, nor replaced ``ttl`` ago."""
        versions = self.past[key]
        last = max(number for number, version in enumerate(versions) if version.is_by_node)
        ends = [version.since for version in versions[1:]] + [math.inf]
        recent = zip(versions[last:], ends[last:], strict=True)
        return [version.data for version, end in recent if end == math.inf or end > self.clock.now - self.ttl]

    async def do(self, step: Step) -> None:
        match step.kind:
            case "wait":
                self.clock.now += step.seconds
            case "put" | "copy" | "delete" | "tag":
                await self.write(step)
            case "read":
                await self.read(step)
            case "head":
                await self.describe(step)
            case "list":
                present = [key for key in KEYS if self.past[key][-1].data is not None]
                assert await keys_of(self.workers[step.by]) == present
            case "race":
                await self.race(step)

    async def write(self, step: Step) -> None:
        target = self.store if step.by == 2 else self.workers[step.by]
        current = self.past[step.key][-1].data
        match step.kind:
            case "put":
                current = self.new_data(step)
                await put(target, current, step.key)
            case "copy":
                source = CopySource(bucket=BUCKET, key=Key(next(key for key in KEYS if key != step.key)))
                copied = self.past[source.key][-1].data
                refused = await refusal_of(
                    target.copy_object(CopyObject(bucket=BUCKET, key=Key(step.key), source=source))
                )
                assert (refused is None) is (copied is not None)
                current = current if copied is None else copied
            case "delete":
                current = None
                await delete(target, step.key)
            case _:
                await refusal_of(
                    target.put_object_tagging(
                        PutObjectTagging(bucket=BUCKET, key=Key(step.key), tags={"n": f"{self.count}"})
                    )
                )
        self.past[step.key].append(Version(current, self.clock.now, step.by != 2))

    def new_data(self, step: Step) -> bytes:
        self.count += 1
        name = f"<{step.key} {self.count}>".encode()
        return (name * (step.size // len(name) + 1))[: step.size]

    async def read(self, step: Step) -> None:
        """As the gateway does."""
        for _ in range(4):
            opened = await self.open(step)
            if opened is None:
                assert None in self.allowed(step.key)
                return
            seen = await received(opened, step.header)
            if seen is not None:
                version = self.named(opened, step.key)
                assert version in self.allowed(step.key)
                assert seen == slice_of(version, step.header)
                return
        raise AssertionError("opened four times, and each time another version")

    async def race(self, step: Step) -> None:
        """Open, let something be written, and then read: the version that was opened, or none."""
        opened = await self.open(step)
        await self.write(Step("put", 2 - step.by, step.key, step.size))
        if opened is not None:
            seen = await received(opened, step.header)
            assert seen in {None, slice_of(self.named(opened, step.key), step.header)}

    async def open(self, step: Step) -> OpenObject | None:
        operation = GetObject(bucket=BUCKET, key=Key(step.key), range=step.header)
        with missing_allowed():
            return await self.workers[step.by].get_object(operation)
        return None

    def named(self, opened: OpenObject, key: str) -> bytes:
        """The version that was opened, by its ETag."""
        by_etag = {etag_of(version.data): version.data for version in self.past[key] if version.data is not None}
        data = by_etag[opened.info.etag]
        assert opened.info.size == len(data)
        return data

    async def describe(self, step: Step) -> None:
        allowed = self.allowed(step.key)
        seen = None
        with missing_allowed():
            info = await head(self.workers[step.by], step.key)
            seen = info.etag, info.size
        assert seen in {None if data is None else (etag_of(data), len(data)) for data in allowed}


@contextmanager
def missing_allowed() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code is not ErrorCode.NO_SUCH_KEY:
            raise


async def received(opened: OpenObject, header: str | None) -> bytes | None:
    """What the gateway would answer with; None if it would open the object again."""
    try:
        span = span_of(opened.info.size, header)
        return b"" if span is None else await bytes_of(await opened.read(span))
    except ObjectChangedError:
        return None
    finally:
        await opened.aclose()


def span_of(size: int, header: str | None) -> ByteRange | None:
    if header is None:
        return ByteRange(0, size)
    try:
        return resolve_range(header, size)
    except S3Error:
        return None


def slice_of(data: bytes, header: str | None) -> bytes:
    span = span_of(len(data), header)
    return b"" if span is None else data[span.start : span.stop]


def etag_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@asynccontextmanager
async def world(directory: Path, ttl: float) -> AsyncIterator[World]:
    store, clock = MemoryStore(), Clock()
    cached = Settings(name="store", metadata_ttl_seconds=ttl, geometry=GEOMETRY, first_fetch_bytes=MAX_FETCH_BYTES)
    with running(store, directory, clock) as node:
        words = [node.view(number) for number in range(2)]
        limits = FetchLimits(max_fetch_bytes=MAX_FETCH_BYTES)
        async with block_caches(directory, words, geometry=GEOMETRY, limits=limits) as caches:
            workers = [node.worker(cached, cache) for cache in caches]
            await make_bucket(store)
            yield World(store, workers, clock, ttl)
    assert store.open_bodies == 0


@pytest.mark.parametrize("ttl", [0.0, 10.0, math.inf])
@given(steps=_steps)
@hypothesis_settings(max_examples=40, deadline=None)
def test_readers_see_what_is_documented(ttl: float, steps: list[Step]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with world(Path(directory), ttl) as made:
                for step in steps:
                    await made.do(step)

    trio.run(run)
