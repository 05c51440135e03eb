"""Bytes between this process and a server: received where they are wanted, sent without being joined.

The system call comes first and waiting second, for waiting costs 5 us and its deadline as much again.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable

import trio

from s3proxy.http1.messages import ConnectionLostError

RECEIVE_BYTES = 16 * 1024
"""Asked for when a head is expected: holds a small response whole, and little of a body that is wanted elsewhere."""

PIECE_BYTES = 1024 * 1024
"""Handed to the kernel at once, 0.1 to 0.3 ms during which nobody else is served."""

_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)


class StalledError(ConnectionLostError):
    """The server did not do what was due in time, but its connection stands."""


class Wire:
    """A connected plain socket of which one task at a time receives and one sends.

    Closes: owns ``sock`` from here on.
    """

    __slots__ = ("_fd", "_sock", "_stall_seconds")

    def __init__(self, sock: socket.socket, *, stall_seconds: float) -> None:
        """Take over a connected, non-blocking socket.

        Args:
            sock: connected and non-blocking.
            stall_seconds: how long to wait for the server without a byte of progress.
        """
        self._sock = sock
        self._fd = sock.fileno()
        self._stall_seconds = stall_seconds

    def is_quiet(self) -> bool:
        """Whether the connection stands and nothing has come unasked: only then may it carry another request."""
        try:
            self._sock.recv(1)
        except _NOTHING_YET:
            return True
        except OSError:
            return False
        return False

    async def receive(self) -> bytes:
        """Receive what is there, b"" at the end. Waits without a deadline: that is the caller's.

        Raises:
            ConnectionLostError: the connection broke.
        """
        # Waiting first: an answer is not there when the question has just been sent.
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                return self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ConnectionLostError(str(error)) from error

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the start of ``buffer`` and return how many bytes, 0 at the end.

        Raises:
            ConnectionLostError: the connection broke or stalled.
        """
        while True:
            try:
                count = self._sock.recv_into(buffer)
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_readable)
            except OSError as error:
                raise ConnectionLostError(str(error)) from error
            else:
                await trio.lowlevel.checkpoint()
                return count

    def send_now(self, *parts: bytes | memoryview) -> int:
        """Send what the kernel takes at once and return how many bytes.

        Raises:
            ConnectionLostError: the connection broke.
        """
        try:
            return self._sock.sendmsg(parts)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of ``data``.

        Raises:
            ConnectionLostError: the connection broke or stalled.
        """
        rest = memoryview(data)
        while rest:
            sent = self.send_now(rest[:PIECE_BYTES])
            rest = rest[sent:]
            if sent:
                await trio.lowlevel.checkpoint()
            else:
                await self._wait(trio.lowlevel.wait_writable)

    def close(self) -> None:
        """Close at once. Idempotent."""
        self._sock.close()

    async def _wait(self, until_ready: Callable[[int], Awaitable[None]]) -> None:
        with trio.move_on_after(self._stall_seconds) as scope:
            await until_ready(self._fd)
        if scope.cancelled_caught:
            raise StalledError(f"no progress for {self._stall_seconds:g} s")
