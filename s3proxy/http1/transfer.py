"""Bytes between this process and a connected socket: received where they are wanted, sent without being joined.

``Transport`` is the seam: what a connection needs of its socket. ``TlsTransport`` (tls.py) encrypts: it gives up
sendfile and sends what it reads of a ``FileSlice``.

The system call comes first and waiting second, for waiting costs 5 us and its deadline as much again. A transfer that
never has to wait goes through the scheduler once per ``PIECE_BYTES``, so that one fast client cannot keep the others
from their turn.
"""

import errno
import fcntl
import os
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from s3proxy.body import FileSlice
from s3proxy.http1.messages import ConnectionLostError

RECEIVE_BYTES = 16 * 1024
"""Asked for when a head is expected: holds nearly every head, and little of a body that is wanted elsewhere."""

PIECE_BYTES = 1024 * 1024
"""Handed to the kernel at once, 0.1 to 0.3 ms during which nobody else is served. A MiB in pieces of 256 KiB takes
half as much CPU again."""

COPIED_SLICE_BYTES = 16 * 1024
"""Up to here a slice is read and sent in one call with the head, for 47 us of CPU a request where MSG_MORE and
sendfile take 50; at 64 KiB it is 56 against 53 (wrk -c64, kept alive)."""

_LINGER_BYTES = 1024 * 1024  # dropped of a body nobody wants: what socket buffers held when the answer was sent
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds
_PROBE = [bytearray(1)]  # overwritten by whoever probes, never looked at


