import pytest
import trio

from s3proxy.body import Digests, IncomingBody
from s3proxy.s3.errors import ErrorCode
from s3proxy.stores.local.receiving import BufferBudget, receive_all, receive_whole
from tests.stores.bodies import Arriving
from tests.stores.vocabulary import raises

KIB = 1024


class Body(Arriving):
    """An ``IncomingBody`` that nothing is claimed of."""

    length: int | None = None

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


async def received(body: IncomingBody, *, write_seconds: float = 0, budget: BufferBudget | None = None) -> list[bytes]:
    """The pieces in which ``body`` is written."""
    pieces: list[bytes] = []

    async def write(data: memoryview) -> None:
        before = bytes(data)
        await trio.sleep(write_seconds)
        assert data == before, "the buffer was filled again while it was written"
        pieces.append(before)

    await receive_all(write, body, budget or BufferBudget())
    return pieces


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1000 * KIB])
async def test_receive_all_writes_every_byte_in_order(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    pieces = await received(Body(data[:size], (7000, 300_000, 1)))
    assert b"".join(pieces) == data[:size]


async def test_buffers_grow_while_the_sender_is_faster(autojump_clock: trio.testing.MockClock) -> None:
    pieces = await received(Body(bytes(8192 * KIB)), write_seconds=1)
    assert [len(piece) // KIB for piece in pieces[:7]] == [64, 64, 128, 128, 256, 256, 512]
    assert max(map(len, pieces)) == 1024 * KIB


async def test_buffers_of_a_slow_sender_stay_small(autojump_clock: trio.testing.MockClock) -> None:
    # 200 such uploads take 25 MiB together.
    class SlowBody(Body):
        async def receive_into(self, buffer: memoryview) -> int:
            await trio.sleep(1)
            return await super().receive_into(buffer)

    pieces = await received(SlowBody(bytes(1024 * KIB)))
    assert {len(piece) for piece in pieces} == {64 * KIB}


async def test_buffers_grow_no_further_than_the_budget(autojump_clock: trio.testing.MockClock) -> None:
    budget = BufferBudget(64 * KIB)
    pieces = await received(Body(bytes(1024 * KIB)), write_seconds=1, budget=budget)
    assert {len(piece) for piece in pieces} == {64 * KIB, 128 * KIB}
    assert budget.take(64 * KIB), "it was given back"
    assert not budget.take(1)


async def test_failure_to_receive_passes_as_it_is() -> None:
    budget = BufferBudget(1024 * KIB)
    with pytest.raises(ZeroDivisionError):
        await received(BrokenBody(bytes(300 * KIB)), write_seconds=0.001, budget=budget)
    assert budget.take(1024 * KIB)


async def test_failure_to_write_ends_the_waiting_for_more(autojump_clock: trio.testing.MockClock) -> None:
    async def write(data: memoryview) -> None:
        await trio.sleep(1)
        raise OSError("full")

    with trio.fail_after(10), pytest.raises(OSError, match="full"):
        await receive_all(write, EndlessBody(bytes(100 * KIB)), BufferBudget())


async def test_cancellation_gives_the_budget_back(autojump_clock: trio.testing.MockClock) -> None:
    budget = BufferBudget(1024 * KIB)
    with trio.move_on_after(20) as scope:
        await received(EndlessBody(bytes(1000 * KIB)), write_seconds=1, budget=budget)
    assert scope.cancelled_caught
    assert budget.take(1024 * KIB)


async def test_receive_whole_gives_the_bytes() -> None:
    assert bytes(await receive_whole(Body(b"data", (3,)), 4)) == b"data"
    assert bytes(await receive_whole(Body(b""), 0)) == b""


@pytest.mark.parametrize("announced", [3, 5])
async def test_receive_whole_of_another_length_is_incomplete(announced: int) -> None:
    with raises(ErrorCode.INCOMPLETE_BODY):
        await receive_whole(Body(b"data"), announced)
