import re
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.http1.messages import Header, Request
from s3proxy.s3 import sigv2
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.payload import PayloadMode
from tests.s3.incoming import CREDENTIALS, NOW, code_of, error_of, request_of

AUTHORIZATION = (b"authorization", b"AWS AKID:c2lnbmF0dXJl")
MAY_24 = (b"date", b"Fri, 24 May 2013 00:00:00 GMT")


def verify_header(request: Request, now: float, bucket: str | None = None) -> None:
    sigv2.verify(sigv2.parse_header(request, now), request, CREDENTIALS.secret_key, bucket=bucket)


def verify_query(request: Request, now: float) -> None:
    sigv2.verify(sigv2.parse_query(request, now), request, CREDENTIALS.secret_key)


def now() -> float:
    return datetime.now(UTC).timestamp()


# AWS's examples in the S3 User Guide: method, target, headers, signature.

EXAMPLES: dict[str, tuple[bytes, bytes, list[Header], bytes]] = {
    "Object GET": (
        b"GET",
        b"/photos/puppy.jpg",
        [(b"date", b"Tue, 27 Mar 2007 19:36:42 +0000")],
        b"bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
    ),
    "Object PUT": (
        b"PUT",
        b"/photos/puppy.jpg",
        [
            (b"content-type", b"image/jpeg"),
            (b"content-length", b"94328"),
            (b"date", b"Tue, 27 Mar 2007 21:15:45 +0000"),
        ],
        b"MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    "List": (
        b"GET",
        b"/?prefix=photos&max-keys=50&marker=puppy",
        [(b"user-agent", b"Mozilla/5.0"), (b"date", b"Tue, 27 Mar 2007 19:42:41 +0000")],
        b"htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    "Fetch": (b"GET", b"/?acl", [(b"date", b"Tue, 27 Mar 2007 19:44:46 +0000")], b"c2WLPFtWHVgbEmeEG93a4cG37dM="),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_verify_of_the_examples_of_aws_in_virtual_host_style_holds(name: str) -> None:
    method, target, headers, signature = EXAMPLES[name]
    request = request_of(method, target, [*headers, (b"authorization", b"AWS AKIAIOSFODNN7EXAMPLE:" + signature)])
    signed_at = datetime(2007, 3, 27, 19, 40, tzinfo=UTC).timestamp() + (5700 if name == "Object PUT" else 0)
    verify_header(request, signed_at, bucket="johnsmith")
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        verify_header(request, signed_at)


# botocore as the oracle

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_awkward = st.sampled_from("/+ *~=%&?._-'()é日")
_keys = st.text(_awkward | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_values = st.text("abc XYZ;=/", max_size=20)
_queries = st.dictionaries(
    st.sampled_from(["acl", "uploads", "uploadId", "partNumber", "versionId", "versions", "tagging", "select"])
    | st.sampled_from(["select-type", "response-content-type", "response-expires", "prefix", "list-type"]),
    _text,
    max_size=5,
)


def _url(key: str, query: dict[str, str]) -> str:
    pairs = [name + (f"={quote(value, safe='')}" if value else "") for name, value in query.items()]
    return f"http://127.0.0.1:39999/bucket/{quote(key, safe='/~')}" + ("?" + "&".join(pairs) if pairs else "")


def signed_by_botocore(method: str, url: str, headers: dict[str, str], *, presign: bool = False) -> Request:
    credentials = botocore.credentials.Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key)
    auth = botocore.auth.HmacV1QueryAuth(credentials, 60) if presign else botocore.auth.HmacV1Auth(credentials)
    request = botocore.awsrequest.AWSRequest(method, url, headers=headers)
    auth.add_auth(request)
    parts = urlsplit(request.url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    lines = [(b"host", parts.netloc.encode())]
    if not presign:  # a presigned request carries its headers in the query
        lines += [(name.lower().encode(), value.strip().encode()) for name, value in request.headers.items()]
    return request_of(method.encode(), target.encode(), lines)


@settings(max_examples=60)
@given(_keys, _queries, _values)
def test_verify_of_what_botocore_signs_holds(key: str, query: dict[str, str], value: str) -> None:
    headers = {"x-amz-meta-note": value, "Content-Type": "text/plain", "Content-MD5": "abc", "X-Amz-Acl": "private"}
    verify_header(signed_by_botocore("PUT", _url(key, query), headers), now())


@settings(max_examples=60)
@given(_keys, _queries)
def test_verify_of_what_botocore_presigns_holds(key: str, query: dict[str, str]) -> None:
    headers = {"x-amz-acl": "public-read", "Content-Type": "text/plain; a=b"}
    verify_query(signed_by_botocore("PUT", _url(key, query), headers, presign=True), now())


# Forgeries


def test_verify_with_a_header_added_or_changed_fails() -> None:
    # RustFS GHSA-g8w9-qw9q-fghr: an x-amz-* header that nobody signed was honoured.
    request = signed_by_botocore("PUT", _url("key", {}), {"Content-Type": "a/b"})
    verify_header(request, now())
    copy = (b"x-amz-copy-source", b"/other/secret")
    added = request_of(b"PUT", request.target, [*request.headers, copy])
    assert code_of(verify_header, added, now()) is ErrorCode.SIGNATURE_DOES_NOT_MATCH
    lines = [(name, value.replace(b"a/b", b"a/c")) for name, value in request.headers]
    changed = request_of(b"PUT", request.target, lines)
    assert code_of(verify_header, changed, now()) is ErrorCode.SIGNATURE_DOES_NOT_MATCH

    presigned = signed_by_botocore("PUT", _url("key", {}), {}, presign=True)
    verify_query(presigned, now())
    for target, headers in [
        (presigned.target, [copy]),
        (presigned.target + b"&x-amz-acl=public-read", []),
        (presigned.target + b"&uploads", []),
        (presigned.target.replace(b"/key", b"/kez"), []),
    ]:
        forged = request_of(b"PUT", target, [*presigned.headers, *headers])
        assert code_of(verify_query, forged, now()) is ErrorCode.SIGNATURE_DOES_NOT_MATCH
    later = request_of(b"PUT", re.sub(rb"Expires=\d", b"Expires=2", presigned.target), presigned.headers)
    assert code_of(verify_query, later, now()) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


def test_mismatch_tells_what_was_signed_and_no_secret() -> None:
    error = error_of(verify_header, request_of(b"GET", b"/bucket/key?acl", [AUTHORIZATION, MAY_24]), NOW)
    assert error.code is ErrorCode.SIGNATURE_DOES_NOT_MATCH
    assert error.detail["StringToSign"] == "GET\n\n\nFri, 24 May 2013 00:00:00 GMT\n/bucket/key?acl"
    assert error.detail["SignatureProvided"] == "c2lnbmF0dXJl"
    assert CREDENTIALS.secret_key not in "".join(error.detail.values())


@pytest.mark.parametrize("mode", [mode for mode in PayloadMode if mode is not PayloadMode.DIGEST])
def test_payload_that_is_signed_by_chunks_is_refused(mode: PayloadMode) -> None:
    # MinIO CVE-2025-31489: there is no SigV4 signature that chunk signatures could continue.
    request = request_of(b"PUT", b"/b/k", [AUTHORIZATION, MAY_24, (b"x-amz-content-sha256", mode.value.encode())])
    if mode.is_chunk_signed:
        assert code_of(sigv2.parse_header, request, NOW) is ErrorCode.INVALID_REQUEST
    else:
        assert sigv2.parse_header(request, NOW).payload.mode is mode


# Form and dates, as Ceph's s3-tests have them (test_headers.py, *_aws2)


@pytest.mark.parametrize("authorization", [b"AWS HAHAHA", b"AWS", b"AWS ", b"AWS :signature"])
def test_header_of_the_wrong_form_is_an_invalid_argument(authorization: bytes) -> None:
    request = request_of(b"PUT", b"/b/k", [(b"authorization", authorization), MAY_24])
    assert code_of(sigv2.parse_header, request, NOW) is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], ErrorCode.ACCESS_DENIED),
        ([(b"x-amz-date", b"Bad Date"), MAY_24], ErrorCode.ACCESS_DENIED),
        ([(b"x-amz-date", b""), MAY_24], ErrorCode.ACCESS_DENIED),
        ([(b"x-amz-date", b"Tue, 07 Jul 1950 21:53:04 GMT"), MAY_24], ErrorCode.ACCESS_DENIED),
        ([(b"x-amz-date", b"Tue, 07 Jul 2010 21:53:04 GMT"), MAY_24], ErrorCode.REQUEST_TIME_TOO_SKEWED),
        ([(b"x-amz-date", b"Tue, 07 Jul 2030 21:53:04 GMT"), MAY_24], ErrorCode.REQUEST_TIME_TOO_SKEWED),
        ([(b"x-amz-date", b"Tue, 07 Jul 9999 21:53:04 GMT"), MAY_24], ErrorCode.REQUEST_TIME_TOO_SKEWED),
    ],
)
def test_header_date_that_is_not_now_is_refused_with_the_code_for_its_fault(
    headers: list[Header], code: ErrorCode
) -> None:
    assert code_of(sigv2.parse_header, request_of(b"PUT", b"/b/k", [AUTHORIZATION, *headers]), NOW) is code


