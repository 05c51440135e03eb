"""Reads past the cache: in pieces, each of which is a request in its turn."""

from collections import deque

import pytest
import trio
from trio.testing import MockClock

from s3proxy.cache.counters import Counter
from s3proxy.cache.direct import DirectBody
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.source import BrokenSourceError
from tests.cache.rig import UNIT, bytes_of
from tests.cache.sources import Fault, ScriptedSource, StoreFailedError, content

DATA = content(5 * UNIT + 7)


def direct(source: ScriptedSource, shared: SharedWords, span: tuple[int, int] = (3, len(DATA))) -> DirectBody:
    return DirectBody(source, span, piece_bytes=2 * UNIT, shared=shared)


async def test_span_is_asked_for_in_pieces_one_at_a_time(shared: SharedWords) -> None:
    source = ScriptedSource(DATA)
    body = direct(source, shared)
    assert body.length == len(DATA) - 3
    assert await bytes_of(body) == DATA[3:]
    assert source.fetches == [(3, 2 * UNIT + 3), (2 * UNIT + 3, 4 * UNIT + 3), (4 * UNIT + 3, len(DATA))]
    assert source.max_open_bodies == 1
    assert source.open_bodies == 0
    assert shared.total(Counter.STORE_REQUESTS) == 3


async def test_beginning_asks_for_the_first_piece_only(shared: SharedWords) -> None:
    source = ScriptedSource(DATA)
    async with direct(source, shared) as body:
        await body.begin()
        assert source.fetches == [(3, 2 * UNIT + 3)]
    assert source.open_bodies == 0


async def test_no_piece_is_asked_for_before_it_is_needed(shared: SharedWords) -> None:
    source = ScriptedSource(DATA, chunk_bytes=2 * UNIT)
    async with direct(source, shared, (0, len(DATA))) as body:
        assert len(await anext(body)) == 2 * UNIT
        assert len(source.fetches) == 1


async def test_refusal_of_the_first_piece_is_told_before_any_byte(shared: SharedWords) -> None:
    async with direct(ScriptedSource(DATA, faults=deque([Fault(kind="refuse")])), shared) as body:
        with pytest.raises(StoreFailedError):
            await body.begin()


@pytest.mark.parametrize("fault", [Fault(kind="short", after=5), Fault(kind="announced")])
async def test_piece_of_another_length_breaks_the_body(fault: Fault, shared: SharedWords) -> None:
    source = ScriptedSource(DATA, faults=deque([None, fault]))
    with pytest.raises(BrokenSourceError):
        await bytes_of(direct(source, shared))
    assert source.open_bodies == 0


async def test_closed_body_gives_nothing_more(shared: SharedWords) -> None:
    source = ScriptedSource(DATA)
    body = direct(source, shared)
    await anext(body)
    await body.aclose()
    await body.aclose()
    assert [chunk async for chunk in body] == []
    assert source.open_bodies == 0


async def test_cancelled_reader_leaves_nothing_open(shared: SharedWords, autojump_clock: MockClock) -> None:
    source = ScriptedSource(DATA, faults=deque([Fault(kind="hang", after=10)]))
    with trio.move_on_after(1):
        await bytes_of(direct(source, shared))
    assert source.open_bodies == 0