class Transport(ABC):
    """A connected byte stream of which one task at a time receives or sends.

    All methods raise ConnectionLostError when the peer has gone or made no progress for the stall timeout.
    """

    peer: str
    """The client's address, as text."""

    scheme: str
    """``http`` or ``https``."""

    sent_bytes: int
    """How many bytes went out so far, also of a transfer that was then broken off."""

    @abstractmethod
    async def receive(self) -> bytes:
        """Receive what is there, b"" at the end. Waits without a deadline: that is the caller's."""

    @abstractmethod
    def receive_now(self) -> bytes | None:
        """Receive what is there, b"" at the end; None when nothing has come yet."""

    @abstractmethod
    def end_wait(self) -> None:
        """Let ``receive``, if something waits in it now, return as at the end; nothing is lost by it."""

    @abstractmethod
    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the start of ``buffer`` and return how many bytes, 0 at the end."""

    @abstractmethod
    async def send(self, *parts: bytes | memoryview) -> None:
        """Send all of the parts, in one system call where they fit."""

    @abstractmethod
    async def send_file(self, prefix: bytes, piece: FileSlice) -> int:
        """Send ``prefix``, then the bytes of ``piece``.

        Returns:
            How many bytes of the piece: fewer than its length only if the file ended before.

        Raises:
            OSError: the file could not be read.
        """

    @abstractmethod
    async def finish(self, linger_seconds: float) -> None:
        """Close so that the client can read all that was sent, even if it is still sending itself.

        Closing a socket that holds unread bytes resets the connection and takes the last response from the client;
        so what arrives is dropped, up to a bound, until the client closes too. Does nothing when closed already.
        Source: RFC 9112 section 9.6.
        """

    @abstractmethod
    def abort(self) -> None:
        """Close at once and reset the connection. Does nothing after ``finish`` or another ``abort``."""


class SocketTransport(Transport):
    """A plain TCP or Unix socket.

    Closes: owns ``sock`` from here on.
    """

    __slots__ = ("_disk", "_fd", "_sock", "_stall_seconds", "peer", "scheme", "sent_bytes")

    def __init__(self, sock: socket.socket, peer: str, *, stall_seconds: float, disk: trio.CapacityLimiter) -> None:
        """Take over a connected socket.

        Args:
            sock: connected; made non-blocking here.
            peer: the client's address, as text.
            stall_seconds: how long to wait for the peer without a byte of progress.
            disk: bounds the threads that wait for pages to be read.
        """
        sock.setblocking(False)
        self._sock = sock
        self._fd = sock.fileno()
        self._stall_seconds = stall_seconds
        self._disk = disk
        self.peer = peer
        self.scheme = "http"
        self.sent_bytes = 0

    async def receive(self) -> bytes:
        """Receive what is there."""
        # Waiting first: between two requests there is nothing to receive yet, and one who pipelines gives way here.
        data = None
        while data is None:
            try:
                await self._wait_for_bytes()
            except trio.ClosedResourceError:  # end_wait
                return b""
            data = self.receive_now()
        return data

    async def _wait_for_bytes(self) -> None:
        await trio.lowlevel.wait_readable(self._fd)

    def receive_now(self) -> bytes | None:
        """Receive what is there."""
        try:
            return self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    def end_wait(self) -> None:
        """Wake who waits, as is done before a descriptor is closed; this one stays open."""
        trio.lowlevel.notify_closing(self._fd)

    async def receive_header(self, length_of: Callable[[bytes], int]) -> bytes:
        """Receive what comes before all else, and not a byte more. Waits without a deadline: that is the caller's.

        Args:
            length_of: how long the header is at least, told from the start of what arrived, which may be its end.
                What it raises comes out here.
        """
        header = b""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                seen = header + self._sock.recv(RECEIVE_BYTES, socket.MSG_PEEK)
                if len(seen) == len(header):
                    raise ConnectionLostError("the connection was closed within a header")
                length = length_of(seen)
                header += self._sock.recv(min(length, len(seen)) - len(header))
            except BlockingIOError:
                continue
            except OSError as error:
                raise ConnectionLostError(str(error)) from error
            if len(header) == length:
                return header

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive without another copy."""
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

    async def send(self, *parts: bytes | memoryview) -> None:
        """Send all of the parts."""
        size = sum(map(len, parts))
        sent = self._send_now(parts) if size <= PIECE_BYTES else 0
        if sent == size:
            return
        for part in parts:
            if sent < len(part):
                await self._send_rest(memoryview(part)[sent:])
            sent = max(0, sent - len(part))

    async def send_file(self, prefix: bytes, piece: FileSlice) -> int:
        """Send a small slice together with the prefix, a large one by sendfile."""
        is_small = piece.length <= COPIED_SLICE_BYTES
        if is_small and (piece.is_resident or _is_resident(piece.fd, piece.offset, piece.length)):
            data = os.pread(piece.fd, piece.length, piece.offset)
            await self.send(prefix, data)
            return len(data)
        if prefix and (sent := self._send_now((prefix,), socket.MSG_MORE)) < len(prefix):
            await self._send_rest(memoryview(prefix)[sent:])
        return await self._sendfile(piece)

    async def finish(self, linger_seconds: float) -> None:
        """Close in the client's own time, but for ``linger_seconds`` at most."""
        if self._sock.fileno() < 0:
            return
        with trio.move_on_after(linger_seconds):
            try:
                self._sock.shutdown(socket.SHUT_WR)
                dropped = 0
                while dropped < _LINGER_BYTES and (data := await self.receive()):
                    dropped += len(data)
            except (OSError, ConnectionLostError):
                pass  # the client was faster: nothing is left to wait for
        self._sock.close()

    def abort(self) -> None:
        """Close at once."""
        if self._sock.fileno() >= 0:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._sock.close()

    def _send_now(self, parts: tuple[bytes | memoryview, ...], flags: int = 0) -> int:
        try:
            sent = self._sock.sendmsg(parts, (), flags)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ConnectionLostError(str(error)) from error
        self.sent_bytes += sent
        return sent

    async def _send_rest(self, data: memoryview) -> None:
        while data:
            sent = self._send_now((data[:PIECE_BYTES],))
            data = data[sent:]
            if not sent:
                await self._wait(trio.lowlevel.wait_writable)
            elif data:
                await trio.lowlevel.checkpoint()

    async def _sendfile(self, piece: FileSlice) -> int:
        offset, stop = piece.offset, piece.offset + piece.length
        while offset < stop:
            length = min(stop - offset, PIECE_BYTES)
            try:
                if piece.is_resident or _is_resident(piece.fd, offset, length):
                    sent = os.sendfile(self._fd, piece.fd, offset, length)
                else:
                    send = partial(os.sendfile, self._fd, piece.fd, offset, length)
                    sent = await trio.to_thread.run_sync(send, limiter=self._disk)
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_writable)
                continue
            except (ConnectionError, TimeoutError) as error:
                raise ConnectionLostError(str(error)) from error
            if sent == 0:
                break
            offset += sent
            self.sent_bytes += sent
            if offset < stop:
                await trio.lowlevel.checkpoint()
        return offset - piece.offset

    async def _wait(self, until_ready: Callable[[int], Awaitable[None]]) -> None:
        with trio.move_on_after(self._stall_seconds) as scope:
            await until_ready(self._fd)
        if scope.cancelled_caught:
            raise ConnectionLostError(f"no progress for {self._stall_seconds:g} s")


def _is_resident(fd: int, offset: int, length: int) -> bool:
    """Whether a run of a file can be sent without waiting for a disk, judged by its first and its last page.

    Pages in between may be missing, for then the kernel has evicted them and read the others ahead: that costs a
    wait of one disk access, not a wrong byte.
    """
    try:
        os.preadv(fd, _PROBE, offset, os.RWF_NOWAIT)
        os.preadv(fd, _PROBE, offset + length - 1, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno == errno.EOPNOTSUPP and is_in_memory(fd)
    return True


def is_in_memory(fd: int) -> bool:
    """Whether this is a file on tmpfs. tmpfs knows no RWF_NOWAIT, but seals, which no disk file system does."""
    try:
        fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:
        return False
    return True