def test_x_amz_date_is_signed_in_place_of_date() -> None:
    amz_date = (b"x-amz-date", b"Fri, 24 May 2013 00:00:00 GMT")
    error = error_of(verify_header, request_of(b"GET", b"/b/k", [AUTHORIZATION, amz_date, (b"date", b"x")]), NOW)
    assert error.detail["StringToSign"] == "GET\n\n\n\nx-amz-date:Fri, 24 May 2013 00:00:00 GMT\n/b/k"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"AWSAccessKeyId=a&Signature=s", "Query-string authentication requires the Signature, Expires and AWSAcc"),
        (b"Expires=2000000000&Signature=s", "Query-string authentication requires the Signature, Expires and AWSAcc"),
        (b"AWSAccessKeyId=a&Expires=9&Expires=9&Signature=s", "Query-string authentication requires the Signature,"),
        (b"AWSAccessKeyId=a&Expires=soon&Signature=s", "Invalid date (should be seconds since epoch): soon"),
        (b"AWSAccessKeyId=a&Expires=&Signature=s", "Invalid date (should be seconds since epoch): "),
        (b"AWSAccessKeyId=a&Expires=-1&Signature=s", "Invalid date (should be seconds since epoch): -1"),
        (b"AWSAccessKeyId=a&Expires=1369353599&Signature=s", "Request has expired"),
    ],
)
def test_query_that_is_incomplete_or_expired_is_denied(query: bytes, message: str) -> None:
    error = error_of(sigv2.parse_query, request_of(b"GET", b"/b/k?" + query, []), NOW)
    assert error.code is ErrorCode.ACCESS_DENIED
    assert error.message.startswith(message)


def test_query_is_valid_until_its_last_second() -> None:
    claim = sigv2.parse_query(request_of(b"GET", b"/b/k?AWSAccessKeyId=a&Expires=1369353600&Signature=s%3D", []), NOW)
    assert (claim.access_key, claim.signature, claim.is_presigned) == ("a", b"s=", True)


@settings(max_examples=40)
@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=20))
def test_parsers_on_arbitrary_input_raise_only_s3_errors(authorization: bytes, query: bytes, date: bytes) -> None:
    lines = [(b"authorization", b"AWS " + authorization), (b"date", date)]
    error_of(verify_header, request_of(b"GET", b"/?" + query, lines), NOW)
    error_of(verify_query, request_of(b"GET", b"/?AWSAccessKeyId=a&Signature=b&" + query, lines), NOW)
