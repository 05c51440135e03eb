import base64
import hashlib
from collections.abc import Iterable

import pytest

from s3proxy.body import Digests, IncomingBody
from s3proxy.http1.messages import Header, Request
from s3proxy.s3.awschunked import SignatureChain
from s3proxy.s3.checksums import ChecksumClaim, base64_digest, new_hash
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import ChecksumAlgorithm
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, PayloadMode, parse_payload
from s3proxy.s3.verified_body import Claims, VerifiedBody, open_body
from tests.s3.incoming import (
    Pieces,
    chain_of,
    code_of,
    encode_chunks,
    error_of,
    md5,
    receive_all,
    request_of,
    run,
    signed_put,
)

DATA = b"The quick brown fox jumps over the lazy dog"
MD5 = md5(DATA)
STREAMING = [mode for mode in PayloadMode if mode.is_streaming]
WITH_TRAILER = [mode for mode in PayloadMode if mode.has_trailer]


def checksum_of(algorithm: ChecksumAlgorithm, data: bytes = DATA) -> str:
    digest = new_hash(algorithm)
    digest.update(memoryview(data))
    return base64_digest(digest)


def plain(*headers: Header, data: bytes = DATA, payload: bytes = b"UNSIGNED-PAYLOAD") -> VerifiedBody:
    return open_body(request_of(b"PUT", b"/bucket/key", headers, data), parse_payload(payload), chain=None)


CRC32: Header = (b"x-amz-checksum-crc32", checksum_of(ChecksumAlgorithm.CRC32).encode())
ANNOUNCED: Header = (b"x-amz-trailer", b"x-amz-checksum-crc32")


def chunked(
    mode: PayloadMode,
    trailers: Iterable[Header] = (CRC32,),
    announced: Iterable[Header] = (ANNOUNCED,),
    length: int = len(DATA),
) -> VerifiedBody:
    """A body in ``mode``, signed properly where it is signed."""
    headers = [(b"x-amz-decoded-content-length", b"%d" % length)]
    if mode.has_trailer:
        headers += announced
    request = signed_put(mode.value.encode(), headers)
    signing, checking = (chain_of(request), chain_of(request)) if mode.is_chunk_signed else (None, None)
    data = encode_chunks([DATA], dict(trailers) if mode.has_trailer else None, signing)
    return reopened(request, data, mode, checking)


def reopened(request: Request, data: bytes, mode: PayloadMode, chain: SignatureChain | None) -> VerifiedBody:
    arrived = request_of(b"PUT", request.target, request.headers, data)
    return open_body(arrived, parse_payload(mode.value.encode()), chain=chain)


def take(body: VerifiedBody) -> Digests:
    received = receive_all(body)
    assert body.length in {None, len(received)}
    return body.verify()


def test_verified_body_is_an_incoming_body() -> None:
    body: IncomingBody = plain()
    assert body.length == len(DATA)


def test_body_without_claims_gives_its_md5() -> None:
    assert take(plain()) == Digests(MD5.hexdigest())
    assert take(plain(data=b"")) == Digests(md5().hexdigest())


def test_body_of_unknown_length_gives_its_md5() -> None:
    request = request_of(b"PUT", b"/bucket/key", [], DATA)
    request.body.length = None
    body = open_body(request, UNSIGNED_PAYLOAD, chain=None)
    assert body.length is None
    assert take(body) == Digests(MD5.hexdigest())


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_body_without_a_claim_gets_the_default_checksum(algorithm: ChecksumAlgorithm) -> None:
    request = request_of(b"PUT", b"/bucket/key", [], DATA)
    body = open_body(request, UNSIGNED_PAYLOAD, chain=None, default_algorithm=algorithm)
    assert body.checksum_claim is None
    assert take(body) == Digests(MD5.hexdigest(), algorithm.value, checksum_of(algorithm))


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_body_with_a_checksum_in_a_header_is_checked_against_it(algorithm: ChecksumAlgorithm) -> None:
    name = f"x-amz-checksum-{algorithm.value.lower()}".encode()
    value = checksum_of(algorithm)
    body = plain((name, value.encode()))
    assert body.checksum_claim == ChecksumClaim(algorithm, value)
    assert take(body) == Digests(MD5.hexdigest(), algorithm.value, value)
    wrong = error_of(take, plain((name, checksum_of(algorithm, b"other").encode())))
    assert wrong.code is ErrorCode.BAD_DIGEST
    assert wrong.message == f"The {algorithm.value} you specified did not match the calculated checksum."


