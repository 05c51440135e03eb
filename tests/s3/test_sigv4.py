import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

import awscrt.auth
import awscrt.http
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.http1.messages import Header, Request
from s3proxy.s3 import sigv4, sigv4_claim
from s3proxy.s3.authorization import format_timestamp
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, PayloadMode, parse_payload
from tests.s3.incoming import CREDENTIALS, NOW, code_of, error_of, request_of

EMPTY = sha256(b"").hexdigest().encode()
HOST = (b"host", b"examplebucket.s3.amazonaws.com")
DATE = (b"x-amz-date", b"20130524T000000Z")

# AWS's examples: method, target, headers besides Authorization, signature.
EXAMPLES: dict[str, tuple[bytes, bytes, list[Header], bytes]] = {
    "GET object": (
        b"GET",
        b"/test.txt",
        [HOST, (b"range", b"bytes=0-9"), (b"x-amz-content-sha256", EMPTY), DATE],
        b"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "PUT object": (
        b"PUT",
        b"/test$file.text",
        [
            HOST,
            (b"date", b"Fri, 24 May 2013 00:00:00 GMT"),
            DATE,
            (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
            (b"x-amz-content-sha256", b"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
        ],
        b"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "GET bucket lifecycle": (
        b"GET",
        b"/?lifecycle",
        [HOST, (b"x-amz-content-sha256", EMPTY), DATE],
        b"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "GET bucket (list objects)": (
        b"GET",
        b"/?max-keys=2&prefix=J",
        [HOST, (b"x-amz-content-sha256", EMPTY), DATE],
        b"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


def verify_header(request: Request, now: float = NOW, secret_key: str = CREDENTIALS.secret_key) -> None:
    sigv4.verify(sigv4_claim.parse_header(request, now), request, secret_key)


def verify_query(request: Request, now: float = NOW, secret_key: str = CREDENTIALS.secret_key) -> None:
    sigv4.verify(sigv4_claim.parse_query(request, now), request, secret_key)


def signed(method: bytes, target: bytes, headers: list[Header], content_sha256: bytes = EMPTY) -> Request:
    payload = parse_payload(content_sha256)
    return request_of(
        method, target, sigv4.sign(method, target, headers, credentials=CREDENTIALS, payload=payload, now=NOW)
    )


def presigned(method: bytes, target: bytes, headers: list[Header]) -> Request:
    target = sigv4.presign(method, target, headers, credentials=CREDENTIALS, expires_seconds=60, now=NOW)
    return request_of(method, target, headers)


def with_headers(request: Request, *added: Header) -> Request:
    return request_of(request.method, request.target, [*request.headers, *added])


@pytest.mark.parametrize("name", EXAMPLES)
def test_verify_of_the_examples_of_aws_holds(name: str) -> None:
    method, target, headers, signature = EXAMPLES[name]
    names = b";".join(sorted(name for name, _ in headers))
    scope = CREDENTIALS.access_key.encode() + b"/20130524/us-east-1/s3/aws4_request"
    authorization = b"AWS4-HMAC-SHA256 Credential=%b,SignedHeaders=%b,Signature=%b" % (scope, names, signature)
    verify_header(request_of(method, target, [*headers, (b"authorization", authorization)]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_sign_of_the_examples_of_aws_gives_their_signatures(name: str) -> None:
    method, target, headers, signature = EXAMPLES[name]
    content_sha256 = dict(headers)[b"x-amz-content-sha256"]
    others = [header for header in headers if header[0] not in (b"x-amz-date", b"x-amz-content-sha256")]
    authorization = signed(method, target, others, content_sha256).header(b"authorization")
    assert authorization is not None
    assert authorization.endswith(b"Signature=" + signature)


def test_presign_of_the_example_of_aws_gives_its_url() -> None:
    target = sigv4.presign(b"GET", b"/test.txt", [HOST], credentials=CREDENTIALS, expires_seconds=86400, now=NOW)
    assert target == (
        b"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        b"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    verify_query(request_of(b"GET", target, [HOST]))


# Clients as oracles

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_awkward = st.sampled_from("/+ *~=%&?._-'()é日\U0001f600")
_keys = st.text(_awkward | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_queries = st.dictionaries(_text.filter(bool), _text, max_size=4)
_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
_RAW_TARGETS = [
    b"/bucket/a+b",
    b"/bucket/a%2Bb%20c%20",
    b"/bucket/a%2Fb",
    b"/bucket//a/../b/./c//",
    b"/bucket/~a*b=c'(d)!,;:@$",
    b"/bucket/%e6%97%a5%7E%41",
    b"/bucket/100%",
    b"/bucket?prefix=a%20b*d&delimiter=%2F&delimiter=/",
    b"/bucket?list-type=2&b=2&a=2&a=1&a=%31",
    b"/bucket?prefix=a=b=c~&uploads&marker=",
]


def _arrived(method: str, url: str, headers: list[tuple[str, str]]) -> Request:
    parts = urlsplit(url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    lines = [(name.lower().encode(), value.strip().encode()) for name, value in headers]
    if not any(name == b"host" for name, _ in lines):
        lines.append((b"host", parts.netloc.encode()))
    return request_of(method.encode(), target.encode(), lines)


def signed_by_botocore(method: str, url: str, headers: dict[str, str], *, presign: bool = False) -> Request:
    credentials = botocore.credentials.Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key)
    request = botocore.awsrequest.AWSRequest(method, url, headers=headers)
    if presign:
        botocore.auth.S3SigV4QueryAuth(credentials, "s3", CREDENTIALS.region, expires=60).add_auth(request)
    else:
        botocore.auth.S3SigV4Auth(credentials, "s3", CREDENTIALS.region).add_auth(request)
    return _arrived(method, request.url, list(request.headers.items()))


def signed_by_awscrt(method: str, url: str, headers: dict[str, str]) -> Request:
    parts = urlsplit(url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    lines = awscrt.http.HttpHeaders([("host", parts.netloc), *headers.items()])
    request = awscrt.http.HttpRequest(method, target, lines)
    config = awscrt.auth.AwsSigningConfig(
        algorithm=awscrt.auth.AwsSigningAlgorithm.V4,
        signature_type=awscrt.auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=awscrt.auth.AwsCredentialsProvider.new_static(
            CREDENTIALS.access_key, CREDENTIALS.secret_key
        ),
        region=CREDENTIALS.region,
        service="s3",
        date=datetime.now(UTC),
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
        signed_body_value="UNSIGNED-PAYLOAD",
        signed_body_header_type=awscrt.auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )
    awscrt.auth.aws_sign_request(request, config).result()
    return _arrived(method, f"http://{parts.netloc}{request.path}", list(request.headers))


def now() -> float:
    return datetime.now(UTC).timestamp()


def _url(key: str, query: dict[str, str]) -> str:
    encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    return f"http://127.0.0.1:39999/bucket/{quote(key, safe='/~')}" + ("?" + encoded if encoded else "")


@settings(max_examples=60)
@given(_keys, _queries, _values)
def test_verify_of_what_botocore_signs_holds(key: str, query: dict[str, str], value: str) -> None:
    request = signed_by_botocore("PUT", _url(key, query), {"x-amz-meta-note": value, "Content-Type": "text/plain"})
    verify_header(request, now())


@settings(max_examples=60)
@given(_keys, _queries, _values)
def test_verify_of_what_botocore_presigns_holds(key: str, query: dict[str, str], value: str) -> None:
    request = signed_by_botocore("PUT", _url(key, query), {"x-amz-meta-note": value}, presign=True)
    verify_query(request, now())


@settings(max_examples=60)
@given(_keys, _queries, _values)
def test_verify_of_what_awscrt_signs_holds(key: str, query: dict[str, str], value: str) -> None:
    verify_header(signed_by_awscrt("GET", _url(key, query), {"x-amz-meta-note": value}), now())


@pytest.mark.parametrize("target", _RAW_TARGETS)
@pytest.mark.parametrize("sign", [signed_by_botocore, signed_by_awscrt])
def test_verify_of_escapes_as_the_client_sent_them_holds(
    target: bytes, sign: Callable[[str, str, dict[str, str]], Request]
) -> None:
    verify_header(sign("GET", "http://127.0.0.1:39999" + target.decode(), {}), now())


def test_verify_of_a_plus_in_the_query_takes_it_for_a_space() -> None:
    # awscrt signs it as a plus: accepting that would list another prefix than the one that was signed.
    verify_header(signed_by_botocore("GET", "http://127.0.0.1/bucket?prefix=a+b", {}), now())
    spaced = signed(b"GET", b"/bucket?prefix=a%20b", [HOST])
    verify_header(request_of(b"GET", b"/bucket?prefix=a+b", spaced.headers))
    plus = signed_by_awscrt("GET", "http://127.0.0.1/bucket?prefix=a+b", {})
    assert code_of(verify_header, plus, now()) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


@pytest.mark.parametrize("target", _RAW_TARGETS)
def test_verify_of_escapes_as_we_sign_them_holds(target: bytes) -> None:
    verify_header(signed(b"GET", target, [HOST]))
    verify_query(presigned(b"GET", target, [HOST]))


def test_verify_with_the_host_as_the_client_sent_it_holds() -> None:
    for host in (b"s3.example.org", b"s3.example.org:443", b"[::1]:39999"):
        verify_header(signed(b"GET", b"/bucket/key", [(b"host", host)]))


def test_verify_of_a_header_sent_twice_joins_the_values() -> None:
    twice = [HOST, (b"x-amz-meta-a", b"1  2"), (b"x-amz-meta-a", b"3")]
    request = signed(b"PUT", b"/key", twice)
    joined = [(name, b"1 2,3") if value == b"1  2" else (name, value) for name, value in request.headers]
    verify_header(request)
    verify_header(request_of(b"PUT", b"/key", [header for header in joined if header[1] != b"3"]))


def test_verify_with_a_session_token_needs_it_unchanged() -> None:
    credentials = sigv4.Credentials(access_key="a", secret_key="s", region="eu", session_token="to+ken")
    headers = sigv4.sign(b"GET", b"/k", [HOST], credentials=credentials, payload=UNSIGNED_PAYLOAD, now=NOW)
    verify_header(request_of(b"GET", b"/k", headers), secret_key="s")
    target = sigv4.presign(b"GET", b"/k", [HOST], credentials=credentials, expires_seconds=9, now=NOW)
    verify_query(request_of(b"GET", target, [HOST]), secret_key="s")
    changed = request_of(b"GET", target.replace(b"to%2Bken", b"to%2Bkem"), [HOST])
    assert code_of(verify_query, changed, secret_key="s") is ErrorCode.SIGNATURE_DOES_NOT_MATCH


# Forgeries

_TOKEN = st.text("abcdefgh0123", min_size=1, max_size=8).map(str.encode)


def _changed(data: bytes, position: int) -> bytes:
    """``data`` with one letter or digit exchanged for another."""
    places = [match.start() for match in re.finditer(rb"[a-z0-9]", data)]
    place = places[position % len(places)]
    other = b"z" if data[place : place + 1] != b"z" else b"y"
    return data[:place] + other + data[place + 1 :]


@settings(max_examples=60)
@given(_TOKEN, _TOKEN, _TOKEN, st.sampled_from(["method", "target", "header"]), st.integers(0, 1000))
def test_verify_of_a_request_with_any_signed_byte_changed_fails(
    key: bytes, value: bytes, meta: bytes, part: str, position: int
) -> None:
    target = b"/bucket/%b?prefix=%b&uploads=" % (key, value)
    headers = [HOST, (b"x-amz-meta-m", meta), (b"content-type", b"text/plain"), (b"content-md5", b"abc")]
    of_header = (signed(b"PUT", target, headers), verify_header)
    of_query = (presigned(b"PUT", target, headers), verify_query)
    for request, verify in (of_header, of_query):
        verify(request)
        method, arrived_target, lines = request.method, request.target, list(request.headers)
        if part == "method":
            method = b"DELETE"
        elif part == "target":
            path, _, query = arrived_target.partition(b"&X-Amz")
            arrived_target = _changed(path, position) + b"&X-Amz" * bool(query) + query
        else:
            index = position % 4
            lines[index] = (lines[index][0], _changed(lines[index][1], position))
        assert code_of(verify, request_of(method, arrived_target, lines)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


@pytest.mark.parametrize("mode", [mode for mode in PayloadMode if mode is not PayloadMode.DIGEST] + [None])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE"])
def test_verify_of_a_forged_signature_fails_in_every_payload_mode(mode: PayloadMode | None, method: bytes) -> None:
    # MinIO CVE-2025-31489: a streaming mode was taken for a reason not to look at the signature.
    content_sha256 = EMPTY if mode is None else mode.value.encode()
    request = signed(method, b"/bucket/key", [HOST], content_sha256)
    verify_header(request)
    lines = [
        (name, re.sub(b"Signature=.{10}", b"Signature=0123456789", value) if name == b"authorization" else value)
        for name, value in request.headers
    ]
    assert code_of(verify_header, request_of(method, b"/bucket/key", lines)) is ErrorCode.SIGNATURE_DOES_NOT_MATCH
    assert code_of(verify_header, request, secret_key="another") is ErrorCode.SIGNATURE_DOES_NOT_MATCH


@pytest.mark.parametrize("mode", [mode for mode in PayloadMode if mode is not PayloadMode.DIGEST])
def test_verify_of_a_forged_presigned_request_fails_in_every_payload_mode(mode: PayloadMode) -> None:
    # MinIO CVE-2026-41145: credentials in the query together with a streaming mode.
    request = presigned(b"PUT", b"/bucket/key", [HOST, (b"x-amz-content-sha256", mode.value.encode())])
    target = re.sub(b"X-Amz-Signature=.{10}", b"X-Amz-Signature=0123456789", request.target)
    forged = request_of(b"PUT", target, request.headers)
    assert code_of(verify_query, forged) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


@pytest.mark.parametrize(
    "added",
    [
        (b"x-amz-copy-source", b"/other/secret"),
        (b"x-amz-acl", b"public-read"),
        (b"x-amz-meta-a", b"b"),
        (b"x-amz-tagging", b"a=b"),
        (b"x-amz-security-token", b"t"),
        (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
        (b"x-amz-decoded-content-length", b"3"),
        (b"x-amz-", b""),
    ],
)
def test_verify_of_an_unsigned_amz_header_is_denied_and_names_it(added: Header) -> None:
    # RustFS GHSA-g8w9-qw9q-fghr and GHSA-xm99-m3gq-83g8: a presigned PUT was turned into a copy by an unsigned header.
    request = presigned(b"PUT", b"/bucket/key", [HOST])
    error = error_of(verify_query, with_headers(request, added))
    assert (error.code, error.detail["HeadersNotSigned"]) == (ErrorCode.ACCESS_DENIED, added[0].decode())
    if added[0] != b"x-amz-content-sha256":
        error = error_of(verify_header, with_headers(signed(b"PUT", b"/bucket/key", [HOST]), added))
        assert (error.code, error.detail["HeadersNotSigned"]) == (ErrorCode.ACCESS_DENIED, added[0].decode())


def test_verify_of_unsigned_headers_that_proxies_add_holds() -> None:
    added = [(b"x-forwarded-for", b"192.0.2.7"), (b"x-amzn-trace-id", b"Root=1"), (b"user-agent", b"u")]
    verify_header(with_headers(signed(b"GET", b"/bucket/key", [HOST]), *added))


@pytest.mark.parametrize("others", [[], [HOST]])
def test_verify_without_the_host_among_the_signed_headers_is_denied(others: list[Header]) -> None:
    lines = [
        (name, value.replace(b"=host;", b"=") if name == b"authorization" else value)
        for name, value in signed(b"GET", b"/bucket/key", [HOST]).headers
        if name != b"host"
    ]
    error = error_of(verify_header, request_of(b"GET", b"/bucket/key", [*lines, *others]))
    assert (error.code, error.detail["HeadersNotSigned"]) == (ErrorCode.ACCESS_DENIED, "host")


def test_verify_of_a_signed_header_that_did_not_arrive_fails() -> None:
    request = signed(b"PUT", b"/bucket/key", [HOST, (b"x-amz-meta-a", b"")])
    without = request_of(b"PUT", b"/bucket/key", [line for line in request.headers if line[0] != b"x-amz-meta-a"])
    assert code_of(verify_header, without) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


def test_mismatch_tells_what_was_signed_and_no_secret() -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889: secrets in what is logged.
    request = request_of(b"DELETE", b"/key", signed(b"GET", b"/key", [HOST]).headers)
    error = error_of(verify_header, request)
    assert list(error.detail) == [
        "AWSAccessKeyId",
        "StringToSign",
        "SignatureProvided",
        "StringToSignBytes",
        "CanonicalRequest",
        "CanonicalRequestBytes",
    ]
    assert error.detail["CanonicalRequest"].startswith("DELETE\n/key\n\nhost:examplebucket.s3.amazonaws.com\n")
    assert error.detail["StringToSign"].startswith("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/")
    key = sigv4.signing_key(CREDENTIALS.secret_key, b"20130524/us-east-1/s3/aws4_request")
    expected = sigv4.sign(b"DELETE", b"/key", [HOST], credentials=CREDENTIALS, payload=parse_payload(EMPTY), now=NOW)
    told = "\n".join([str(error), repr(error), *error.detail.values()])
    for secret in (CREDENTIALS.secret_key, key.hex(), key.hex(" "), dict(expected)[b"authorization"].decode()[-64:]):
        assert secret not in told


def test_credentials_do_not_show_their_secrets() -> None:
    assert "wJalr" not in repr(CREDENTIALS)
    assert "tok" not in repr(sigv4.Credentials(access_key="a", secret_key="s3cret", region="r", session_token="tok"))


@settings(max_examples=40)
@given(st.binary(max_size=40), st.binary(max_size=60), st.binary(max_size=20))
def test_parsers_on_arbitrary_input_raise_only_s3_errors(credential: bytes, authorization: bytes, date: bytes) -> None:
    header = b"AWS4-HMAC-SHA256 Credential=%b, SignedHeaders=host, Signature=x%b" % (credential, authorization)
    lines = [HOST, (b"authorization", header), (b"x-amz-date", date), (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")]
    error_of(verify_header, request_of(b"GET", b"/", lines))
    target = b"/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%b&X-Amz-Date=%b&%b"
    error_of(verify_query, request_of(b"GET", target % (credential, date, authorization), [HOST]))


def test_timestamps_of_the_signer_are_whole_seconds() -> None:
    headers = sigv4.sign(b"GET", b"/k", [HOST], credentials=CREDENTIALS, payload=UNSIGNED_PAYLOAD, now=NOW + 0.9)
    assert dict(headers)[b"x-amz-date"] == format_timestamp(NOW)
