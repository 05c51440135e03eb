"""Where the body of a message ends: the framings of RFC 9112 section 6, for what is received by either side.

The decoder of chunked transfer coding is our own because h11's takes a bare LF as the end of the trailers and a bare
CR inside a chunk extension, which others read as line ends (the smuggling of CVE-2025-55315 and CVE-2025-22871), and
because here the data of a chunk, too, is received in place. The tests hold it against h11's.
"""

import re
from abc import ABC, abstractmethod

from s3proxy.body import ByteStream
from s3proxy.http1.messages import ConnectionLostError

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*+|[ \t]*+)")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e\x80-\xff]*+")
_MAX_LINE_BYTES = 4096  # a chunk extension or one trailer; nobody is known to send either
_MAX_TRAILER_COUNT = 32
_LINE_BUFFER_BYTES = 512  # received to find a chunk line: small, since what follows it is wanted elsewhere


class MalformedBodyError(ConnectionLostError):
    """The peer broke the framing of the body that it is sending."""


class Inbound:
    """What a peer sends: first the bytes that were received too early, then those still to come."""

    __slots__ = ("ahead", "stream")

    def __init__(self, stream: ByteStream, ahead: bytes = b"") -> None:
        self.stream = stream
        self.ahead = ahead

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the start of ``buffer`` and return how many bytes, at least 1.

        Raises:
            ConnectionLostError: the peer closed, or stalled.
        """
        if ahead := self.ahead:
            count = min(len(ahead), len(buffer))
            buffer[:count] = ahead[:count]
            self.ahead = ahead[count:]
            return count
        count = await self.stream.receive_into(buffer)
        if count == 0:
            raise ConnectionLostError("the connection was closed within a body")
        return count

    async def receive_line(self) -> bytes:
        """Receive up to CRLF and return what is before it.

        Raises:
            MalformedBodyError: there is no CRLF where a line could still be called one.
        """
        buffer = memoryview(bytearray(_LINE_BUFFER_BYTES))
        while (end := self.ahead.find(b"\r\n", 0, _MAX_LINE_BYTES)) < 0:
            if len(self.ahead) >= _MAX_LINE_BYTES:
                raise MalformedBodyError("a line of the chunked coding is too long")
            ahead, self.ahead = self.ahead, b""
            self.ahead = ahead + buffer[: await self.receive_into(buffer)]
        line = self.ahead[:end]
        self.ahead = self.ahead[end + 2 :]
        return line


class FramedBody(ABC):
    """A body as it is received, and whether that has come to its end."""

    __slots__ = ("_inbound", "is_finished")

    def __init__(self, inbound: Inbound, *, is_finished: bool = False) -> None:
        self._inbound = inbound
        self.is_finished = is_finished

    @abstractmethod
    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``ByteStream.receive_into``; never a byte of the next message.

        Raises:
            ConnectionLostError: the peer closed or stalled before the end, or broke the framing.
        """


class SizedBody(FramedBody):
    """A body with a Content-Length."""

    __slots__ = ("remaining",)

    def __init__(self, inbound: Inbound, length: int) -> None:
        super().__init__(inbound, is_finished=length == 0)
        self.remaining = length

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``FramedBody.receive_into``."""
        if self.is_finished:
            return 0
        count = await self._inbound.receive_into(buffer[: self.remaining])
        self.remaining -= count
        self.is_finished = self.remaining == 0
        return count


class ChunkedBody(FramedBody):
    """A body in chunked transfer coding. Extensions and trailers are checked and dropped.

    Source: RFC 9112 section 7.1.
    """

    __slots__ = ("_remaining", "_within_body")

    def __init__(self, inbound: Inbound) -> None:
        super().__init__(inbound)
        self._remaining = 0  # of the chunk that is being received
        self._within_body = False  # a chunk has begun, so CRLF comes before the next

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``FramedBody.receive_into``: data of one chunk at a time."""
        if self.is_finished:
            return 0
        if self._remaining == 0:
            await self._begin_chunk()
        if self.is_finished:
            return 0
        count = await self._inbound.receive_into(buffer[: self._remaining])
        self._remaining -= count
        return count

    async def _begin_chunk(self) -> None:
        if self._within_body and await self._inbound.receive_line():
            raise MalformedBodyError("a chunk is longer than its size")
        self._within_body = True
        line = await self._inbound.receive_line()
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise MalformedBodyError(f"not the size of a chunk: {line[:80]!r}")
        self._remaining = int(match[1], 16)
        if self._remaining == 0:
            await self._receive_trailers()

    async def _receive_trailers(self) -> None:
        for _ in range(_MAX_TRAILER_COUNT):
            line = await self._inbound.receive_line()
            if not line:
                self.is_finished = True
                return
            if _TRAILER_LINE.fullmatch(line) is None:
                raise MalformedBodyError("a trailer is malformed")
        raise MalformedBodyError("there are too many trailers")
