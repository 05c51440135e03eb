import pytest
import trio
import trio.testing

from s3proxy.body import Body
from s3proxy.gateway.slow_answers import PATIENCE_SECONDS, answer_in_time
from s3proxy.http1.messages import Response

DOCUMENT = b'<?xml version="1.0" encoding="UTF-8"?>\n<Done/>'


async def chunks_of(response: Response) -> list[bytes]:
    assert isinstance(response.body, Body)
    async with response.body as body:
        return [bytes(chunk) async for chunk in body if isinstance(chunk, bytes)]


async def test_quick_work_answers_with_its_own_status(autojump_clock: trio.testing.MockClock) -> None:
    async def work() -> Response:
        await trio.sleep(PATIENCE_SECONDS / 2)
        return Response(409, [], DOCUMENT)

    async with trio.open_nursery() as jobs:
        response = await answer_in_time(jobs, work)
    assert (response.status, response.body) == (409, DOCUMENT)


async def test_slow_work_sends_white_space_and_then_its_document(autojump_clock: trio.testing.MockClock) -> None:
    async def work() -> Response:
        await trio.sleep(40)
        return Response(500, [], DOCUMENT)

    async with trio.open_nursery() as jobs:
        response = await answer_in_time(jobs, work)
        assert (response.status, response.headers) == (200, [(b"content-type", b"application/xml")])
        chunks = await chunks_of(response)
    assert chunks[0] == DOCUMENT.partition(b"<Done/>")[0]
    assert chunks[1:-1] == [b" "] * 3
    assert chunks[-1] == b"<Done/>"


async def test_client_that_goes_away_does_not_end_the_work(autojump_clock: trio.testing.MockClock) -> None:
    finished = trio.Event()

    async def work() -> Response:
        await trio.sleep(60)
        finished.set()
        return Response(200, [], DOCUMENT)

    async with trio.open_nursery() as jobs:
        with trio.move_on_after(1):
            await answer_in_time(jobs, work)
        assert not finished.is_set()
    assert finished.is_set()


async def test_work_that_is_cancelled_breaks_the_answer_off(autojump_clock: trio.testing.MockClock) -> None:
    async def work() -> Response:
        await trio.sleep_forever()

    async with trio.open_nursery() as jobs:
        response = await answer_in_time(jobs, work)
        jobs.cancel_scope.cancel()
    with pytest.raises(trio.BrokenResourceError):
        await chunks_of(response)
