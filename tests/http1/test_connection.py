"""One connection's life: requests in order, limits, 100-continue, and an end whenever there is doubt."""

import socket
from contextlib import suppress
from dataclasses import replace

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3proxy.http1.connection import Incident, Occupancy, ServerConnection
from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import ConnectionLostError, Handler, Request, Response
from s3proxy.http1.transfer import SocketTransport
from tests.http1.serving import (
    PATIENCE_SECONDS,
    QUICK,
    ListBody,
    SentRecorder,
    descriptor_count,
    echo,
    get,
    put,
    read_all,
    serving,
    unobserved,
)
from tests.http1.test_framing import MALFORMED
from tests.http1.test_request_head import SMUGGLING


async def test_serve_keeps_the_connection_for_the_next_request() -> None:
    async with serving(echo) as running, running.client() as client:
        assert (await client.ask(get(b"/1"))).body == b"GET /1 "
        assert (await client.ask(put(b"body"))).body == b"PUT /k body"
        reply = await client.ask(get(b"/2"))

    assert reply.body == b"GET /2 "
    assert b"connection" not in reply.headers


async def test_serve_pipelined_requests_answers_in_order() -> None:
    chunked = b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with serving(echo) as running, running.client() as client:
        await client.send(get(b"/1") + put(b"x" * 50_000) + chunked + b"\r\n" + get(b"/2"))

        bodies = [(await client.reply()).body for _ in range(4)]

    assert bodies == [b"GET /1 ", b"PUT /k " + b"x" * 50_000, b"PUT /c abc", b"GET /2 "]


async def test_serve_request_in_single_bytes_is_understood() -> None:
    async with serving(echo) as running, running.client() as client:
        for byte in put(b"abc"):
            await client.send(bytes([byte]))
            await trio.lowlevel.checkpoint()

        assert (await client.reply()).body == b"PUT /k abc"


async def test_serve_client_that_pipelines_gives_others_their_turn() -> None:
    served: list[bytes] = []

    async def handler(request: Request) -> Response:
        served.append(request.target)
        return Response(200, [], b"")

    async with serving(handler) as running, running.client() as busy, running.client() as other:
        await busy.ask(get(b"/busy"))
        await other.ask(get(b"/other"))
        served.clear()
        await busy.send(get(b"/busy") * 400)
        await other.send(get(b"/other"))
        await other.reply()

    assert 0 < served.count(b"/busy") < 400


async def test_serve_client_that_closed_its_side_still_gets_its_response() -> None:
    async with serving(echo) as running, running.client() as client:
        await client.send(put(b"abc"))
        await client.send_eof()

        assert (await client.reply()).body == b"PUT /k abc"
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "request_bytes",
    [
        get(headers=b"Connection: close\r\n"),
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ],
)
async def test_serve_client_that_wants_to_close_is_closed_after_its_response(request_bytes: bytes) -> None:
    async with serving(echo) as running, running.client() as client:
        reply = await client.ask(request_bytes)

        assert (reply.status, reply.headers[b"connection"]) == (200, b"close")
        assert await client.rest() == b""


async def test_serve_response_that_asks_to_close_ends_the_connection() -> None:
    async def handler(_: Request) -> Response:
        return Response(200, [], b"last", close=True)

    async with serving(handler) as running, running.client() as client:
        reply = await client.ask(get())

        assert (reply.body, reply.headers[b"connection"]) == (b"last", b"close")
        assert await client.rest() == b""


async def test_serve_request_gives_handler_the_peer() -> None:
    async def handler(request: Request) -> Response:
        return Response(200, [], request.peer.encode())

    async with serving(handler) as running, running.client() as client:
        assert (await client.ask(get())).body == b"127.0.0.1"


# security.md 12: after any parse error or unread body the connection closes


@pytest.mark.parametrize(("fields", "status"), SMUGGLING.values(), ids=SMUGGLING)
async def test_serve_head_that_others_may_read_differently_is_the_last(fields: bytes, status: int) -> None:
    targets = []

    async def handler(request: Request) -> Response:
        targets.append(request.target)
        return await echo(request)

    async with serving(handler) as running, running.client() as client:
        head = b"POST /attack HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n"
        reply = await client.ask(head + b"0\r\n\r\n" + get(b"/smuggled"))

        assert (reply.status, reply.headers[b"connection"]) == (status, b"close")
        assert await client.rest() == b""
        assert targets == []
        assert running.incident_kinds() == [Incident.REQUEST_REFUSED]


@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED)
async def test_serve_chunked_body_that_others_may_read_differently_is_the_last(stream: bytes) -> None:
    targets = []

    async def handler(request: Request) -> Response:
        targets.append(request.target)
        return await echo(request)

    async with serving(handler) as running, running.client() as client:
        head = b"POST /attack HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        reply = await client.ask(head + stream + get(b"/smuggled"))

        assert (reply.status, reply.headers[b"connection"]) == (400, b"close")
        assert await client.rest() == b""
        assert targets == [b"/attack"]
        assert running.incident_kinds() == [Incident.REQUEST_REFUSED]


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 40\r\n\r\n" + get(b"/smuggled"), b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
)
async def test_serve_request_whose_body_is_not_read_is_the_last(body: bytes) -> None:
    targets = []

    async def handler(request: Request) -> Response:
        targets.append(request.target)
        return Response(403, [], b"no")

    async with serving(handler) as running, running.client() as client:
        reply = await client.ask(b"PUT / HTTP/1.1\r\nHost: x\r\n" + body)

        assert (reply.status, reply.headers[b"connection"]) == (403, b"close")
        assert await client.rest() == b""
    assert targets == [b"/"]