def test_claimed_checksum_takes_the_place_of_the_default() -> None:
    request = request_of(b"PUT", b"/bucket/key", [CRC32], DATA)
    body = open_body(request, UNSIGNED_PAYLOAD, chain=None, default_algorithm=ChecksumAlgorithm.CRC64NVME)
    assert take(body).checksum_algorithm == "CRC32"


def test_content_md5_is_checked() -> None:
    assert take(plain((b"content-md5", base64.b64encode(MD5.digest())))).md5_hex == MD5.hexdigest()
    error = error_of(take, plain((b"content-md5", base64.b64encode(md5(b"other").digest()))))
    assert error.code is ErrorCode.BAD_DIGEST
    assert error.detail["CalculatedDigest"] == base64.b64encode(MD5.digest()).decode()
    assert code_of(plain, (b"content-md5", b"")) is ErrorCode.INVALID_DIGEST


@pytest.mark.parametrize("checksum", [[], [(b"x-amz-checksum-sha256", checksum_of(ChecksumAlgorithm.SHA256).encode())]])
def test_sha256_of_the_payload_is_checked(checksum: list[Header]) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    take(plain(*checksum, payload=digest.encode()))
    take(plain(*checksum, payload=digest.upper().encode()))
    error = error_of(take, plain(*checksum, payload=b"0" * 64))
    assert error.code is ErrorCode.X_AMZ_CONTENT_SHA256_MISMATCH
    assert error.detail == {"ClientComputedContentSHA256": "0" * 64, "S3ComputedContentSHA256": digest}


def test_body_that_ends_before_its_length_is_incomplete() -> None:
    body = VerifiedBody(Pieces(DATA), Claims(length=len(DATA) + 1))
    assert code_of(receive_all, body) is ErrorCode.INCOMPLETE_BODY
    assert code_of(body.verify) is ErrorCode.INCOMPLETE_BODY


def test_body_that_was_not_received_to_its_end_is_incomplete() -> None:
    body = plain()
    buffer = memoryview(bytearray(10))
    body.digest(buffer[: run(body.receive_into(buffer))])
    assert code_of(body.verify) is ErrorCode.INCOMPLETE_BODY
    assert code_of(chunked(STREAMING[0]).verify) is ErrorCode.INCOMPLETE_BODY


@pytest.mark.parametrize("mode", STREAMING)
def test_aws_chunked_body_is_decoded_and_checked(mode: PayloadMode) -> None:
    body = chunked(mode)
    assert body.length == len(DATA)
    digests = take(body)
    assert digests.md5_hex == MD5.hexdigest()
    assert digests.checksum_base64 == (CRC32[1].decode() if mode.has_trailer else None)


@pytest.mark.parametrize("mode", WITH_TRAILER)
@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_checksum_in_a_trailer_is_checked(mode: PayloadMode, algorithm: ChecksumAlgorithm) -> None:
    name = f"x-amz-checksum-{algorithm.value.lower()}".encode()
    announced = [(b"x-amz-trailer", name)]
    good = (name, checksum_of(algorithm).encode())
    assert take(chunked(mode, [good], announced)).checksum_base64 == checksum_of(algorithm)
    bad = (name, checksum_of(algorithm, b"other").encode())
    assert code_of(take, chunked(mode, [bad], announced)) is ErrorCode.BAD_DIGEST


# Security row 6: trailers missing, of the wrong name, of the wrong value.
@pytest.mark.parametrize("mode", WITH_TRAILER)
@pytest.mark.parametrize(
    ("trailers", "code"),
    [
        ([], ErrorCode.MALFORMED_TRAILER_ERROR),
        ([(b"x-amz-checksum-crc32c", CRC32[1])], ErrorCode.MALFORMED_TRAILER_ERROR),
        ([CRC32, (b"x-amz-checksum-crc32c", CRC32[1])], ErrorCode.MALFORMED_TRAILER_ERROR),
        ([CRC32, (b"x-amz-meta-a", b"b")], ErrorCode.MALFORMED_TRAILER_ERROR),
        ([(b"x-amz-checksum-crc32", b"")], ErrorCode.INVALID_REQUEST),
        ([(b"x-amz-checksum-crc32", b"AAAA")], ErrorCode.INVALID_REQUEST),
        ([(b"x-amz-checksum-crc32", b"AAAAAA==")], ErrorCode.BAD_DIGEST),
    ],
)
def test_trailer_that_is_not_the_announced_checksum_is_refused(
    mode: PayloadMode, trailers: list[Header], code: ErrorCode
) -> None:
    assert code_of(take, chunked(mode, trailers)) is code


