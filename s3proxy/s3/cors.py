"""Preflight requests, as a bucket without a CORS configuration answers them.

A browser sends them without credentials, so they are answered before anybody is authenticated, always with an error.

Source: S3 API, OPTIONS object.
"""

from collections.abc import Mapping

from s3proxy.s3.errors import ErrorCode, S3Error


def refuse_preflight(fields: Mapping[bytes, bytes]) -> S3Error:
    """The error that answers a preflight request with these headers."""
    if b"origin" not in fields:
        return S3Error(ErrorCode.BAD_REQUEST, "Insufficient information. Origin request header needed.")
    if b"access-control-request-method" not in fields:
        return S3Error(ErrorCode.BAD_REQUEST, "Invalid Access-Control-Request-Method: null")
    return S3Error(ErrorCode.ACCESS_FORBIDDEN)
