import tempfile
from collections.abc import AsyncIterator

import pytest

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.relayed_body import relayed


class Chunks(Body):
    """The given chunks, and then perhaps an error."""

    def __init__(self, *chunks: Chunk, length: int, error: Exception | None = None) -> None:
        self.length = length
        self.is_closed = self.is_ended = False
        self._chunks = chunks
        self._error = error

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        try:
            for chunk in self._chunks:
                yield chunk
            if self._error is not None:
                raise self._error
        finally:
            self.is_ended = True

    async def aclose(self) -> None:
        self.is_closed = True


async def taken(body: Chunks, *, known: Checksum | None = None, size: int = 5) -> tuple[bytes, Checksum | None]:
    """What a store gets, in buffers of ``size``."""
    data = bytearray()
    async with relayed(body, known=known, algorithm=None) as incoming:
        assert incoming.length == body.length
        buffer = memoryview(bytearray(size))
        while count := await incoming.receive_into(buffer):
            incoming.digest(buffer[:count])
            data += buffer[:count]
        assert await incoming.receive_into(buffer) == 0
        digests = incoming.verify()
    value = digests.checksum_base64
    return bytes(data), Checksum(ChecksumAlgorithm.CRC32, value) if value else None


@pytest.mark.parametrize("size", [1, 4, 5, 100])
async def test_chunks_of_every_kind_arrive_whatever_the_buffer(size: int) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        body = Chunks(b"abc", memoryview(b"defgh"), FileSlice(file.fileno(), 2, 7), length=15)
        assert (await taken(body, size=size))[0] == b"abcdefgh2345678"
    assert body.is_closed
    assert body.is_ended


async def test_checksum_of_the_source_is_that_of_the_copy() -> None:
    known = Checksum(ChecksumAlgorithm.CRC32, "rfPzYw==")
    assert (await taken(Chunks(b"data", length=4), known=known))[1] == known


@pytest.mark.parametrize(
    ("body", "known"),
    [
        (Chunks(b"Data", length=4), Checksum(ChecksumAlgorithm.CRC32, "rfPzYw==")),
        (Chunks(b"dat", length=4), None),
        (Chunks(b"dat", length=4, error=ConnectionLostError("reset")), None),
    ],
    ids=["another", "short", "broken off"],
)
async def test_source_that_is_not_what_it_should_be_is_no_fault_of_the_client(
    body: Chunks, known: Checksum | None
) -> None:
    with pytest.raises(StoreUnavailableError):
        await taken(body, known=known)
    assert body.is_closed
    assert body.is_ended


async def test_file_that_becomes_shorter_is_noticed() -> None:
    with tempfile.TemporaryFile() as file, pytest.raises(StoreUnavailableError, match="shorter"):
        await taken(Chunks(FileSlice(file.fileno(), 0, 4), length=4))


async def test_composite_checksum_is_not_compared_with_the_bytes() -> None:
    known = Checksum(ChecksumAlgorithm.CRC32, "AAAAAA==-1", ChecksumType.COMPOSITE)
    assert (await taken(Chunks(b"data", length=4), known=known))[0] == b"data"


async def test_error_of_the_target_passes_and_closes_the_source() -> None:
    body = Chunks(b"data", length=4)
    with pytest.raises(S3Error) as caught:
        async with relayed(body, known=None, algorithm=None):
            raise S3Error(ErrorCode.PRECONDITION_FAILED)
    assert caught.value.code is ErrorCode.PRECONDITION_FAILED
    assert body.is_closed
