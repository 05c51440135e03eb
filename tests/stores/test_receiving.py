import pytest
import trio

from s3proxy.body import Digests, IncomingBody
from s3proxy.s3.errors import ErrorCode
from s3proxy.stores.receiving import LargeBuffers, receive_all, receive_whole
from tests.stores.bodies import Arriving
from tests.stores.vocabulary import raises

KIB = 1024


class Body(Arriving):
    """An ``IncomingBody`` that nothing is claimed of."""

    length: int | None = None
    checksum_algorithm: str | None = None

    def digest(self, data: memoryview) -> None:
        pass

    def verify(self) -> Digests:
        return Digests("")


class BrokenBody(Body):
    async def receive_into(self, buffer: memoryview) -> int:
        return await super().receive_into(buffer) or 1 // 0


class EndlessBody(Body):
    async def receive_into(self, buffer: memoryview) -> int:
        return await super().receive_into(buffer) or await trio.sleep_forever()


async def received(body: IncomingBody, *, write_seconds: float = 0, large: LargeBuffers | None = None) -> list[bytes]:
    """The pieces in which ``body`` is written."""
    pieces: list[bytes] = []

    async def write(data: memoryview) -> None:
        before = bytes(data)
        await trio.sleep(write_seconds)
        assert data == before, "the buffer was filled again while it was written"
        pieces.append(before)

    await receive_all(write, body, large or LargeBuffers())
    return pieces


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1000 * KIB])
async def test_receive_all_writes_every_byte_in_order(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    pieces = await received(Body(data[:size], (7000, 300_000, 1)))
    assert b"".join(pieces) == data[:size]


async def test_buffers_grow_while_the_sender_is_faster(autojump_clock: trio.testing.MockClock) -> None:
    pieces = await received(Body(bytes(8192 * KIB)), write_seconds=1)
    assert [len(piece) // KIB for piece in pieces[:4]] == [64, 64, 1024, 1024]


async def test_buffers_of_a_slow_sender_stay_small(autojump_clock: trio.testing.MockClock) -> None:
    # 200 such uploads take 25 MiB together.
    class SlowBody(Body):
        async def receive_into(self, buffer: memoryview) -> int:
            await trio.sleep(1)
            return await super().receive_into(buffer)

    pieces = await received(SlowBody(bytes(1024 * KIB)))
    assert {len(piece) for piece in pieces} == {64 * KIB}


async def test_no_more_large_buffers_are_used_than_there_may_be(autojump_clock: trio.testing.MockClock) -> None:
    large = LargeBuffers(most=1)
    pieces = await received(Body(bytes(4096 * KIB)), write_seconds=1, large=large)
    assert {len(piece) for piece in pieces[:-1]} == {64 * KIB, 1024 * KIB}
    assert large.take() is not None, "it was given back"
    assert large.take() is None


async def test_large_buffer_is_used_again() -> None:
    large = LargeBuffers()
    first = large.take()
    assert first is not None
    large.give_back(first)
    assert large.take() is first


async def test_failure_to_receive_passes_as_it_is() -> None:
    large = LargeBuffers(most=1)
    with pytest.raises(ZeroDivisionError):
        await received(BrokenBody(bytes(300 * KIB)), write_seconds=0.001, large=large)
    assert large.take() is not None


async def test_failure_to_write_ends_the_waiting_for_more(autojump_clock: trio.testing.MockClock) -> None:
    async def write(data: memoryview) -> None:
        await trio.sleep(1)
        raise OSError("full")

    with trio.fail_after(10), pytest.raises(OSError, match="full"):
        await receive_all(write, EndlessBody(bytes(100 * KIB)), LargeBuffers())


async def test_cancellation_gives_the_buffers_back(autojump_clock: trio.testing.MockClock) -> None:
    large = LargeBuffers(most=1)
    with trio.move_on_after(20) as scope:
        await received(EndlessBody(bytes(1000 * KIB)), write_seconds=1, large=large)
    assert scope.cancelled_caught
    assert large.take() is not None


async def test_receive_whole_gives_the_bytes() -> None:
    assert bytes(await receive_whole(Body(b"data", (3,)), 4)) == b"data"
    assert bytes(await receive_whole(Body(b""), 0)) == b""


@pytest.mark.parametrize("announced", [3, 5])
async def test_receive_whole_of_another_length_is_incomplete(announced: int) -> None:
    with raises(ErrorCode.INCOMPLETE_BODY):
        await receive_whole(Body(b"data"), announced)
