"""Request bodies of any length, received piece by piece while what came before is written; for every store."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from s3proxy.body import ByteStream
from s3proxy.s3.errors import ErrorCode, S3Error

WHOLE_BYTES: Final = 64 * 1024
"""A body of at most this size is received whole, so that its PUT costs one hop to a thread (170 us) in all."""

_SMALL_BUFFER_BYTES = 64 * 1024
_LARGE_BUFFER_BYTES = 1024 * 1024
_MOST_LARGE_BUFFERS = 32  # 16 fast uploads; with more than that, the others go on with small ones
_MOST_IDLE_BUFFERS = 8  # kept, since the kernel takes 0.4 ms to give 1 MiB of fresh pages

Write = Callable[[memoryview], Awaitable[None]]


class LargeBuffers:
    """The large buffers of a process: a bounded number, of which some are kept for the next upload.

    Args:
        most: how many may be in use at a time.
    """

    def __init__(self, most: int = _MOST_LARGE_BUFFERS) -> None:
        self._available = most
        self._idle: list[memoryview] = []

    def take(self) -> memoryview | None:
        """A buffer of 1 MiB, or None when too many are in use."""
        if not self._available:
            return None
        self._available -= 1
        return self._idle.pop() if self._idle else memoryview(bytearray(_LARGE_BUFFER_BYTES))

    def give_back(self, buffer: memoryview) -> None:
        """Return what ``take`` gave."""
        self._available += 1
        if len(self._idle) < _MOST_IDLE_BUFFERS:
            self._idle.append(buffer)


class _Buffers:
    """Two buffers in turn, exchanged for large ones while the sender is faster than what takes the bytes.

    A slow sender never needs more than the small ones: 200 of them take 25 MiB in all.
    """

    def __init__(self, large: LargeBuffers) -> None:
        self._large = large
        self._taken: list[memoryview] = []
        self._idle, self._filled = (memoryview(bytearray(_SMALL_BUFFER_BYTES)) for _ in range(2))

    def next(self) -> memoryview:
        """The buffer to fill; the one that was filled before it may be read until the next call."""
        self._idle, self._filled = self._filled, self._idle
        return self._filled

    def grow(self) -> None:
        """Make the buffer that is filled next a large one, where there is one."""
        if len(self._idle) < _LARGE_BUFFER_BYTES and (large := self._large.take()) is not None:
            self._taken.append(large)
            self._idle = large

    def close(self) -> None:
        for buffer in self._taken:
            self._large.give_back(buffer)


async def receive_whole(body: ByteStream, length: int) -> memoryview:
    """Receive a short body.

    Args:
        body: the body, of which nothing was received yet.
        length: its announced length.

    Raises:
        S3Error: INCOMPLETE_BODY when it has another length, or whatever ``receive_into`` raises.
    """
    # One byte more, so that a full buffer is an error and the end of the body, with its trailers, is always seen.
    buffer = memoryview(bytearray(length + 1))
    count = await _fill(body, buffer)
    if count != length:
        raise S3Error(ErrorCode.INCOMPLETE_BODY)
    return buffer[:length]


async def receive_all(write: Write, body: ByteStream, large: LargeBuffers) -> None:
    """Receive a body of any length, up to its end.

    Args:
        write: takes the next bytes; they stay unchanged until it returns.
        body: the body, of which nothing was received yet.
        large: where large buffers come from.

    Raises:
        S3Error: whatever ``receive_into`` of the body or ``write`` raises; so do other exceptions pass.
    """
    buffers = _Buffers(large)
    try:
        buffer = buffers.next()
        count = await _fill(body, buffer)
        while count:
            full = buffer[:count]
            buffer = buffers.next()
            count, is_sender_faster = await _write_and_fill(write, full, body, buffer)
            if is_sender_faster:
                buffers.grow()
    finally:
        buffers.close()


async def _fill(body: ByteStream, buffer: memoryview) -> int:
    """Receive until the buffer is full or the body has ended."""
    count = 0
    while count < len(buffer):
        received = await body.receive_into(buffer[count:])
        if not received:
            break
        count += received
    return count


async def _write_and_fill(write: Write, full: memoryview, body: ByteStream, buffer: memoryview) -> tuple[int, bool]:
    """Write one buffer while the next one fills.

    Returns:
        How many bytes were received, and whether that was done before the writing.
    """
    # A nursery would wrap what either side raises in a group, also a single error. So both put theirs here.
    failures: list[Exception] = []
    is_written = False
    count = 0
    is_sender_faster = False

    async def write_full() -> None:
        nonlocal is_written
        try:
            await write(full)
        except Exception as error:
            failures.append(error)
            nursery.cancel_scope.cancel()  # no use receiving more
        is_written = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_full)
        try:
            count = await _fill(body, buffer)
        except Exception as error:
            failures.append(error)
        is_sender_faster = not is_written
    if failures:
        raise failures[0]
    return count, is_sender_faster
