"""An object held open, and the bytes of a span of it."""

import os
from collections.abc import AsyncIterator
from typing import ClassVar, Final, Self

from s3proxy.body import Body, Chunk, FileSlice, Origin
from s3proxy.s3.model import ByteRange, ObjectInfo
from s3proxy.stores.base import OpenObject

INLINE_BYTES: Final = 32 * 1024
"""Up to so many bytes of a span are read here, to go out in one send with the head of the response: 64 KiB take 2 us
from the page cache. Larger spans are left to sendfile."""


class SharedFile:
    """A descriptor with several users, closed by the last one.

    Used in the event loop only, hence no lock.
    """

    __slots__ = ("_users", "fd")

    def __init__(self, fd: int) -> None:
        self.fd: Final = fd
        self._users = 1

    def share(self) -> Self:
        """Count one more user."""
        self._users += 1
        return self

    def release(self) -> None:
        """Count one user less."""
        self._users -= 1
        if not self._users:
            os.close(self.fd)


class LocalObject(OpenObject):
    """A file held open: whatever is published under its key meanwhile, the bytes stay these.

    Args:
        fd: the open file, taken over.
        info: what its record says.
    """

    __slots__ = ("_file", "_is_open", "info")

    def __init__(self, fd: int, info: ObjectInfo) -> None:
        self.info = info
        self._file = SharedFile(fd)
        self._is_open = True

    async def read(self, span: ByteRange) -> Body:
        """A body of ``span``: bytes when it is short and in the page cache, else one ``FileSlice``."""
        return FileBody(self._file.share(), span)

    async def aclose(self) -> None:
        """Let go of the file; bodies keep it."""
        if self._is_open:
            self._is_open = False
            self._file.release()


class FileBody(Body):
    """The bytes of a span of a file.

    Args:
        file: a share of the file, taken over.
        span: within the file.
    """

    __slots__ = ("_file", "_is_open", "_left", "_start", "length")

    origin: ClassVar[Origin | None] = "local"
    closes_at_once = True

    def __init__(self, file: SharedFile, span: ByteRange) -> None:
        self.length = span.length
        self._file = file
        self._start = span.start
        self._left = span.length
        self._is_open = True

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if not self._left:
            raise StopAsyncIteration
        length, self._left = self._left, 0
        if length <= INLINE_BYTES:
            buffer = memoryview(bytearray(length))
            if _read_cached(self._file.fd, buffer, self._start):
                return buffer
        return FileSlice(self._file.fd, self._start, length)

    async def aclose(self) -> None:
        """Let go of the file; idempotent."""
        if self._is_open:
            self._is_open = False
            self._left = 0
            self._file.release()


def _read_cached(fd: int, buffer: memoryview, offset: int) -> bool:
    """Fill the whole buffer if that needs no disk; say whether it did."""
    try:
        return os.preadv(fd, [buffer], offset, os.RWF_NOWAIT) == len(buffer)
    except OSError:
        # Not in the page cache, or a file system that cannot tell: a slice leaves it to the sender, who can wait.
        return False
