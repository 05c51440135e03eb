"""Delay and rate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.faults.link import Lane, Shape, Wire

_MIB = 2**20


@asynccontextmanager
async def _wired(lane: Lane) -> AsyncIterator[tuple[Wire, trio.SocketStream]]:
    near, far = (trio.SocketStream(each) for each in trio.socket.socketpair())
    async with near, far, trio.open_nursery() as nursery:
        wire = Wire(lane, near)
        nursery.start_soon(wire.run)
        yield wire, far
        nursery.cancel_scope.cancel()


async def _receive(stream: trio.SocketStream, count: int) -> None:
    while count > 0:
        count -= len(await stream.receive_some(_MIB))


async def _send(wire: Wire, count: int) -> None:
    for _ in range(count):
        await wire.carry(bytes(256 * 1024))


async def test_wire_with_a_delay_delivers_that_much_later(autojump_clock: MockClock) -> None:
    async with _wired(Lane(Shape(delay_seconds=0.05))) as (wire, far):
        begin = trio.current_time()
        await wire.carry(b"hello")
        assert trio.current_time() == begin
        assert await far.receive_some() == b"hello"
        assert trio.current_time() - begin == pytest.approx(0.05, abs=0.001)


async def test_wire_with_a_delay_has_many_chunks_under_way(autojump_clock: MockClock) -> None:
    async with _wired(Lane(Shape(delay_seconds=0.02))) as (wire, far), trio.open_nursery() as nursery:
        begin = trio.current_time()
        nursery.start_soon(_send, wire, 64)
        await _receive(far, 16 * _MIB)
        # One after the other they would take 64 * 20 ms.
        assert trio.current_time() - begin < 0.64


async def test_connections_share_the_rate_of_their_lane(autojump_clock: MockClock) -> None:
    lane = Lane(Shape(bytes_per_second=40e6))
    async with _wired(lane) as (one, far_one), _wired(lane) as (two, far_two):
        begin = trio.current_time()
        async with trio.open_nursery() as nursery:
            for wire, far in ((one, far_one), (two, far_two)):
                nursery.start_soon(_send, wire, 8)
                nursery.start_soon(_receive, far, 2 * _MIB)
        assert trio.current_time() - begin > 0.09


async def test_drain_ends_when_everything_was_sent(autojump_clock: MockClock) -> None:
    async with _wired(Lane(Shape(delay_seconds=0.05))) as (wire, far):
        await wire.carry(b"hello")
        await wire.drain()
        with trio.fail_after(0.5):
            assert await far.receive_some() == b"hello"


@pytest.mark.parametrize(("shape", "is_plain"), [(Shape(), True), (Shape(delay_seconds=0.001), False)])
def test_lane_without_delay_and_rate_is_plain(shape: Shape, is_plain: bool) -> None:
    assert Lane(shape).is_plain is is_plain
