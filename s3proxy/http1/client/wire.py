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

_RECORD_BYTES = 16 * 1024  # of TLS: OpenSSL encrypts or decrypts one at a time
_TURN_BYTES = 256 * 1024  # en- or decrypted before others have their turn, a fifth of a millisecond

_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)
_NO_ROOM = (BlockingIOError, ssl.SSLWantWriteError)


class StalledError(ConnectionLostError):
    """The server did not do what was due in time, but its connection stands."""


class Wire:
    """A connected plain socket of which one task at a time receives and one sends.

    Closes: owns ``sock`` from here on.
    """

    __slots__ = ("_fd", "_sock", "_stall_seconds")

    def __init__(self, sock: socket.socket, *, stall_seconds: float) -> None:
        """Take over a socket.

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
            except _NOTHING_YET:
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
                count = self._receive_now(buffer)
            except _NOTHING_YET:
                await self._wait(trio.lowlevel.wait_readable)
            except OSError as error:
                raise ConnectionLostError(str(error)) from error
            else:
                await trio.lowlevel.checkpoint()
                return count

    def send_now(self, *parts: bytes | memoryview) -> int:
        """Send what there is room for at once and return how many bytes. After 0 it must be the same parts again.

        Raises:
            ConnectionLostError: the connection broke.
        """
        try:
            return self._sock.sendmsg(parts)
        except _NO_ROOM:
            return 0
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    async def send(self, *parts: bytes | memoryview) -> None:
        """Send all of the parts.

        Raises:
            ConnectionLostError: the connection broke or stalled.
        """
        while rest := unsent(parts, sent := self.send_now(*parts)):
            parts = rest
            if sent:
                await trio.lowlevel.checkpoint()
            else:
                await self._wait(trio.lowlevel.wait_writable)

    def close(self) -> None:
        """Close at once. Idempotent."""
        self._sock.close()

    def _receive_now(self, buffer: memoryview) -> int:
        return self._sock.recv_into(buffer)

    async def _wait(self, until_ready: Callable[[int], Awaitable[None]]) -> None:
        with trio.move_on_after(self._stall_seconds) as scope:
            await until_ready(self._fd)
        if scope.cancelled_caught:
            raise StalledError(f"no progress for {self._stall_seconds:g} s")


class TlsWire(Wire):
    """A socket of ``ssl``, after its handshake.

    OpenSSL reads and writes the socket itself, without buffers of ours, which takes 0.55 s of CPU per GiB received
    where ``trio.SSLStream`` takes 0.96.

    A write that wants to read, or a read that wants to write while there is no room, loses the connection: that takes
    a renegotiation, or a server that asks for new keys in the middle of an upload.
    """

    __slots__ = ()

    def send_now(self, *parts: bytes | memoryview) -> int:
        """Send like ``Wire.send_now``, head and small body in one record."""
        total = 0
        while parts and total < _TURN_BYTES:
            try:
                sent = self._sock.send(_first_record(parts))
            except _NO_ROOM:
                break
            except OSError as error:
                raise ConnectionLostError(str(error)) from error
            total += sent
            parts = unsent(parts, sent)
        return total

    def _receive_now(self, buffer: memoryview) -> int:
        count, stop = 0, min(len(buffer), _TURN_BYTES)
        while count < stop:
            try:
                received = self._sock.recv_into(buffer[count:stop])
            except ssl.SSLWantReadError:
                if count:
                    break
                raise
            if not received:
                break
            count += received
        return count


def unsent(parts: tuple[bytes | memoryview, ...], sent: int) -> tuple[bytes | memoryview, ...]:
    """What of ``parts`` remains after the first ``sent`` bytes; no part of it is empty."""
    for index, part in enumerate(parts):
        if sent < len(part):
            return (memoryview(part)[sent:], *parts[index + 1 :])
        sent -= len(part)
    return ()


def _first_record(parts: tuple[bytes | memoryview, ...]) -> bytes | memoryview:
    """What goes out next. The same for the same bytes: OpenSSL wants to be given again what it could not send."""
    first = memoryview(parts[0])[:_RECORD_BYTES]
    if len(parts) > 1 and len(first) < _RECORD_BYTES:
        return b"".join((first, memoryview(parts[1])[: _RECORD_BYTES - len(first)]))
    return first
