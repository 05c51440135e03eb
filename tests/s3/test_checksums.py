import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.http1.messages import Header, Request
from s3proxy.s3.checksums import (
    ChecksumClaim,
    base64_digest,
    composite_checksum,
    full_object_checksum,
    is_checksum,
    multipart_etag,
    new_hash,
    parse_checksum_algorithm,
    parse_checksum_claim,
    parse_content_md5,
    trailer_name,
)
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import ChecksumAlgorithm, ChecksumType, ETag
from tests.s3.incoming import code_of, error_of, md5, request_of

CRCS = [ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME]
CRC32_OF_ABC = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big"))


def put(*headers: Header) -> Request:
    return request_of(b"PUT", b"/bucket/key", headers)


def checksum_of(algorithm: ChecksumAlgorithm, data: bytes) -> str:
    digest = new_hash(algorithm)
    digest.update(memoryview(data))
    return base64_digest(digest)


# The CRC catalogue's check values, of "123456789"; FIPS 180-4's examples for SHA.
@pytest.mark.parametrize(
    ("algorithm", "data", "expected"),
    [
        (ChecksumAlgorithm.CRC32, b"123456789", "cbf43926"),
        (ChecksumAlgorithm.CRC32C, b"123456789", "e3069283"),
        (ChecksumAlgorithm.CRC64NVME, b"123456789", "ae8b14860a799888"),
        (ChecksumAlgorithm.SHA1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (ChecksumAlgorithm.SHA256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_hash_of_the_published_example_gives_the_published_value(
    algorithm: ChecksumAlgorithm, data: bytes, expected: str
) -> None:
    digest = new_hash(algorithm)
    digest.update(memoryview(data[:2]))
    digest.update(memoryview(data[2:]))
    assert digest.digest().hex() == expected
    assert base64.b64decode(base64_digest(digest)).hex() == expected
    assert is_checksum(algorithm, base64_digest(digest))


@pytest.mark.parametrize("value", ["", "AAAA", "AAAAAA=", "AAAAAA== ", "AAAAA-==", "bad", "é", "AAAAAAA="])
def test_value_that_is_not_base64_of_a_digest_is_no_checksum(value: str) -> None:
    assert not is_checksum(ChecksumAlgorithm.CRC32, value)


# Claims


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_claim_in_a_header_is_read(algorithm: ChecksumAlgorithm) -> None:
    value = checksum_of(algorithm, b"abc")
    name = b"x-amz-checksum-" + algorithm.value.lower().encode()
    assert parse_checksum_claim(put((name, value.encode()))) == ChecksumClaim(algorithm, value)
    assert trailer_name(algorithm) == name


@pytest.mark.parametrize("value", [b"x-amz-checksum-crc64nvme", b"X-Amz-Checksum-CRC64NVME"])
def test_claim_announced_for_a_trailer_is_read(value: bytes) -> None:
    headers = [(b"x-amz-trailer", value), (b"x-amz-sdk-checksum-algorithm", b"CRC64NVME")]
    assert parse_checksum_claim(put(*headers)) == ChecksumClaim(ChecksumAlgorithm.CRC64NVME, None)


def test_claim_without_a_checksum_is_none() -> None:
    others = [b"x-amz-checksum-algorithm", b"x-amz-checksum-type", b"x-amz-checksum-mode", b"content-md5"]
    assert parse_checksum_claim(put(*((name, b"CRC32") for name in others))) is None


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            [(b"x-amz-checksum-crc32", CRC32_OF_ABC), (b"x-amz-checksum-crc32c", CRC32_OF_ABC)],
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            [(b"x-amz-checksum-crc32", CRC32_OF_ABC), (b"x-amz-trailer", b"x-amz-checksum-crc32")],
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            [(b"x-amz-checksum-sha512", b"AAAA")],
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ),
        ([(b"x-amz-trailer", b"x-amz-meta-a")], "The value specified in the x-amz-trailer header is not supported"),
        ([(b"x-amz-trailer", b"")], "The value specified in the x-amz-trailer header is not supported"),
        (
            [(b"x-amz-sdk-checksum-algorithm", b"CRC32")],
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.",
        ),
        (
            [(b"x-amz-sdk-checksum-algorithm", b"SHA1"), (b"x-amz-checksum-crc32", CRC32_OF_ABC)],
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        ),
    ],
)
def test_claim_that_contradicts_itself_is_an_invalid_request(headers: list[Header], message: str) -> None:
    error = error_of(parse_checksum_claim, put(*headers))
    assert (error.code, error.message) == (ErrorCode.INVALID_REQUEST, message)


@pytest.mark.parametrize("name", ["x-amz-checksum-crc32", "x-amz-checksum-sha256"])
def test_claim_that_is_no_checksum_is_a_bad_digest(name: str) -> None:
    error = error_of(parse_checksum_claim, put((name.encode(), b"sailorjerry")))
    assert (error.code, error.message) == (ErrorCode.BAD_DIGEST, f"Value for {name} header is invalid.")


def test_algorithm_is_read_in_any_case() -> None:
    assert parse_checksum_algorithm("crc64nvme") is ChecksumAlgorithm.CRC64NVME
    error = error_of(parse_checksum_algorithm, "MD4")
    assert error.code is ErrorCode.INVALID_REQUEST
    assert "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]" in error.message


def test_content_md5_is_read() -> None:
    assert parse_content_md5(put()) is None
    assert parse_content_md5(put((b"content-md5", b"rL0Y20zC+Fzt72VPzMSk2A=="))) == md5(b"foo").digest()


@pytest.mark.parametrize("value", [b"", b"YWJyYWNhZGFicmE=", b"AWS HAHAHA", b"rL0Y20zC+Fzt72VPzMSk2A", b"\xff"])
def test_content_md5_of_the_wrong_form_is_an_invalid_digest(value: bytes) -> None:
    assert code_of(parse_content_md5, put((b"content-md5", value))) is ErrorCode.INVALID_DIGEST


# Multipart objects


@pytest.mark.parametrize("algorithm", [*CRCS[:2], ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256])
def test_composite_checksum_is_that_of_the_parts_digests(algorithm: ChecksumAlgorithm) -> None:
    parts = [checksum_of(algorithm, data) for data in (b"abc", b"", b"defg")]
    composite = composite_checksum(algorithm, parts)
    assert composite.type is ChecksumType.COMPOSITE
    assert composite.value == checksum_of(algorithm, b"".join(map(base64.b64decode, parts))) + "-3"


@given(st.sampled_from(CRCS), st.lists(st.binary(max_size=300), max_size=6))
def test_full_object_checksum_of_parts_is_that_of_the_joined_bytes(
    algorithm: ChecksumAlgorithm, parts: list[bytes]
) -> None:
    joined = full_object_checksum(algorithm, [(checksum_of(algorithm, part), len(part)) for part in parts])
    assert (joined.type, joined.value) == (ChecksumType.FULL_OBJECT, checksum_of(algorithm, b"".join(parts)))


@pytest.mark.parametrize("algorithm", CRCS)
def test_full_object_checksum_of_large_parts_is_that_of_the_joined_bytes(algorithm: ChecksumAlgorithm) -> None:
    zeros, ones = bytes(6 << 20), b"\1" * (5 << 20)
    parts = [(checksum_of(algorithm, part), len(part)) for part in (zeros, ones, zeros)]
    assert full_object_checksum(algorithm, parts).value == checksum_of(algorithm, zeros + ones + zeros)


@pytest.mark.parametrize("algorithm", CRCS)
def test_full_object_checksum_of_ten_thousand_parts_is_that_of_its_halves(algorithm: ChecksumAlgorithm) -> None:
    parts = [(checksum_of(algorithm, b"%d" % number), 5 << 30) for number in range(10_000)]
    halves = [(full_object_checksum(algorithm, half).value, 5000 * (5 << 30)) for half in (parts[:5000], parts[5000:])]
    assert full_object_checksum(algorithm, parts) == full_object_checksum(algorithm, halves)


def test_multipart_etag_is_the_md5_of_the_parts_md5s() -> None:
    digests = [md5(data) for data in (b"abc", b"def")]
    expected = md5(b"".join(digest.digest() for digest in digests)).hexdigest() + "-2"
    assert multipart_etag([ETag(digest.hexdigest()) for digest in digests]) == expected
