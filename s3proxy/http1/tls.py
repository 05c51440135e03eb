"""TLS on an accepted connection: the handshake, and bytes that OpenSSL de- and encrypts as they pass.

OpenSSL reads and writes the socket itself. A file is read into one buffer that all connections of a server share: what
is in it is encrypted before anybody else has a turn, so a connection that waits holds one piece at most, and only then.
The kernel could encrypt behind sendfile (kTLS), but Python has no word for that before 3.12 (``ssl.OP_ENABLE_KTLS``),
and at no version one to ask whether the kernel took over, without which sendfile might send a file unencrypted.
"""

import errno
import os
import ssl
from typing import Self

import trio

from s3proxy.body import FileSlice
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.http1.transfer import RECEIVE_BYTES, SocketTransport, is_in_memory

PIECE_BYTES = 64 * 1024
"""Encrypted in one call. A GiB takes 0.67 s of CPU so, 0.72 in records of 16 KiB, 0.66 in pieces of 256 KiB and 0.61 in
pieces of a MiB, of which a client that stalls would hold one."""

_TURN_BYTES = 256 * 1024  # en- or decrypted before others have their turn, a fifth of a millisecond


def shared_buffer() -> memoryview:
    """What the connections of one server encrypt from."""
    return memoryview(bytearray(PIECE_BYTES))


