import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.http1.messages import Request
from s3proxy.s3 import sigv4, sigv4_claim
from s3proxy.s3.awschunked import AwsChunkedBody, SignatureChain
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.payload import PayloadMode, parse_payload
from tests.s3.incoming import (
    CREDENTIALS,
    NOW,
    Pieces,
    chain_of,
    code_of,
    encode_chunks,
    receive_all,
    request_of,
    run,
    signed_put,
)

SIGNED = PayloadMode.STREAMING_SIGNED
SIGNED_TRAILER = PayloadMode.STREAMING_SIGNED_TRAILER
UNSIGNED = PayloadMode.STREAMING_UNSIGNED_TRAILER
MODES = [SIGNED, SIGNED_TRAILER, UNSIGNED]
TRAILERS = {b"x-amz-checksum-crc32c": b"sOO8/Q=="}
KIB8 = bytes(range(256)) * 32


def head(mode: PayloadMode) -> Request:
    return signed_put(mode.value.encode())


def encoded(mode: PayloadMode, payloads: Sequence[bytes], trailers: dict[bytes, bytes] = TRAILERS) -> bytes:
    chain = chain_of(head(mode)) if mode.is_chunk_signed else None
    return encode_chunks(payloads, trailers if mode.has_trailer else None, chain)


def body_of(mode: PayloadMode, data: bytes, length: int, sizes: Sequence[int] = (1 << 20,)) -> AwsChunkedBody:
    chain = chain_of(head(mode)) if mode.is_chunk_signed else None
    return AwsChunkedBody(Pieces(data, sizes), mode, length, chain)


def take(body: AwsChunkedBody) -> dict[bytes, bytes]:
    receive_all(body)
    return body.verify()


# The examples of AWS: 65 KiB of "a" in chunks of 64 KiB and 1 KiB


def example(content_sha256: bytes, extra: list[tuple[bytes, bytes]]) -> SignatureChain:
    headers = [
        (b"host", b"s3.amazonaws.com"),
        (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
        (b"content-encoding", b"aws-chunked"),
        (b"x-amz-decoded-content-length", b"66560"),
        *extra,
    ]
    target = b"/examplebucket/chunkObject.txt"
    payload = parse_payload(content_sha256)
    signed = sigv4.sign(b"PUT", target, headers, credentials=CREDENTIALS, payload=payload, now=NOW)
    return SignatureChain(sigv4_claim.parse_header(request_of(b"PUT", target, signed), NOW), CREDENTIALS.secret_key)


def test_chunk_signatures_of_the_example_of_aws_hold() -> None:
    chain = example(SIGNED.value.encode(), [(b"content-length", b"66824")])
    data = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )
    assert len(data) == 66824
    body = AwsChunkedBody(Pieces(data), SIGNED, 66560, chain)
    assert receive_all(body) == b"a" * 66560
    assert body.verify() == {}


def test_trailer_signature_of_the_example_of_aws_holds() -> None:
    chain = example(SIGNED_TRAILER.value.encode(), [(b"x-amz-trailer", b"x-amz-checksum-crc32c")])
    data = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        + b"x-amz-checksum-crc32c:sOO8/Q==\n\r\n"
        + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    body = AwsChunkedBody(Pieces(data), SIGNED_TRAILER, 66560, chain)
    assert receive_all(body) == b"a" * 66560
    assert body.verify() == TRAILERS


# Framing


@settings(max_examples=80)
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
)
def test_unsigned_chunks_decode_to_the_same_for_any_split_and_buffers(
    payloads: list[bytes], sizes: list[int], buffer_sizes: list[int]
) -> None:
    joined = b"".join(payloads)
    body = body_of(UNSIGNED, encoded(UNSIGNED, payloads), len(joined), sizes)
    assert receive_all(body, buffer_sizes) == joined
    assert body.verify() == TRAILERS


@settings(max_examples=40)
@given(
    st.sampled_from([SIGNED, SIGNED_TRAILER]),
    st.lists(st.integers(8192, 30000), max_size=4),
    st.integers(0, 9000),
    st.lists(st.integers(50, 40000), min_size=1, max_size=4),
    st.lists(st.integers(500, 40000), min_size=1, max_size=4),
)
def test_signed_chunks_decode_to_the_same_for_any_split_and_buffers(
    mode: PayloadMode, chunk_sizes: list[int], last: int, sizes: list[int], buffer_sizes: list[int]
) -> None:
    payloads = [bytes([number]) * size for number, size in enumerate([*chunk_sizes, last]) if size]
    joined = b"".join(payloads)
    body = body_of(mode, encoded(mode, payloads), len(joined), sizes)
    assert receive_all(body, buffer_sizes) == joined
    assert body.verify() == (TRAILERS if mode.has_trailer else {})


@pytest.mark.parametrize("mode", MODES)
def test_empty_body_is_verified(mode: PayloadMode) -> None:
    body = body_of(mode, encoded(mode, []), 0)
    assert receive_all(body) == b""
    body.verify()


