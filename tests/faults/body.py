"""A body on its way, with whatever frames it."""

import trio

from tests.faults.heads import Head, Reader

_LINE = b"\r\n"


class Body:
    """The body that follows a head, piece by piece."""

    def __init__(self, reader: Reader, *, length: int | None, is_chunked: bool = False) -> None:
        """``length`` None: to the end of the connection; of a chunked one it is 0 at first."""
        self._reader = reader
        self._left = length
        self._is_chunked = is_chunked

    async def piece(self, most: int) -> tuple[bytes, int]:
        """The next bytes as they came, at most so many of the body itself, and how many those are; nothing at the end.

        Raises:
            trio.BrokenResourceError: the end came before the body's.
        """
        if self._left == 0:
            return (await self._frame(), 0) if self._is_chunked else (b"", 0)
        data = await self._reader.some(most if self._left is None else min(most, self._left))
        if self._left is not None:
            if not data:
                raise trio.BrokenResourceError
            self._left -= len(data)
        return data, len(data)

    async def _frame(self) -> bytes:
        """What stands between two chunks, or ends the last one."""
        line = await self._line()
        if line == _LINE:
            line += await self._line()
        self._left = int(line.split(b";")[0], 16)
        if self._left == 0:
            self._is_chunked = False
            while not line.endswith(_LINE * 2):
                line += await self._line()
        return line

    async def _line(self) -> bytes:
        line = await self._reader.until(_LINE)
        if not line:
            raise trio.BrokenResourceError
        return line


def request_body(reader: Reader, request: Head) -> Body:
    """The body of a request."""
    return Body(reader, length=0 if request.is_chunked else request.length or 0, is_chunked=request.is_chunked)


def answer_body(reader: Reader, request: Head, answer: Head) -> Body:
    """The body of an answer."""
    if request.method == b"HEAD" or answer.status in {204, 304}:
        return Body(reader, length=0)
    return Body(reader, length=0 if answer.is_chunked else answer.length, is_chunked=answer.is_chunked)
