"""Bodies that are not trusted to be of the right length, and parts of them."""

from collections import deque

import pytest
import trio

from s3proxy.body import FileSlice
from s3proxy.cache.source import BrokenSourceError, Excerpt, cut, fetch_exactly
from tests.cache.rig import bytes_of
from tests.cache.sources import Fault, ScriptedSource, content

DATA = content(10_000)


@pytest.mark.parametrize(("skip", "length"), [(0, 10_000), (0, 1), (1, 1), (999, 2), (1000, 9000), (9999, 1)])
async def test_excerpt_has_just_the_bytes(skip: int, length: int) -> None:
    source = ScriptedSource(DATA, chunk_bytes=1000)
    excerpt = Excerpt(await source.fetch(0, len(DATA)), skip, length)
    assert excerpt.length == length
    assert await bytes_of(excerpt) == DATA[skip : skip + length]
    assert source.open_bodies == 0


async def test_excerpt_of_a_body_that_is_too_short_is_broken() -> None:
    source = ScriptedSource(DATA, faults=deque([Fault(kind="short", after=500)]))
    with pytest.raises(BrokenSourceError, match="100 bytes early"):
        await bytes_of(Excerpt(await source.fetch(0, len(DATA)), 100, 500))


def test_cut_of_a_slice_is_a_slice() -> None:
    assert cut(FileSlice(7, 100, 50), 10, 20) == FileSlice(7, 110, 10)
    assert cut(b"abc", 0, 3) == b"abc"
    assert cut(b"abc", 1, 2) == b"b"


async def test_body_with_another_length_is_closed() -> None:
    source = ScriptedSource(DATA, faults=deque([Fault(kind="announced")]))
    with pytest.raises(BrokenSourceError):
        await fetch_exactly(source, 0, 5)
    assert source.open_bodies == 0


async def test_excerpt_is_closed_though_the_task_is_cancelled() -> None:
    source = ScriptedSource(DATA)
    excerpt = Excerpt(await source.fetch(0, 5), 0, 5)
    with trio.CancelScope() as scope:
        scope.cancel()
        await excerpt.aclose()
    assert source.open_bodies == 0
