"""A response is framed right, never padded, and its body closed once on every path."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import h11
import pytest
import trio

from s3proxy.body import Chunk, FileSlice
from s3proxy.http1.connection import Incident
from s3proxy.http1.messages import Request, Response, Sent
from tests.http1.serving import ListBody, SentRecorder, get, read_all, serving


async def exchange(response: Response, request: bytes) -> tuple[bytes, list[Incident]]:
    """All that a client receives that asks once and closes its side."""

    async def handler(_: Request) -> Response:
        return response

    async with serving(handler) as running, running.client() as client:
        await client.send(request)
        await client.send_eof()
        return await client.rest(), running.incident_kinds()


def split(received: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


BODY_CHUNKS: list[Chunk | Exception] = [b"ab", memoryview(b"cde"), b"f" * 300_000]
BODY = b"abcde" + b"f" * 300_000


@pytest.mark.parametrize("body", [b"", b"small", b"x" * 3_000_000])
async def test_send_response_of_bytes_announces_their_length(body: bytes) -> None:
    received, _ = await exchange(Response(200, [(b"ETag", b"e")], body), get())

    head, sent = split(received)
    assert head[0] == b"HTTP/1.1 200 OK"
    assert head[-2:] == [b"ETag: e", b"Content-Length: %d" % len(body)]
    assert sent == body


async def test_send_response_of_chunks_with_a_length_sends_them_as_they_are() -> None:
    body = ListBody(BODY_CHUNKS, len(BODY))
    recorder = SentRecorder()

    received, _ = await exchange(Response(200, [], body, on_sent=recorder), get())

    head, sent = split(received)
    assert b"Content-Length: 300005" in head
    assert sent == BODY
    assert body.closed == 1
    assert recorder.calls == [Sent(body_bytes=300_005, is_complete=True)]


async def test_send_response_of_unknown_length_uses_chunked_coding() -> None:
    body = ListBody(BODY_CHUNKS, None)

    async def handler(_: Request) -> Response:
        return Response(200, [], body)

    async with serving(handler) as running, running.client() as client:
        reply = await client.ask(get())

    assert reply.headers[b"transfer-encoding"] == b"chunked"
    assert b"content-length" not in reply.headers
    assert reply.body == BODY
    assert body.closed == 1


async def test_send_response_of_unknown_length_without_chunks_is_an_empty_chunked_body() -> None:
    received, _ = await exchange(Response(200, [], ListBody([], None)), get())

    assert split(received)[1] == b"0\r\n\r\n"


async def test_send_response_of_length_zero_without_chunks_sends_the_head() -> None:
    received, _ = await exchange(Response(200, [], ListBody([], 0)), get())

    assert b"Content-Length: 0" in split(received)[0]


async def test_send_response_of_unknown_length_to_http10_ends_with_the_connection() -> None:
    received, _ = await exchange(Response(200, [], ListBody(BODY_CHUNKS, None)), b"GET / HTTP/1.0\r\n\r\n")

    head, sent = split(received)
    assert head[-1] == b"Connection: close"
    assert not any(line.startswith((b"Content-Length", b"Transfer-Encoding")) for line in head)
    assert sent == BODY


@pytest.mark.parametrize("length", [None, 200_000])
async def test_send_response_of_file_slices_sends_the_bytes_of_the_file(tmp_path: Path, length: int | None) -> None:
    content = os.urandom(200_000)
    (tmp_path / "f").write_bytes(content)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    body = ListBody([FileSlice(fd, 0, 100), FileSlice(fd, 100, 150_000), FileSlice(fd, 150_100, 49_900)], length)

    async def handler(_: Request) -> Response:
        return Response(200, [], body)

    async with serving(handler) as running, running.client() as client:
        reply = await client.ask(get())
    os.close(fd)

    assert reply.body == content


@pytest.mark.parametrize(
    ("request_bytes", "response", "length"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", Response(200, [], b"", content_length=5 << 40), 5 << 40),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", Response(200, [], b"", content_length=0), 0),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", Response(404, [], b"<Error/>"), 8),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", Response(404, [], b""), None),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", Response(200, [], ListBody([b"ab"], 2)), 2),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", Response(200, [], ListBody([b"ab"], None)), None),
        (get(), Response(304, [], b"", content_length=7), 7),
        (get(), Response(304, [], b""), None),
        (get(), Response(204, [], b""), None),
        (get(), Response(204, [], b"x", content_length=1), None),
    ],
)
async def test_send_response_that_has_no_body_sends_the_head_only(
    request_bytes: bytes, response: Response, length: int | None
) -> None:
    received, _ = await exchange(response, request_bytes)

    head, sent = split(received)
    lengths = [line for line in head if line.startswith(b"Content-Length")]
    assert lengths == ([] if length is None else [b"Content-Length: %d" % length])
    assert not any(line.startswith(b"Transfer-Encoding") for line in head)
    assert sent == b""
    assert isinstance(response.body, bytes) or (response.body == response.body and vars(response.body)["closed"] == 1)


class BrokenError(Exception):
    """What a body may raise."""


@pytest.mark.parametrize("length", [10, None])
@pytest.mark.parametrize("request_bytes", [get(), b"GET / HTTP/1.0\r\n\r\n"])
async def test_send_response_whose_body_raises_midway_is_cut_short(request_bytes: bytes, length: int | None) -> None:
    body = ListBody([b"ab", BrokenError()], length)
    recorder = SentRecorder()

    received, incidents = await exchange(Response(200, [], body, on_sent=recorder), request_bytes)

    assert not received.endswith(b"0\r\n\r\n")
    assert len(split(received)[1]) < 10
    assert body.closed == 1
    assert [sent.is_complete for sent in recorder.calls] == [False]
    assert incidents == [Incident.RESPONSE_FAILED]


async def test_send_response_whose_body_raises_midway_tells_even_an_http10_client() -> None:
    async def handler(_: Request) -> Response:
        return Response(200, [], ListBody([b"ab", BrokenError()], None))

    async with serving(handler) as running, running.client() as client:
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.stream.receive_some(65536)).endswith(b"\r\n\r\nab")
        with pytest.raises(trio.BrokenResourceError):  # a reset, since a proper close would end such a body well
            await client.stream.receive_some(65536)


@pytest.mark.parametrize(("chunks", "sent_bytes"), [([], 0), ([b"abcd"], 4), ([b"abcd", b"ef"], 4), ([b"abcdef"], 0)])
async def test_send_response_whose_chunks_do_not_add_up_is_cut_short(
    chunks: list[Chunk | Exception], sent_bytes: int
) -> None:
    body = ListBody(chunks, 5)
    recorder = SentRecorder()

    received, incidents = await exchange(Response(200, [], body, on_sent=recorder), get())

    assert len(split(received)[1]) == sent_bytes
    assert recorder.calls == [Sent(body_bytes=sent_bytes, is_complete=False)]
    assert body.closed == 1
    assert incidents == [Incident.RESPONSE_FAILED]


@pytest.mark.parametrize("size", [1000, 500_000])
async def test_send_response_of_file_that_shrank_is_cut_short(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(b"x" * (size - 1))
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    body = ListBody([FileSlice(fd, 0, size)], size)
    recorder = SentRecorder()

    received, _ = await exchange(Response(200, [], body, on_sent=recorder), get())
    os.close(fd)

    assert recorder.calls == [Sent(body_bytes=size - 1, is_complete=False)]
    assert split(received)[1].strip(b"x") == b""
    assert body.closed == 1


async def test_send_response_to_client_that_left_reports_it_and_no_incident() -> None:
    body = ListBody([b"x" * 1_000_000] * 50, 50_000_000)
    recorder = SentRecorder()

    async def handler(_: Request) -> Response:
        return Response(200, [], body, on_sent=recorder)

    async with serving(handler) as running:
        async with running.client() as client:
            await client.send(get())
            await client.stream.receive_some(1000)
        await running.wait_until(lambda: bool(recorder.calls))

        assert not recorder.calls[0].is_complete
        assert 0 < recorder.calls[0].body_bytes < 50_000_000
        assert body.closed == 1
        assert running.incidents == []


async def test_send_response_with_unsendable_header_is_500_and_closes_the_body() -> None:
    body = ListBody([b"ab"], 2)
    recorder = SentRecorder()

    received, incidents = await exchange(Response(200, [(b"x", b"a\r\nb: c")], body, on_sent=recorder), get())

    assert received.startswith(b"HTTP/1.1 500 ")
    assert b"Connection: close" in received
    assert recorder.calls == [Sent(body_bytes=0, is_complete=False)]
    assert body.closed == 1
    assert incidents == [Incident.HANDLER_FAILED]


async def test_send_response_whose_report_raises_still_serves_others() -> None:
    def on_sent(_: Sent) -> None:
        raise BrokenError

    async def handler(request: Request) -> Response:
        return Response(200, [], await read_all(request), on_sent=on_sent if request.target == b"/bad" else None)

    async with serving(handler) as running:
        async with running.client() as client:
            assert (await client.ask(get(b"/bad"))).status == 200
        async with running.client() as client:
            assert (await client.ask(get())).status == 200
        assert running.incident_kinds() == [Incident.RESPONSE_FAILED]


async def test_send_response_from_async_generator_that_breaks_off_closes_the_generator() -> None:
    finished = []

    class GeneratorBody(ListBody):
        async def __aiter__(self) -> AsyncIterator[Chunk]:
            try:
                for _ in range(1000):
                    yield b"x" * 100_000
            finally:
                finished.append(True)

    body = GeneratorBody([], 100_000_000)

    async def handler(_: Request) -> Response:
        return Response(200, [], body)

    async with serving(handler) as running:
        client = await running.connect()
        async with client.stream:
            await client.send(get())
        await running.wait_until(lambda: body.closed == 1)
    assert finished == [True]


async def test_client_reads_a_response_cut_short_as_an_error() -> None:
    async def handler(_: Request) -> Response:
        return Response(200, [], ListBody([b"ab", BrokenError()], None))

    async with serving(handler) as running, running.client() as client:
        await client.send(get())
        with pytest.raises(h11.RemoteProtocolError):
            await client.reply()


@pytest.mark.parametrize("length", [6, None])
async def test_response_begins_with_the_first_chunk_of_its_body_and_ends_with_the_last(length: int | None) -> None:
    class SlowBody(ListBody):
        async def __anext__(self) -> Chunk:
            await trio.sleep(0.05)
            return await super().__anext__()

    ends: list[float] = []
    response = Response(200, [], SlowBody([b"abc", b"def"], length), on_sent=lambda _: ends.append(time.monotonic()))
    started = time.monotonic()

    await exchange(response, get())

    assert response.begun_at is not None
    assert response.begun_at - started >= 0.05
    assert ends[0] - response.begun_at >= 0.05


@pytest.mark.parametrize("request_bytes", [get(), b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_response_without_a_stream_begins_when_it_is_sent(request_bytes: bytes) -> None:
    response = Response(200, [], b"small")
    started = time.monotonic()
    await exchange(response, request_bytes)
    assert response.begun_at is not None
    assert started <= response.begun_at <= time.monotonic()
