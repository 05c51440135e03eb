"""A client that reads one large object at a time and compares what it gets with the file that it was made from.

A MiB in every ``_WHOLE_EVERY`` is compared whole, of the others a word in each 64 KiB: comparing all would take as long
as receiving. So half a core takes in 3 GB/s.
"""

import mmap
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import BenchError
from bench.content import KIB, MIB
from bench.requests import Endpoint, Request

_PIECE = MIB
_WHOLE_EVERY = 8
_UNIT = 64 * KIB
_WORD = 8
_TIMEOUT_SECONDS = 60
_LENGTH = re.compile(rb"\r\n(?i:content-length): *(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading one body took, from the sending of the request on."""

    first_byte_seconds: float
    seconds: float


class BodyReader:
    """A connection to one server. *Closes:* use ``reading_from``, which closes it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.socket = socket.create_connection((endpoint.host, endpoint.port), timeout=_TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_PIECE)

    def read(self, request: Request, source: Path) -> Reading:
        """Send a request and compare the body of its response with ``source`` from the request's offset on.

        Raises:
            BenchError: another status or length, other bytes, or an end before the body's.
        """
        with (
            source.open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content,
            memoryview(content)[request.offset : request.offset + request.size] as expected,
        ):
            return self._read(request, expected)

    def _read(self, request: Request, expected: memoryview) -> Reading:
        begin = time.perf_counter()
        self.socket.sendall(request.data)
        filled = self._read_head(request)
        first_byte = time.perf_counter()
        for number, start in enumerate(range(0, request.size, _PIECE)):
            wanted = min(_PIECE, request.size - start)
            self._fill(filled, wanted)
            filled = 0
            with expected[start : start + wanted] as piece:
                self._compare(piece, whole=number % _WHOLE_EVERY == 0 or wanted < _PIECE, where=start)
        return Reading(first_byte_seconds=first_byte - begin, seconds=time.perf_counter() - begin)

    def _read_head(self, request: Request) -> int:
        """Read the head and the first bytes of the body into the buffer; how many."""
        data = b""
        while (end := data.find(b"\r\n\r\n") + 4) < 4 or len(data) == end:
            more = self.socket.recv(16 * KIB)
            if not more:
                raise BenchError(f"closed in the head of an answer: {data[:400]!r}")
            data += more
        length = _LENGTH.search(data, 0, end)
        if not data.startswith(request.status) or length is None or int(length[1]) != request.size:
            raise BenchError(f"{request.data[:200]!r} was answered {data[:400]!r}")
        self._buffer[: len(data) - end] = data[end:]
        return len(data) - end

    def _fill(self, filled: int, wanted: int) -> None:
        with memoryview(self._buffer) as view:
            while filled < wanted:
                count = self.socket.recv_into(view[filled:wanted])
                if not count:
                    raise BenchError("closed in the middle of a body")
                filled += count

    def _compare(self, expected: memoryview, *, whole: bool, where: int) -> None:
        if whole:
            if self._buffer[: len(expected)] != expected:  # a bytearray compares by memcmp
                raise BenchError(f"other bytes than the object's in the MiB at {where}")
            return
        for unit in range(0, len(expected) - _UNIT + 1, _UNIT):
            at = unit + (where // _PIECE * _WORD) % _UNIT
            if self._buffer[at : at + _WORD] != expected[at : at + _WORD]:
                raise BenchError(f"other bytes than the object's at {where + at}")


@contextmanager
def reading_from(endpoint: Endpoint) -> Iterator[BodyReader]:
    """A reader whose connection is closed at the end. Raises BenchError when it breaks."""
    try:
        reader = BodyReader(endpoint)
    except OSError as error:
        raise BenchError(f"{endpoint.authority}: {error}") from error
    try:
        yield reader
    except OSError as error:
        raise BenchError(f"{endpoint.authority}: a connection broke: {error}") from error
    finally:
        reader.socket.close()
