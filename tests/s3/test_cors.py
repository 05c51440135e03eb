import pytest

from s3proxy.s3.cors import refuse_preflight
from s3proxy.s3.errors import ErrorCode

ORIGIN = {b"origin": b"https://example.com"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, ErrorCode.BAD_REQUEST),
        (ORIGIN, ErrorCode.BAD_REQUEST),
        (ORIGIN | {b"access-control-request-method": b"GET"}, ErrorCode.ACCESS_FORBIDDEN),
    ],
)
def test_preflight_is_refused_as_by_a_bucket_without_cors(fields: dict[bytes, bytes], code: ErrorCode) -> None:
    assert refuse_preflight(fields).code is code
