"""Requests over as few connections as will do, repeated only where that does no harm, and cancelled anywhere."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from s3proxy.http1.client import ClientLimits, HttpClient, NotSentError, Origin, UnsendableRequestError
from s3proxy.http1.client.wire import StalledError
from s3proxy.http1.messages import ConnectionLostError
from tests.http1.client.certificates import NAME, contexts
from tests.http1.client.scripted import HOST, OK, PATIENT, QUICK, Peer, Pieces, Script, Served, answering, read, serving

MIB = bytes(1 << 20)


async def endlessly(peer: Peer) -> None:
    while True:
        await peer.answer(OK)


def first_connection(script: Script) -> Script:
    """Run ``script`` on the first connection, and answer on all others."""

    async def run(peer: Peer) -> None:
        await (script if peer.number == 0 else endlessly)(peer)

    return run


async def answer_once_then_die_with_the_next(peer: Peer) -> None:
    await peer.answer(OK)
    await peer.request()


async def fetch(served: Served, method: bytes = b"GET") -> bytes:
    return await (await served.get(method=method)).read(100)


async def test_request_is_sent_as_given_and_only_its_length_is_added() -> None:
    requests = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.answer(OK))

    async with serving(script) as served:
        headers = [(b"host", b"s3"), (b"X-Amz-Date", b"20261123T000000Z")]
        await (await served.client.request(b"PUT", b"/b/k%2F?uploads", headers, b"body")).read(2)

    assert (requests[0].head.method, requests[0].head.target) == (b"PUT", b"/b/k%2F?uploads")
    assert list(requests[0].head.headers) == [
        (b"host", b"s3"),
        (b"x-amz-date", headers[1][1]),
        (b"content-length", b"4"),
    ]
    assert requests[0].body == b"body"


async def test_requests_one_after_another_share_a_connection() -> None:
    async with serving(endlessly) as served:
        for _ in range(5):
            assert await fetch(served) == b"ok"

        assert served.connections == 1
        assert repr(served.client) == f"<HttpClient 127.0.0.1:{served.port}: 1 idle>"


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    async with serving(endlessly, ClientLimits(max_idle=2)) as served:
        responses = [await served.get() for _ in range(4)]
        # The bodies came with the heads, but are not received yet.
        assert served.connections == 4
        for response in responses:
            await response.read(2)

        assert repr(served.client).endswith("2 idle>")


async def test_request_after_the_idle_timeout_makes_a_connection() -> None:
    async with serving(endlessly, ClientLimits(idle_timeout_seconds=0.02)) as served:
        await fetch(served)
        await trio.sleep(0.03)
        await fetch(served)

        assert served.connections == 2


@pytest.mark.parametrize("unasked", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n", OK])
@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_idle_connection_that_closed_or_spoke_unasked_is_not_used_again(unasked: bytes, method: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await trio.sleep(0.01)
        if unasked:
            await peer.send(unasked)
            await peer.wait_closed()

    async with serving(first_connection(script)) as served:
        await fetch(served)
        await trio.sleep(0.05)
        assert await fetch(served, method) == b"ok"
        assert served.connections == 2


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE"])
async def test_idempotent_request_on_a_connection_that_turns_out_dead_is_repeated(method: bytes) -> None:
    async with serving(first_connection(answer_once_then_die_with_the_next)) as served:
        await fetch(served)
        response = await served.get(method=method)
        assert response.status == 200
        await read(response)
        assert served.connections == 2


async def test_large_body_on_a_connection_that_turns_out_dead_is_sent_again() -> None:
    async def die_early(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.stream.receive_some(10)

    async with serving(first_connection(die_early)) as served:
        await fetch(served)
        response = await served.client.request(b"PUT", b"/", HOST, MIB * 8)
        assert await response.read(2) == b"ok"


async def test_post_on_a_connection_that_turns_out_dead_is_not_repeated() -> None:
    async with serving(first_connection(answer_once_then_die_with_the_next)) as served:
        await fetch(served)
        with pytest.raises(ConnectionLostError) as caught:
            await fetch(served, b"POST")
        assert not isinstance(caught.value, NotSentError)
        assert served.connections == 1


async def test_stream_on_a_connection_that_turns_out_dead_is_not_repeated() -> None:
    async with serving(first_connection(answer_once_then_die_with_the_next)) as served:
        await fetch(served)
        with pytest.raises(ConnectionLostError):
            await served.client.request(b"PUT", b"/", HOST, Pieces(b"x"))
        assert served.connections == 1


async def test_request_is_not_repeated_once_something_of_a_response_came() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.answer(b"HTTP/1.1 20")

    async with serving(first_connection(script)) as served:
        await fetch(served)
        with pytest.raises(ConnectionLostError):
            await fetch(served)
        assert served.connections == 1


async def test_request_that_was_not_answered_in_time_is_not_repeated() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.request()
        await trio.sleep_forever()

    async with serving(first_connection(script), QUICK) as served:
        await fetch(served)
        with pytest.raises(StalledError):
            await fetch(served)
        assert served.connections == 1


async def test_request_on_a_fresh_connection_that_dies_is_not_repeated() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with serving(script) as served:
        with pytest.raises(ConnectionLostError):
            await fetch(served)
        assert served.connections == 1


async def test_request_to_nobody_raises_not_sent() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()

    with pytest.raises(NotSentError):
        await HttpClient(Origin(host="127.0.0.1", port=port)).request(b"GET", b"/", HOST)


async def test_request_that_cannot_be_rendered_costs_no_connection() -> None:
    async with serving(endlessly) as served:
        with pytest.raises(UnsendableRequestError):
            await served.client.request(b"GET", b"/\r\n", HOST)
        assert served.connections == 0


async def test_aclose_closes_idle_connections_and_those_in_use_when_they_are_done() -> None:
    async with serving(endlessly) as served:
        await fetch(served)
        response = await served.get()
        await served.client.aclose()
        await served.client.aclose()
        assert await response.read(2) == b"ok"

        assert repr(served.client).endswith("0 idle>")


async def test_requests_through_tls_share_a_connection_and_bodies_arrive() -> None:
    body = bytes(range(256)) * 8192

    async def script(peer: Peer) -> None:
        for _ in range(3):
            request = await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert request.body == body
        await peer.wait_closed()

    async with serving(script, tls=contexts(), host=NAME) as served:
        for sent in (body, Pieces(body[:100_000], body[100_000:]), body):
            response = await served.client.request(b"PUT", b"/", HOST, sent)
            assert await read(response, 300_000) == body
        assert served.connections == 1


async def test_early_response_through_tls_ends_the_sending() -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive_some(100)
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await trio.sleep_forever()

    async with serving(script, tls=contexts(), host=NAME) as served:
        response = await served.client.request(b"PUT", b"/", HOST, Pieces(*[MIB] * 40))
        assert (response.status, await response.read(2)) == (403, b"no")


async def test_response_until_close_through_tls_is_whole_only_with_a_goodbye() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if peer.number == 0:
            await peer.stream.aclose()

    async with serving(script, tls=contexts(), host=NAME) as served:
        assert await fetch(served) == b"hello"
        with pytest.raises(ConnectionLostError):
            await fetch(served)


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope just before a task goes on for the n-th time, so that it is cancelled where it waits next."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope = scope
        self._task = trio.lowlevel.current_task()
        self._steps_left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._steps_left -= 1
            if self._steps_left == 0:
                self._scope.cancel()


async def slowly(peer: Peer) -> None:
    """Answer each request in pieces."""
    while True:
        await peer.request()
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
            await peer.send(piece)
            await trio.sleep(0.001)
        for _ in range(3):
            await peer.send(b"5\r\nhel")
            await trio.sleep(0.001)
            await peer.send(b"lo\r\n")
        await peer.send(b"0\r\n\r\n")


async def deny(peer: Peer) -> None:
    await peer.stream.receive_some(100)
    await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    await peer.wait_closed()


async def die_every_other_time(peer: Peer) -> None:
    await (endlessly if peer.number % 2 else answer_once_then_die_with_the_next)(peer)


async def exchange(served: Served, method: bytes, body: bytes | Pieces) -> None:
    response = await served.client.request(method, b"/", HOST, body)
    try:
        await read(response)
    finally:
        await response.aclose()


async def twice(served: Served) -> None:
    await exchange(served, b"GET", b"")
    await exchange(served, b"GET", b"")


CANCELLED: dict[str, tuple[Script, bool, Callable[[Served], Awaitable[None]]]] = {
    "get": (slowly, False, twice),
    "get through TLS": (slowly, True, twice),
    "large bytes": (slowly, False, partial(exchange, method=b"PUT", body=MIB * 4)),
    "stream": (slowly, False, partial(exchange, method=b"PUT", body=Pieces(MIB, partial(trio.sleep, 0), MIB))),
    "stream through TLS": (slowly, True, partial(exchange, method=b"PUT", body=Pieces(MIB, MIB))),
    "early response": (deny, False, partial(exchange, method=b"PUT", body=Pieces(*[MIB] * 20))),
    "dead connection": (die_every_other_time, False, twice),
}


@pytest.mark.parametrize(("script", "is_tls", "use"), CANCELLED.values(), ids=CANCELLED)
async def test_cancelled_at_any_await_leaves_no_descriptor_and_a_client_that_works(
    script: Script, is_tls: bool, use: Callable[[Served], Awaitable[None]]
) -> None:
    tls = contexts() if is_tls else None
    async with serving(script, tls=tls, host=NAME if is_tls else "127.0.0.1") as served:  # which counts descriptors
        step = 0
        is_cancelled = True
        while is_cancelled:
            step += 1
            with trio.CancelScope() as scope:
                instrument = CancelAtStep(scope, step)
                trio.lowlevel.add_instrument(instrument)
                try:
                    await use(served)
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            is_cancelled = scope.cancelled_caught
        assert step >= 5
        await use(served)


async def test_clients_of_many_tasks_get_their_own_answers() -> None:
    async def echo(peer: Peer) -> None:
        while True:
            request = await peer.request()
            body = request.head.target
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async def ask(served: Served, name: int) -> None:
        for turn in range(10):
            target = b"/%d/%d" % (name, turn)
            assert await (await served.get(target)).read(100) == target

    async with serving(echo, PATIENT) as served, trio.open_nursery() as nursery:
        for name in range(20):
            nursery.start_soon(ask, served, name)
    assert served.connections <= 20


async def test_answers_of_one_connection_are_not_mixed_up_after_one_was_left_unread() -> None:
    async with serving(answering(OK, OK)) as served:
        unread = await served.get()
        await unread.aclose()
        assert await fetch(served) == b"ok"
        assert served.connections == 2