class TlsTransport(SocketTransport):
    """A socket of ``ssl``. First comes ``shake_hands``.

    Clients cannot renegotiate (``node.tls`` forbids it), so that reading never waits for room to write.
    """

    __slots__ = ("_shared", "_tls", "_unsent")

    def __init__(self, sock: ssl.SSLSocket, plain: SocketTransport, shared: memoryview) -> None:
        super().__init__(sock, plain.peer, stall_seconds=plain._stall_seconds, disk=plain._disk)
        self.scheme = "https"
        self._tls = sock
        self._shared = shared
        self._unsent = b""

    @classmethod
    def over(cls, plain: SocketTransport, context: ssl.SSLContext, shared: memoryview) -> Self:
        """Take over the socket of ``plain``.

        Args:
            plain: of which nothing was received that belongs to TLS; closed when this fails.
            context: of a server.
            shared: from ``shared_buffer``.

        Raises:
            ConnectionLostError: the client has gone.
        """
        try:
            sock = context.wrap_socket(plain._sock, server_side=True, do_handshake_on_connect=False)
        except OSError as error:
            plain.abort()
            raise ConnectionLostError(str(error)) from error
        return cls(sock, plain, shared)

    async def shake_hands(self) -> None:
        """Agree on keys. Waits without a deadline: that is the caller's.

        Raises:
            ssl.SSLError: the client speaks no TLS that is accepted here, or did not prove who it is.
            ConnectionLostError: the client has gone.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(self._fd)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(self._fd)
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError) as error:
                raise ConnectionLostError(str(error)) from error
            except ssl.SSLError:
                raise
            except OSError as error:
                raise ConnectionLostError(str(error)) from error
            else:
                return

    async def _wait_for_bytes(self) -> None:
        if self._tls.pending():  # OpenSSL holds the rest of a record, of which the socket knows nothing
            await trio.lowlevel.checkpoint()
        else:
            await super()._wait_for_bytes()

    def receive_now(self) -> bytes | None:
        """Decrypt what is there."""
        try:
            return self._tls.recv(RECEIVE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    async def receive_into(self, buffer: memoryview) -> int:
        """Decrypt into the buffer."""
        while True:
            try:
                count = self._receive_records(buffer[:_TURN_BYTES])
            except ssl.SSLWantReadError:
                await self._wait(trio.lowlevel.wait_readable)
            except OSError as error:
                raise ConnectionLostError(str(error)) from error
            else:
                await trio.lowlevel.checkpoint()
                return count

    async def send(self, *parts: bytes | memoryview) -> None:
        """Send all of the parts, small ones in one record."""
        if len(parts) > 1 and sum(map(len, parts)) <= PIECE_BYTES:
            parts = (b"".join(parts),)
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[self._encrypt(rest[:_TURN_BYTES]) :]
                await self._give_way(is_turn_over=bool(rest))

    async def send_file(self, prefix: bytes, piece: FileSlice) -> int:
        """Send what is read of the file, the first of it in one record with the prefix."""
        if len(prefix) >= PIECE_BYTES // 2:
            await self.send(prefix)
            prefix = b""
        offset, stop, turn = piece.offset, piece.offset + piece.length, 0
        while offset < stop:
            length = min(stop - offset, PIECE_BYTES - len(prefix))
            data = self._read_now(prefix, piece, offset, length)
            if data is None:
                read = await trio.to_thread.run_sync(os.pread, piece.fd, length, offset, limiter=self._disk)
                data = memoryview(prefix + read)
            if len(data) == len(prefix):
                break  # the file has ended
            offset += len(data) - len(prefix)
            turn += self._encrypt(data)
            prefix = b""
            is_turn_over = turn >= _TURN_BYTES and offset < stop
            turn = 0 if is_turn_over else turn
            await self._give_way(is_turn_over=is_turn_over)
        return offset - piece.offset

    async def finish(self, linger_seconds: float) -> None:
        """Say that this is the end, so that the client knows that nothing was cut off, then close.

        The client's own close_notify is not waited for (RFC 8446 section 6.1); what it still sends is dropped as it
        comes, encrypted.
        """
        if self._sock.fileno() < 0:
            return
        with trio.move_on_after(linger_seconds):
            await self._say_end()
        await super().finish(linger_seconds)

    def _receive_records(self, buffer: memoryview) -> int:
        """Decrypt the records that are there. A buffer that was begun is given out even if then something breaks."""
        count = self._tls.recv_into(buffer)
        while 0 < count < len(buffer):
            try:
                received = self._tls.recv_into(buffer[count:])
            except OSError:
                break  # that nothing more is there, or that the connection broke: then it says so again
            if not received:
                break
            count += received
        return count

    async def _say_end(self) -> None:
        while True:
            try:
                self._tls.unwrap()
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(self._fd)
            except OSError:
                return  # it is said, and the client's is missing; or the client was faster
            else:
                return

    def _read_now(self, prefix: bytes, piece: FileSlice, offset: int, length: int) -> memoryview | None:
        """Put the prefix and what follows it into the shared buffer; None where that would wait for a disk."""
        start = len(prefix)
        self._shared[:start] = prefix
        count = _read_resident(piece, self._shared[start : start + length], offset)
        return None if count is None else self._shared[: start + count]

    def _encrypt(self, data: memoryview) -> int:
        """Take what there is room for and return how many bytes; the last of them may remain to be flushed."""
        taken = 0
        while taken < len(data) and not self._unsent:
            piece = data[taken : taken + PIECE_BYTES]
            sent = self._send_piece(piece)
            if not sent:
                self._unsent = bytes(piece)  # OpenSSL wants to be given the same again, and the buffer is shared
            taken += sent or len(piece)
        return taken

    async def _give_way(self, *, is_turn_over: bool) -> None:
        if self._unsent:
            await self._flush()
        elif is_turn_over:
            await trio.lowlevel.checkpoint()

    async def _flush(self) -> None:
        while self._unsent:
            if sent := self._send_piece(self._unsent):
                self._unsent = self._unsent[sent:]
            else:
                await self._wait(trio.lowlevel.wait_writable)

    def _send_piece(self, piece: bytes | memoryview) -> int:
        try:
            sent = self._tls.send(piece)
        except ssl.SSLWantWriteError:
            return 0
        except OSError as error:
            raise ConnectionLostError(str(error)) from error
        self.sent_bytes += sent
        return sent


def _read_resident(piece: FileSlice, buffer: memoryview, offset: int) -> int | None:
    """Read what lies in memory, which may be less than there is; None when nothing does."""
    try:
        return os.preadv(piece.fd, [buffer], offset, 0 if piece.is_resident else os.RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    return os.preadv(piece.fd, [buffer], offset) if is_in_memory(piece.fd) else None
