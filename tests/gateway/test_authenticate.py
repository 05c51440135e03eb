from collections.abc import Callable

import pytest

from s3proxy.gateway.authenticate import (
    OpenAuthenticator,
    SignatureAuthenticator,
    User,
    VerifiedRequest,
    with_headers_of_query,
)
from s3proxy.http1.messages import EmptyBody, Header, Request
from s3proxy.s3.addressing import parse_address
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Owner
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, PayloadMode, parse_payload
from s3proxy.s3.sigv4 import Credentials, sign

NOW = 1_700_000_000.0
ANN = User(Owner("id-of-ann", "ann"), "AKANN", "the secret of ann")
TARGET = b"/photos/cat.jpg"


def request(*headers: Header, target: bytes = TARGET) -> Request:
    return Request(b"GET", target, ((b"host", b"localhost"), *headers), EmptyBody(), "127.0.0.1")


def signed(secret: str = ANN.secret_key, *, payload: bytes = b"UNSIGNED-PAYLOAD") -> Request:
    credentials = Credentials(access_key="AKANN", secret_key=secret, region="us-east-1")
    headers = sign(
        b"GET", TARGET, [(b"host", b"localhost")], credentials=credentials, payload=parse_payload(payload), now=NOW
    )
    return Request(b"GET", TARGET, tuple(headers), EmptyBody(), "127.0.0.1")


def by_signature(asked: Request, now: float = NOW) -> VerifiedRequest:
    authenticator = SignatureAuthenticator([ANN], clock=lambda: now)
    return authenticator.authenticate(asked, parse_address(asked.target))


def openly(asked: Request) -> VerifiedRequest:
    return OpenAuthenticator("launcher").authenticate(asked, parse_address(asked.target))


def code_of(act: Callable[[], object]) -> ErrorCode:
    with pytest.raises(S3Error) as caught:
        act()
    return caught.value.code


def test_signed_request_is_its_users() -> None:
    verified = by_signature(signed())
    assert verified.user == ANN.owner
    assert not verified.is_superuser
    assert not verified.is_open


def test_request_without_credentials_is_anonymous() -> None:
    verified = by_signature(request())
    assert verified.user is None
    assert not verified.is_superuser


def test_request_signed_with_another_secret_is_refused() -> None:
    assert code_of(lambda: by_signature(signed("a guess"))) is ErrorCode.SIGNATURE_DOES_NOT_MATCH


def test_unknown_access_key_is_refused() -> None:
    header = (b"authorization", b"AWS AKNOBODY:AAAA")
    date = (b"x-amz-date", b"20231114T221320Z")
    assert code_of(lambda: by_signature(request(header, date))) is ErrorCode.INVALID_ACCESS_KEY_ID


def test_signature_of_an_hour_ago_is_refused() -> None:
    assert code_of(lambda: by_signature(signed(), NOW + 3600)) is ErrorCode.REQUEST_TIME_TOO_SKEWED


def test_temporary_credentials_are_refused_since_none_are_given_out() -> None:
    asked = signed()
    with_token = Request(
        asked.method, asked.target, (*asked.headers, (b"x-amz-security-token", b"t")), asked.body, asked.peer
    )
    assert code_of(lambda: by_signature(with_token)) is ErrorCode.INVALID_TOKEN


def test_signed_chunks_are_checked_against_the_requests_signature() -> None:
    assert by_signature(signed(payload=b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")).chain is not None
    assert by_signature(signed()).chain is None


@pytest.mark.parametrize(
    ("headers", "target", "user"),
    [
        ([], TARGET, "launcher"),
        ([(b"authorization", b"AWS4-HMAC-SHA256 Credential=ann/20231114/us-east-1/s3/aws4_request, x")], TARGET, "ann"),
        ([(b"authorization", b"AWS ann:AAAA")], TARGET, "ann"),
        ([], TARGET + b"?X-Amz-Credential=ann%2F20231114%2Fus-east-1", "ann"),
        ([], TARGET + b"?a=b&AWSAccessKeyId=ann&Signature=x", "ann"),
        ([(b"authorization", b"Bearer ann")], TARGET, "launcher"),
    ],
)
def test_open_mode_believes_the_name_in_the_credentials(headers: list[Header], target: bytes, user: str) -> None:
    verified = openly(request(*headers, target=target))
    assert verified.user == Owner(user, user)
    assert verified.is_open


def test_open_mode_lets_the_launching_user_use_every_bucket() -> None:
    assert openly(request()).is_superuser
    assert not openly(request((b"authorization", b"AWS ann:AAAA"))).is_superuser


def test_open_mode_reads_the_payload_mode() -> None:
    assert openly(request()).payload is UNSIGNED_PAYLOAD
    streaming = openly(request((b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")))
    assert streaming.payload.mode is PayloadMode.STREAMING_UNSIGNED_TRAILER


def test_secret_is_not_in_the_representation_of_a_user() -> None:
    assert ANN.secret_key not in repr(ANN)


def moved(query: bytes, *headers: Header) -> tuple[Header, ...]:
    asked = request(*headers, target=TARGET + b"?" + query)
    return with_headers_of_query(asked, parse_address(asked.target)).headers[1:]


def test_headers_that_a_presigner_moved_into_the_query_count() -> None:
    query = b"X-Amz-Acl=public-read&x-amz-meta-a=b%20c&X-Amz-Date=1&x=y&X-Amz-Checksum-Crc32=AAAAAA%3D%3D"
    assert moved(query) == ((b"x-amz-acl", b"public-read"), (b"x-amz-meta-a", b"b c"))


def test_header_that_was_sent_wins_over_one_in_the_query() -> None:
    assert moved(b"x-amz-acl=public-read", (b"x-amz-acl", b"private")) == ((b"x-amz-acl", b"private"),)


def test_escaped_name_in_the_query_is_no_header_since_version_2_does_not_sign_it() -> None:
    # RustFS GHSA-g8w9-qw9q-fghr, GHSA-xm99-m3gq-83g8: what was not signed is not believed.
    assert moved(b"x-amz%2Dacl=public-read&x%2Damz-copy-source=b/k") == ()


@pytest.mark.parametrize("value", [b"a%0D%0Ab", b"a%00", b"a+b"])
def test_value_in_the_query_that_no_header_could_have_is_refused(value: bytes) -> None:
    assert code_of(lambda: moved(b"x-amz-meta-a=" + value)) is ErrorCode.INVALID_ARGUMENT
