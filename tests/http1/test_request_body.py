"""A request body is asked for once, and only when it is wanted."""

import pytest

from s3proxy.body import FileSlice
from s3proxy.http1.framing import Inbound
from s3proxy.http1.request_body import ReceivedBody
from s3proxy.http1.transfer import Transport
from tests.http1.test_framing import ScriptedStream


class ScriptedTransport(Transport):
    """Gives the pieces of a list, one per call, then the end; keeps what is sent."""

    def __init__(self, *pieces: bytes) -> None:
        self.peer = "test"
        self.sent_bytes = 0
        self.sent = b""
        self._script = ScriptedStream(pieces)

    async def receive(self) -> bytes:
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        raise NotImplementedError

    def end_wait(self) -> None:
        raise NotImplementedError

    async def receive_into(self, buffer: memoryview) -> int:
        return await self._script.receive_into(buffer)

    async def send(self, *parts: bytes | memoryview) -> None:
        self.sent += b"".join(parts)

    async def send_file(self, prefix: bytes, piece: FileSlice) -> int:
        raise NotImplementedError

    async def finish(self, linger_seconds: float) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


async def read(body: ReceivedBody) -> bytes:
    buffer = memoryview(bytearray(1))
    data = b""
    while await body.receive_into(buffer):
        data += buffer
    return data


@pytest.mark.parametrize(("ahead", "sent"), [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"1", b"")])
async def test_awaited_body_is_asked_for_once_unless_it_is_coming(ahead: bytes, sent: bytes) -> None:
    transport = ScriptedTransport(b"123"[len(ahead) :])
    body = ReceivedBody(transport, Inbound(transport, ahead), 3, is_awaited=True)
    assert transport.sent == b""

    assert await read(body) == b"123"
    assert transport.sent == sent


async def test_chunked_body_that_is_awaited_is_asked_for_and_ends_for_good() -> None:
    transport = ScriptedTransport(b"2\r\nhi\r\n0\r\n\r\nGET /")
    body = ReceivedBody(transport, Inbound(transport), None, is_awaited=True)
    assert not body.is_finished

    assert await read(body) == b"hi"
    assert body.is_finished
    assert await body.receive_into(memoryview(bytearray(1))) == 0
    assert transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_body_that_is_not_awaited_is_received_without_asking() -> None:
    transport = ScriptedTransport(b"123")
    body = ReceivedBody(transport, Inbound(transport), 3, is_awaited=False)

    assert (await read(body), transport.sent) == (b"123", b"")


@pytest.mark.parametrize("length", [3, None])
async def test_received_bytes_are_those_of_the_body_alone(length: int | None) -> None:
    sent = b"123" if length else b"3\r\n123\r\n0\r\n\r\n"
    transport = ScriptedTransport(sent)
    body = ReceivedBody(transport, Inbound(transport), length, is_awaited=False)
    assert body.received_bytes == 0
    await read(body)
    assert body.received_bytes == 3