def test_empty_body_that_was_not_received_is_incomplete() -> None:
    assert code_of(body_of(UNSIGNED, encoded(UNSIGNED, []), 0).verify) is ErrorCode.INCOMPLETE_BODY


def test_last_byte_comes_together_with_the_end_of_the_body() -> None:
    # A store that knows the length may stop receiving when it has that many bytes.
    body = body_of(UNSIGNED, encoded(UNSIGNED, [b"abc"]), 3, (1,))
    buffer = memoryview(bytearray(1))
    for _ in range(3):
        assert run(body.receive_into(buffer)) == 1
    assert body.verify() == TRAILERS


def test_payload_of_a_large_chunk_is_received_in_place() -> None:
    data = encoded(UNSIGNED, [b"x" * 100_000])
    asked: list[int] = []

    class Recorded(Pieces):
        async def receive_into(self, buffer: memoryview) -> int:
            asked.append(len(buffer))
            return await super().receive_into(buffer)

    body = AwsChunkedBody(Recorded(data), UNSIGNED, 100_000, None)
    assert receive_all(body, (1 << 20,)) == b"x" * 100_000
    assert max(asked) > 90_000


def test_many_tiny_unsigned_chunks_cost_no_memory() -> None:
    body = body_of(UNSIGNED, encoded(UNSIGNED, [b"x"] * 5000), 5000)
    buffer = memoryview(bytearray(100))
    sizes = set()
    while run(body.receive_into(buffer)):
        held = [value for slots in (vars(body), vars(body._decoder)) for value in slots.values()]
        sizes.add(sum(sys.getsizeof(value) for value in held))
    assert max(sizes) - min(sizes) < 500


def test_signed_chunks_are_forgotten_when_they_were_digested() -> None:
    body = body_of(SIGNED, encoded(SIGNED, [KIB8] * 40), 40 * 8192)
    buffer = memoryview(bytearray(8192))
    while count := run(body.receive_into(buffer)):
        body.digest(buffer[:count])
        assert body._chunks is not None
        assert len(body._chunks._expected) <= 2
    body.verify()


@pytest.mark.parametrize("mode", MODES)
def test_chunks_without_a_chain_pass_unchecked(mode: PayloadMode) -> None:
    data = encoded(mode, [b"y" * 8192, b"abc"]).replace(b"abc", b"abd")
    body = AwsChunkedBody(Pieces(data), mode, 8195, None)
    assert receive_all(body) == b"y" * 8192 + b"abd"
    assert body.verify() == (TRAILERS if mode.has_trailer else {})


