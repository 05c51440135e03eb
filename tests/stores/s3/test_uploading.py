"""Bodies on their way: what is sent, when the last byte goes, and what a body that is wrong leaves behind: nothing."""

import base64
import hashlib
import random
import zlib

import pytest
import trio

from s3proxy.body import Digests, IncomingBody
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.awschunked import AwsChunkedBody
from s3proxy.s3.checksums import base64_digest, new_hash
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ChecksumAlgorithm
from s3proxy.s3.payload import PayloadMode
from s3proxy.stores.receiving import LargeBuffers
from s3proxy.stores.s3.uploading import Trailer, Upload, headers_of_short
from tests.stores.bodies import Arriving, body_of, short_body_of
from tests.stores.vocabulary import raises

DATA = random.Random(1).randbytes(300_001)


class Wire:
    """What was sent, and whether more is taken."""

    def __init__(self) -> None:
        self.sent = bytearray()

    async def send(self, data: bytes | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data


def upload_of(body: IncomingBody, length: int, trailer: Trailer | None = None) -> Upload:
    return Upload(body, length, buffers=LargeBuffers(), threads=trio.CapacityLimiter(1), trailer=trailer)


async def test_body_is_sent_as_it_is_and_known_afterwards() -> None:
    wire, upload = Wire(), upload_of(body_of(DATA), len(DATA))
    assert upload.is_untouched
    assert not upload.is_verified
    await upload.send_to(wire.send)
    assert bytes(wire.sent) == DATA
    assert upload.length == len(DATA)
    assert upload.is_verified
    assert not upload.is_untouched
    assert upload.digests.md5_hex == hashlib.md5(DATA, usedforsecurity=False).hexdigest()


async def test_last_byte_is_held_back_until_the_body_was_verified() -> None:
    wire, upload = Wire(), upload_of(body_of(DATA, md5=bytes(16)), len(DATA))
    with raises(ErrorCode.BAD_DIGEST):
        await upload.send_to(wire.send)
    assert bytes(wire.sent) == DATA[:-1]
    assert not upload.is_verified


async def test_body_that_ends_early_is_never_whole() -> None:
    wire, upload = Wire(), upload_of(short_body_of(DATA, len(DATA) + 1), len(DATA) + 1)
    with raises(ErrorCode.INCOMPLETE_BODY):
        await upload.send_to(wire.send)
    assert len(wire.sent) <= len(DATA)


class Unbounded(Arriving):
    """A body that says nothing of its length itself."""

    length: int | None = None
    checksum_algorithm: str | None = None

    def digest(self, data: memoryview) -> None:
        pass

    def verify(self) -> Digests:
        return Digests("")


async def test_body_that_goes_on_is_refused() -> None:
    wire, upload = Wire(), upload_of(Unbounded(DATA), len(DATA) - 1)
    with raises(ErrorCode.INCOMPLETE_BODY):
        await upload.send_to(wire.send)
    assert len(wire.sent) < len(DATA) - 1


class Lost(Unbounded):
    async def receive_into(self, buffer: memoryview) -> int:
        raise ConnectionLostError("the client went away")


async def test_client_that_goes_away_is_told_from_a_store_that_does() -> None:
    wire, upload = Wire(), upload_of(Lost(b""), 10)
    with pytest.raises(ConnectionLostError) as caught:
        await upload.send_to(wire.send)
    assert upload.client_failure is caught.value

    async def send(data: bytes | memoryview) -> None:
        raise lost

    upload, lost = upload_of(body_of(DATA), len(DATA)), ConnectionLostError("the store went away")
    with pytest.raises(ConnectionLostError) as caught:
        await upload.send_to(send)
    assert caught.value is lost
    assert upload.client_failure is None


# With a trailer


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
async def test_trailer_is_read_by_our_own_decoder(algorithm: ChecksumAlgorithm) -> None:
    trailer = Trailer(algorithm, len(DATA))
    wire, upload = Wire(), upload_of(body_of(DATA, algorithm=algorithm), len(DATA), trailer)
    await upload.send_to(wire.send)
    assert upload.length == len(wire.sent)
    decoded = AwsChunkedBody(Arriving(bytes(wire.sent)), PayloadMode.STREAMING_UNSIGNED_TRAILER, len(DATA), None)
    received, buffer = bytearray(), memoryview(bytearray(50_000))
    while count := await decoded.receive_into(buffer):
        received += buffer[:count]
    assert bytes(received) == DATA
    digest = new_hash(algorithm)
    digest.update(memoryview(DATA))
    assert decoded.verify() == {f"x-amz-checksum-{algorithm.value.lower()}".encode(): base64_digest(digest).encode()}


async def test_body_with_a_trailer_has_no_end_before_it_was_verified() -> None:
    trailer = Trailer(ChecksumAlgorithm.CRC32, len(DATA))
    body = body_of(DATA, algorithm=ChecksumAlgorithm.CRC32, md5=bytes(16))
    wire, upload = Wire(), upload_of(body, len(DATA), trailer)
    with raises(ErrorCode.BAD_DIGEST):
        await upload.send_to(wire.send)
    assert bytes(wire.sent) == b"%x\r\n" % len(DATA) + DATA


def test_trailer_is_announced_beside_the_object_s_own_encoding() -> None:
    trailer = Trailer(ChecksumAlgorithm.CRC32, 70_000)
    headers = dict(trailer.headers_for(((b"content-encoding", b"gzip"), (b"a", b"b"))))
    assert headers == {
        b"a": b"b",
        b"content-encoding": b"gzip,aws-chunked",
        b"x-amz-decoded-content-length": b"70000",
        b"x-amz-sdk-checksum-algorithm": b"CRC32",
        b"x-amz-trailer": b"x-amz-checksum-crc32",
    }


# Short bodies


def test_short_body_is_announced_with_all_that_is_known() -> None:
    crc = base64.b64encode(zlib.crc32(b"data").to_bytes(4, "big"))
    md5 = hashlib.md5(b"data", usedforsecurity=False)
    headers = dict(headers_of_short(Digests(md5.hexdigest(), "CRC32", crc.decode())))
    assert headers == {
        b"content-md5": base64.b64encode(md5.digest()),
        b"x-amz-sdk-checksum-algorithm": b"CRC32",
        b"x-amz-checksum-crc32": crc,
    }
    assert list(dict(headers_of_short(Digests(md5.hexdigest())))) == [b"content-md5"]


async def test_cancelled_upload_leaves_no_thread_and_no_buffer() -> None:
    buffers = LargeBuffers()

    async def send(data: bytes | memoryview) -> None:
        await trio.sleep_forever()

    upload = Upload(body_of(DATA), len(DATA), buffers=buffers, threads=trio.CapacityLimiter(1))
    with trio.move_on_after(0.02):
        await upload.send_to(send)
    assert not upload.is_verified
    assert not isinstance(upload.client_failure, S3Error)
