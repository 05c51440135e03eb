from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.gateway.pacing import PacedBody, Pacing
from s3proxy.http1.messages import Response
from s3proxy.pacing import Pace

MIB = 2**20


class Chunks(Body):
    def __init__(self, *chunks: Chunk) -> None:
        self.length = sum(size_of(chunk) for chunk in chunks)
        self.is_closed = self.is_ended = False
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        try:
            for chunk in self._chunks:
                yield chunk
        finally:
            self.is_ended = True

    async def aclose(self) -> None:
        self.is_closed = True


def size_of(chunk: Chunk) -> int:
    return chunk.length if isinstance(chunk, FileSlice) else len(chunk)


async def send(pacing: Pacing, body: Body) -> float:
    """Send a response on the connection that is this task; how many seconds it took."""
    response = Response(200, [], body)
    pacing.slow_down(response)
    assert isinstance(response.body, Body)
    started = trio.current_time()
    async with response.body as paced:
        async for _ in paced:
            pass
    return trio.current_time() - started


async def test_pieces_are_the_bytes_of_the_chunks_in_order(autojump_clock: trio.testing.MockClock) -> None:
    body = Chunks(b"abcdefg", memoryview(b"hij"), FileSlice(7, 100, 5))
    paced = PacedBody(body, [Pace(10)], 3)
    assert paced.length == 15
    pieces = [piece if isinstance(piece, FileSlice) else bytes(piece) async for piece in paced]
    assert pieces == [b"abc", b"def", b"g", b"hij", FileSlice(7, 100, 3), FileSlice(7, 103, 2)]


async def test_body_takes_as_long_as_its_rate_says(autojump_clock: trio.testing.MockClock) -> None:
    pacing = Pacing(bytes_per_second=None, connection_bytes_per_second=MIB)
    assert await send(pacing, Chunks(FileSlice(7, 0, 10 * MIB))) == pytest.approx(10, abs=0.2)


async def test_requests_of_one_connection_share_its_rate(autojump_clock: trio.testing.MockClock) -> None:
    pacing = Pacing(bytes_per_second=None, connection_bytes_per_second=MIB)
    started = trio.current_time()
    for _ in range(100):
        await send(pacing, Chunks(bytes(MIB // 10)))
    assert trio.current_time() - started == pytest.approx(10, abs=0.2)


async def test_connections_do_not_share_the_rate_of_one(autojump_clock: trio.testing.MockClock) -> None:
    pacing = Pacing(bytes_per_second=None, connection_bytes_per_second=MIB)
    started = trio.current_time()
    async with trio.open_nursery() as connections:
        for _ in range(10):
            connections.start_soon(send, pacing, Chunks(bytes(2 * MIB)))
    assert trio.current_time() - started == pytest.approx(2, abs=0.2)


async def test_connections_share_the_rate_of_the_process_evenly(autojump_clock: trio.testing.MockClock) -> None:
    pacing = Pacing(bytes_per_second=4 * MIB, connection_bytes_per_second=None)
    ended: list[float] = []
    started = trio.current_time()

    async def connection() -> None:
        await send(pacing, Chunks(bytes(4 * MIB)))
        ended.append(trio.current_time() - started)

    async with trio.open_nursery() as connections:
        for _ in range(4):
            connections.start_soon(connection)
    assert ended == pytest.approx([4] * 4, abs=0.5)


async def test_both_bounds_are_kept_to(autojump_clock: trio.testing.MockClock) -> None:
    pacing = Pacing(bytes_per_second=MIB, connection_bytes_per_second=MIB // 2)
    assert await send(pacing, Chunks(bytes(MIB))) == pytest.approx(2, abs=0.2)


async def test_body_that_is_given_up_is_closed_with_what_iterates_over_it() -> None:
    body = Chunks(b"abc", b"def")
    paced = PacedBody(body, [], 2)
    await anext(aiter(paced))
    await paced.aclose()
    assert body.is_closed
    assert body.is_ended


def test_response_without_a_body_that_flows_is_left_alone() -> None:
    response = Response(200, [], b"<xml/>")
    Pacing(bytes_per_second=1, connection_bytes_per_second=None).slow_down(response)
    assert response.body == b"<xml/>"