# What must be refused. gaul/s3proxy #1022 and #1027, trinodb/aws-proxy #102: chunk signatures were not checked, an
# early end was accepted, and so was a chunk header of any size.


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_bad_signature_of_any_chunk_is_refused(mode: PayloadMode, number: int) -> None:
    pieces = encoded(mode, [KIB8, KIB8, b"abc"]).split(b"chunk-signature=")
    piece = pieces[number + 1]
    pieces[number + 1] = (b"0" if piece[:1] != b"0" else b"1") + piece[1:]
    data = b"chunk-signature=".join(pieces)
    assert code_of(take, body_of(mode, data, 16387)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_changed_payload_of_a_signed_chunk_is_refused(mode: PayloadMode) -> None:
    data = encoded(mode, [b"y" * 8192, b"abc"]).replace(b"abc\r\n", b"abd\r\n")
    assert code_of(take, body_of(mode, data, 8195)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


def test_signed_chunks_in_another_order_are_refused() -> None:
    data = encoded(SIGNED, [b"1" * 8192, b"2" * 8192])
    size = data.index(b"\r\n") + 2 + 8192 + 2
    first, second, last = data[:size], data[size : 2 * size], data[2 * size :]
    assert take(body_of(SIGNED, first + second + last, 16384)) == {}
    assert code_of(take, body_of(SIGNED, second + first + last, 16384)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


def test_chunks_signed_for_another_request_are_refused() -> None:
    data = encode_chunks([b"abc"], None, chain_of(signed_put(SIGNED.value.encode(), target=b"/bucket/other")))
    assert code_of(take, body_of(SIGNED, data, 3)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


def test_forged_chunk_ends_the_receiving_once_it_was_digested() -> None:
    data = encoded(SIGNED, [KIB8] * 3).replace(KIB8, b"z" * 8192, 1)
    body = body_of(SIGNED, data, 3 * 8192)
    buffer = memoryview(bytearray(8192))
    received = 0
    while received < 8192:
        count = run(body.receive_into(buffer[: 8192 - received]))
        body.digest(buffer[:count])
        received += count
    assert code_of(run, body.receive_into(buffer)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH
    body.digest(buffer)


@pytest.mark.parametrize("mode", MODES)
def test_body_that_ends_anywhere_too_early_is_incomplete(mode: PayloadMode) -> None:
    data = encoded(mode, [KIB8, b"abc"])
    ends = [0, 1, 20, 5000, *range(8192, len(data), 7), len(data) - 2, len(data) - 1]
    for end in ends:
        assert code_of(take, body_of(mode, data[:end], 8195)) is ErrorCode.INCOMPLETE_BODY


@pytest.mark.parametrize("mode", MODES)
def test_body_without_its_last_chunk_is_incomplete(mode: PayloadMode) -> None:
    data = encoded(mode, [KIB8])
    end = data.rindex(b"0;chunk-signature" if mode.is_chunk_signed else b"\r\n0\r\n")
    assert code_of(take, body_of(mode, data[:end], 8192)) is ErrorCode.INCOMPLETE_BODY


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("length", [0, 3, 8191, 8193, 9000])
def test_body_of_another_than_the_decoded_length_is_refused(mode: PayloadMode, length: int) -> None:
    body = body_of(mode, encoded(mode, [KIB8]), length)
    assert code_of(take, body) is ErrorCode.INCOMPLETE_BODY


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sizes", [(1 << 20,), (100,)])
def test_body_that_goes_on_behind_its_end_is_refused(mode: PayloadMode, sizes: tuple[int, ...]) -> None:
    data = encoded(mode, [KIB8])
    for garbage in (b"x", b"\r\n", data):
        assert code_of(take, body_of(mode, data + garbage, 8192, sizes)) is ErrorCode.INCOMPLETE_BODY


@pytest.mark.parametrize(
    "data",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"\r\nabc\r\n0\r\n\r\n",
        b"3;a=b\r\nabc\r\n0\r\n\r\n",
        b"00000000000000003\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"3" * 2000,
        b"3\r\nabc" + b"\0" * 2000,
        b"3;chunk-signature=" + b"a" * 64 + b"\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_broken_framing_is_refused(data: bytes) -> None:
    assert code_of(take, body_of(UNSIGNED, data, 3)) is ErrorCode.INCOMPLETE_BODY


@pytest.mark.parametrize("header", [b"3", b"3;chunk-signature=", b"3;chunk-signature=" + b"A" * 64])
def test_signed_chunk_without_a_proper_signature_is_refused(header: bytes) -> None:
    # MinIO CVE-2025-31489: unsigned chunks passed where signed ones were announced.
    assert code_of(take, body_of(SIGNED, header + b"\r\nabc\r\n0\r\n\r\n", 3)) is ErrorCode.INCOMPLETE_BODY


def test_endless_chunk_header_is_refused_after_a_kibibyte() -> None:
    source = Pieces(b"0" * 100_000, (100,))
    body = AwsChunkedBody(source, UNSIGNED, 3, None)
    assert code_of(take, body) is ErrorCode.INCOMPLETE_BODY
    assert len(source._left) > 98_000


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_small_signed_chunk_that_is_not_the_last_is_refused(mode: PayloadMode) -> None:
    body = body_of(mode, encoded(mode, [b"x" * 8191, b"abc"]), 8194)
    assert code_of(take, body) is ErrorCode.INVALID_CHUNK_SIZE_ERROR


@pytest.mark.parametrize(
    "trailers",
    [
        b"no colon\r\n",
        b": value\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\nX-Amz-Checksum-CRC32:AAAAAA==\r\n",
        b"".join(b"t%d:\r\n" % number for number in range(9)),
    ],
)
def test_malformed_trailers_are_refused(trailers: bytes) -> None:
    data = b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n"
    assert code_of(take, body_of(UNSIGNED, data, 3)) is ErrorCode.MALFORMED_TRAILER_ERROR


def test_trailer_in_a_mode_without_is_refused() -> None:
    data = encoded(SIGNED, [b"abc"])[:-2] + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    assert code_of(take, body_of(SIGNED, data, 3)) is ErrorCode.MALFORMED_TRAILER_ERROR


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"sOO8/Q==", b"sOO8/Q=A"),
        (b"x-amz-checksum-crc32c:", b"x-amz-checksum-crc32:"),
        (b"x-amz-trailer-signature:", b"x-amz-trailer-signature:0"),
        (b"x-amz-trailer-signature:", b"x-amz-other:"),
    ],
)
def test_signed_trailer_that_was_changed_is_refused(old: bytes, new: bytes) -> None:
    data = encoded(SIGNED_TRAILER, [b"abc"]).replace(old, new)
    assert code_of(take, body_of(SIGNED_TRAILER, data, 3)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


@settings(max_examples=80)
@given(st.sampled_from(MODES), st.integers(0, 600), st.binary(max_size=3), st.integers(0, 3))
def test_mutated_body_decodes_to_the_same_or_raises_an_s3_error(
    mode: PayloadMode, place: int, inserted: bytes, dropped: int
) -> None:
    data = encoded(mode, [b"abc"])
    place %= len(data)
    mutated = data[:place] + inserted + data[place + dropped :]
    body = body_of(mode, mutated, 3)
    try:
        received = receive_all(body)
        trailers = body.verify()
    except S3Error:
        return
    assert mode is UNSIGNED or (received, trailers) == (b"abc", TRAILERS if mode.has_trailer else {})