async def test_serve_client_that_is_still_sending_can_read_the_refusal() -> None:
    async def handler(_: Request) -> Response:
        return Response(403, [], b"no")

    async with serving(handler) as running, running.client() as client:
        await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        await trio.sleep(0.05)  # until the response is on its way
        await client.send(b"x" * 300_000)
        await trio.sleep(0.05)  # until a reset, if there were one, would have destroyed it

        assert (await client.reply()).status == 403


# 100-continue


async def test_serve_expected_continue_is_sent_when_the_body_is_asked_for() -> None:
    asked = trio.Event()

    async def handler(request: Request) -> Response:
        await asked.wait()
        return Response(200, [], await read_all(request))

    async with serving(handler) as running, running.client() as client:
        await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        with trio.move_on_after(0.05) as silence:
            await client.stream.receive_some(1)
        assert silence.cancelled_caught
        asked.set()
        await client.receive_exactly(b"HTTP/1.1 100 Continue\r\n\r\n")

        assert (await client.ask(b"abc")).body == b"abc"
        assert (await client.ask(put(b"d"))).body == b"d"


async def test_serve_expected_continue_is_never_sent_when_the_head_decides() -> None:
    async def handler(_: Request) -> Response:
        return Response(403, [], b"no")

    async with serving(handler) as running, running.client() as client:
        await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        received = await client.rest()

    assert received.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"Connection: close\r\n" in received


async def test_serve_expected_continue_without_a_body_is_sent_all_the_same() -> None:
    # botocore keeps the status of an answer that came without it, and waits for a body without end after the next one.
    async with serving(echo) as running, running.client() as client:
        for length in (b"", b"Content-Length: 0\r\n"):
            await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\n%bExpect: 100-continue\r\n\r\n" % length)

            await client.receive_exactly(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert (await client.reply()).status == 200


# Handlers that fail


async def test_serve_handler_that_raises_is_500_and_closes() -> None:
    async def handler(_: Request) -> Response:
        raise ZeroDivisionError

    async with serving(handler) as running, running.client() as client:
        reply = await client.ask(get())

        assert (reply.status, reply.headers[b"connection"]) == (500, b"close")
        assert await client.rest() == b""
        assert [(kind, type(error)) for kind, error in running.incidents] == [
            (Incident.HANDLER_FAILED, ZeroDivisionError)
        ]


async def test_serve_handler_that_lost_its_client_is_no_incident() -> None:
    async def handler(_: Request) -> Response:
        raise ConnectionLostError

    async with serving(handler) as running, running.client() as client:
        await client.send(get())

        assert await client.rest() == b""
        assert running.incidents == []


# Deadlines. security.md 11: Ceph CVE-2019-19337, CVE-2019-10222, CVE-2020-1700, CVE-2019-3821


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", get() + b"GET /2 HTTP/1.1\r\n"])
async def test_serve_head_that_never_ends_is_408(start: bytes) -> None:
    limits = replace(QUICK, head_timeout_seconds=0.1, idle_timeout_seconds=60)
    async with serving(echo, limits) as running, running.client() as client:
        await client.send(start)
        received = await client.rest()

    assert received.count(b"HTTP/1.1 200 OK\r\n") == start.count(b"\r\n\r\n")
    assert b"HTTP/1.1 408 Request Timeout\r\n" in received


async def test_serve_slowloris_is_408_though_bytes_keep_coming() -> None:
    async with serving(echo, replace(QUICK, head_timeout_seconds=0.2)) as running, running.client() as client:

        async def drip() -> None:
            await client.send(b"GET / HTTP/1.1\r\nX: ")
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while True:
                    await client.send(b"a")
                    await trio.sleep(0.02)

        running.nursery.start_soon(drip)
        assert (await client.reply()).status == 408


@pytest.mark.parametrize("requests_before", [0, 1])
async def test_serve_silent_client_is_closed_without_a_word(requests_before: int) -> None:
    limits = replace(QUICK, head_timeout_seconds=0.1 if requests_before == 0 else 60, idle_timeout_seconds=0.1)
    async with serving(echo, limits) as running, running.client() as client:
        for _ in range(requests_before):
            assert (await client.ask(get())).status == 200

        assert await client.rest() == b""
        assert running.incidents == []


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"])
@pytest.mark.parametrize("is_gone", [True, False])
async def test_serve_body_that_does_not_come_is_lost_to_the_handler(framing: bytes, is_gone: bool) -> None:
    errors = []

    async def handler(request: Request) -> Response:
        try:
            return await echo(request)
        except ConnectionLostError as error:
            errors.append(error)
            raise

    async with serving(handler, replace(QUICK, stall_timeout_seconds=0.1)) as running, running.client() as client:
        await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\n" + framing)
        if is_gone:
            await client.send_eof()

        assert await client.rest() == b""
        assert len(errors) == 1
        assert running.incidents == []


async def test_serve_client_that_does_not_read_is_given_up() -> None:
    body = ListBody([b"x" * 1_000_000] * 50, 50_000_000)
    recorder = SentRecorder()

    async def handler(_: Request) -> Response:
        return Response(200, [], body, on_sent=recorder)

    async with serving(handler, replace(QUICK, stall_timeout_seconds=0.1)) as running, running.client() as client:
        await client.send(get())
        await running.wait_until(lambda: bool(recorder.calls))

        assert not recorder.calls[0].is_complete
        assert body.closed == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 201 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 40_000, 431),
        (b"GET /" + b"k" * 40_000, 414),
        (b"GET /" + b"k" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ],
)
async def test_serve_endless_head_is_refused(data: bytes, status: int) -> None:
    async with serving(echo) as running, running.client() as client:
        reply = await client.ask(data)

        assert (reply.status, reply.headers[b"connection"]) == (status, b"close")
        assert await client.rest() == b""


