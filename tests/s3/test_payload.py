import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.payload import PayloadMode, parse_payload
from tests.s3.incoming import code_of, error_of


@pytest.mark.parametrize(
    ("value", "mode", "is_streaming", "is_chunk_signed", "has_trailer"),
    [
        (b"a" * 64, PayloadMode.DIGEST, False, False, False),
        (b"A1" * 32, PayloadMode.DIGEST, False, False, False),
        (b"UNSIGNED-PAYLOAD", PayloadMode.UNSIGNED, False, False, False),
        (b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadMode.STREAMING_SIGNED, True, True, False),
        (b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadMode.STREAMING_SIGNED_TRAILER, True, True, True),
        (b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadMode.STREAMING_UNSIGNED_TRAILER, True, False, True),
    ],
)
def test_payload_of_each_mode_is_read(
    value: bytes, mode: PayloadMode, is_streaming: bool, is_chunk_signed: bool, has_trailer: bool
) -> None:
    payload = parse_payload(value)
    assert (payload.mode, payload.text) == (mode, value)
    assert (mode.is_streaming, mode.is_chunk_signed, mode.has_trailer) == (is_streaming, is_chunk_signed, has_trailer)


@pytest.mark.parametrize(
    "value", [b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"]
)
def test_payload_signed_with_ecdsa_is_refused_by_name(value: bytes) -> None:
    error = error_of(parse_payload, value)
    assert error.code is ErrorCode.NOT_IMPLEMENTED
    assert value.decode() in error.message


@pytest.mark.parametrize("value", [b"", b"a" * 63, b"g" * 64, b"unsigned-payload", b"STREAMING-UNSIGNED-PAYLOAD"])
def test_payload_of_another_value_is_an_invalid_argument(value: bytes) -> None:
    assert code_of(parse_payload, value) is ErrorCode.INVALID_ARGUMENT
