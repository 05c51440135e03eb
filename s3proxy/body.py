"""Bodies in flight, in both directions, as the layers hand them to each other.

Rules: nobody holds a whole body; who makes a body says who closes it; a chunk is valid until the next one is asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Literal, NamedTuple, Protocol, Self


class FileSlice(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """A run of bytes of an open file, sent by the kernel without passing through this process.

    Whoever made the slice keeps ``fd`` open until the body that carried it is closed.
    """

    fd: int
    offset: int
    length: int
    is_resident: bool = False
    """It is known to lie in memory, so that sending it waits for no disk."""


Chunk = bytes | memoryview | FileSlice


class BrokenBodyError(Exception):
    """A body cannot be given out to its end: its source failed, or its chunks do not add up to its length."""


Origin = Literal["local", "store"]
"""From where the bytes of a body come: the files of a local store, or a store at a distance."""


class Body(ABC):
    """The bytes of one response: iterate once, then close.

    ``length`` is the number of bytes that the chunks add up to, or None when it is not known before the end.
    *Closes:* the receiver of a body calls ``aclose`` on every path; it is idempotent and never raises.
    """

    length: int | None
    origin: ClassVar[Origin | None] = None
    """None when it counts its bytes itself, as a cache does, or makes them up."""

    @property
    def closes_at_once(self) -> bool:
        """Whether ``aclose`` waits for nothing, so that nobody need see to it that the wait ends."""
        return False

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Yield the chunks in order; none is empty.

        Raises while it is iterated: BrokenBodyError when the rest cannot be had.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Free what the body holds."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class ByteStream(Protocol):
    """Bytes that arrive, received into the buffer where they are wanted."""

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the start of ``buffer`` (not empty) with what arrives next.

        Returns:
            How many bytes, at least 1; or 0 at the end of the body, and again on each later call.
        """
        ...


class IncomingBody(ByteStream, Protocol):
    """A request body that a store takes in: received piece by piece, digested in order, verified before it counts.

    The store calls ``receive_into`` from its task, and ``digest`` from one thread at a time with exactly the bytes
    that it received, in order; then ``verify`` once, after the end and before what it wrote becomes visible.
    """

    @property
    def length(self) -> int | None:
        """How many bytes ``receive_into`` gives in all, or None when the client did not say."""
        ...

    @property
    def checksum_algorithm(self) -> str | None:
        """Of which checksum ``verify`` will tell the value, named as in ``Digests``."""
        ...

    def digest(self, data: memoryview) -> None:
        """Take ``data`` into every digest that is to be checked or kept. Blocks for as long as the hashing takes."""
        ...

    def verify(self) -> "Digests":
        """Check all that the client claimed about the body.

        Raises:
            S3Error: BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch, IncompleteBody or the like.
        """
        ...


@dataclass(frozen=True, slots=True)
class Digests:
    """What is known of a body's bytes after they were verified."""

    md5_hex: str
    checksum_algorithm: str | None = None  # "CRC32", "CRC32C", "CRC64NVME", "SHA1" or "SHA256"
    checksum_base64: str | None = None