# Any input at all

VALID = st.sampled_from(
    [
        get(b"/k?versions"),
        put(b"hello"),
        b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    ]
)
SNIPPETS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\x00", b" ", b":", b"0", b"-", b"+", b"Content-Length: 9\r\n", b"\xff", b"\r\n\r\n"]
)


@st.composite
def mutated_requests(draw: st.DrawFn) -> bytes:
    data = b"".join(draw(st.lists(VALID, min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        removed = draw(st.integers(0, 3))
        data = data[:at] + draw(st.one_of(SNIPPETS, st.binary(max_size=3))) + data[at + removed :]
    return data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(mutated_requests(), min_size=1, max_size=8))
def test_serve_mutated_requests_never_hangs_never_fails_and_keeps_no_descriptor(requests: list[bytes]) -> None:
    # security.md 11
    async def attack() -> None:
        async with serving(echo) as running:
            before = descriptor_count()
            for data in requests:
                async with running.client() as client:
                    await client.send(data)
                    await client.send_eof()
                    received = await client.rest()
                assert b"HTTP/1.1 500" not in received
            await running.wait_until(lambda: running.server.connections == 0)
            assert descriptor_count() == before
            assert {kind for kind, _ in running.incidents} <= {Incident.REQUEST_REFUSED}

    trio.run(attack)


# Cancellation at every step


class CancelAt(trio.abc.Instrument):
    """Cancels a scope when a task has made a number of steps."""

    def __init__(self, task: trio.lowlevel.Task, scope: trio.CancelScope, steps: int) -> None:
        self._task = task
        self._scope = scope
        self._steps = steps

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._steps -= 1
            if self._steps == 0:
                self._scope.cancel()


async def one_connection(handler: Handler, cancel_at: int) -> bool:
    """Serve an upload and a download; whether it was over before it was cancelled."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    client.setblocking(False)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    transport = SocketTransport(accepted, "test", stall_seconds=2, disk=trio.CapacityLimiter(1))
    service = unobserved(handler, Limits(linger_seconds=0.01))

    async def talk() -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(client))
        with trio.move_on_after(PATIENCE_SECONDS):
            try:
                await stream.send_all(b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
                await stream.send_all(b"Expect: 100-continue\r\nContent-Length: 300000\r\n\r\n")
                await stream.send_all(b"x" * 300_000)
                while await stream.receive_some(10_000):
                    pass
            except trio.BrokenResourceError:
                pass
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        with trio.CancelScope() as scope:
            instrument = CancelAt(trio.lowlevel.current_task(), scope, cancel_at)
            trio.lowlevel.add_instrument(instrument)
            try:
                await ServerConnection(transport, service, Occupancy()).serve()
            finally:
                trio.lowlevel.remove_instrument(instrument)
    return not scope.cancelled_caught


async def cancelled_at(step: int) -> bool:
    """Check one cancelled connection; whether it was over before."""
    body = ListBody([b"a" * 100_000, b"b" * 100_000], 200_000)
    recorder = SentRecorder()
    responses: list[Response] = []

    async def handler(request: Request) -> Response:
        await read_all(request, 65536)
        await trio.lowlevel.checkpoint()
        responses.append(Response(200, [], body, on_sent=recorder))
        return responses[0]

    is_over = await one_connection(handler, step)

    assert body.closed == len(recorder.calls) == len(responses)
    assert not is_over or recorder.calls[0].is_complete
    return is_over


@pytest.mark.timeout(60)
async def test_serve_cancelled_at_any_step_closes_body_and_socket_once() -> None:
    before = descriptor_count()
    step = 1
    while not await cancelled_at(step):
        assert descriptor_count() == before
        step += 1
    assert step > 10
    assert descriptor_count() == before