@pytest.mark.parametrize("mode", WITH_TRAILER)
@pytest.mark.parametrize(
    ("announced", "code"),
    [
        ([], ErrorCode.MALFORMED_TRAILER_ERROR),
        ([(b"x-amz-trailer", b"x-amz-meta-a")], ErrorCode.INVALID_REQUEST),
        ([(b"x-amz-trailer", b"x-amz-checksum-crc32,x-amz-meta-a")], ErrorCode.INVALID_REQUEST),
        ([ANNOUNCED, ANNOUNCED], ErrorCode.INVALID_REQUEST),
        ([ANNOUNCED, CRC32], ErrorCode.INVALID_REQUEST),
        ([CRC32], ErrorCode.MALFORMED_TRAILER_ERROR),
    ],
)
def test_announcement_that_is_not_one_checksum_is_refused(
    mode: PayloadMode, announced: list[Header], code: ErrorCode
) -> None:
    assert code_of(chunked, mode, announced=announced) is code


@pytest.mark.parametrize("payload", [b"UNSIGNED-PAYLOAD", b"0" * 64, b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_trailer_announced_in_a_mode_without_is_refused(payload: bytes) -> None:
    request = request_of(b"PUT", b"/bucket/key", [ANNOUNCED, (b"x-amz-decoded-content-length", b"43")], DATA)
    assert code_of(open_body, request, parse_payload(payload), chain=None, is_open=True) is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], ErrorCode.MISSING_CONTENT_LENGTH),
        ([(b"x-amz-decoded-content-length", b"")], ErrorCode.INVALID_ARGUMENT),
        ([(b"x-amz-decoded-content-length", b"-1")], ErrorCode.INVALID_ARGUMENT),
        ([(b"x-amz-decoded-content-length", b"9" * 5000)], ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_aws_chunked_body_without_a_decoded_length_is_refused(headers: list[Header], code: ErrorCode) -> None:
    request = request_of(b"PUT", b"/bucket/key", [*headers, ANNOUNCED])
    payload = parse_payload(b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert code_of(open_body, request, payload, chain=None) is code


@pytest.mark.parametrize("mode", [mode for mode in STREAMING if mode.is_chunk_signed])
def test_signed_chunks_that_nothing_can_check_are_denied(mode: PayloadMode) -> None:
    # MinIO CVE-2025-31489: a body whose signatures nobody checks is not let in by accident.
    headers = [(b"x-amz-decoded-content-length", b"43"), *([ANNOUNCED] if mode.has_trailer else [])]
    data = encode_chunks([DATA], dict([CRC32]) if mode.has_trailer else None, chain_of(signed_put(b"0" * 64)))
    request = request_of(b"PUT", b"/bucket/key", headers, data)
    payload = parse_payload(mode.value.encode())
    assert code_of(open_body, request, payload, chain=None) is ErrorCode.ACCESS_DENIED
    assert take(open_body(request, payload, chain=None, is_open=True)).md5_hex == MD5.hexdigest()


@pytest.mark.parametrize("mode", [mode for mode in STREAMING if mode.is_chunk_signed])
def test_forged_chunks_are_refused_at_the_latest_by_verify(mode: PayloadMode) -> None:
    headers = [(b"x-amz-decoded-content-length", b"43"), *([ANNOUNCED] if mode.has_trailer else [])]
    request = signed_put(mode.value.encode(), headers)
    data = encode_chunks([DATA.upper()], dict([CRC32]) if mode.has_trailer else None, chain_of(request))
    body = reopened(request, data.replace(DATA.upper(), DATA), mode, chain_of(request))
    assert code_of(take, body) is ErrorCode.SIGNATURE_DOES_NOT_MATCH
