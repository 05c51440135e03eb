"""Signature Version 4, against the examples that its specification works out."""

from datetime import UTC, datetime

from bench.signing import UNSIGNED_PAYLOAD, Call, Credentials, encode_query, sign

_CREDENTIALS = Credentials(
    access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region="us-east-1"
)
_MOMENT = datetime(2013, 5, 24, tzinfo=UTC)
_HOST = "examplebucket.s3.amazonaws.com"


def test_sign_get_with_range_gives_the_documented_signature() -> None:
    call = Call(method="GET", path="/test.txt", query={}, headers={"host": _HOST, "range": "bytes=0-9"})
    assert sign(call, _CREDENTIALS, _MOMENT)["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_sign_list_with_query_gives_the_documented_signature() -> None:
    call = Call(method="GET", path="/", query={"prefix": "J", "max-keys": "2"}, headers={"host": _HOST})
    signature = sign(call, _CREDENTIALS, _MOMENT)["authorization"].rpartition("=")[2]
    assert signature == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_sign_says_what_was_signed_for_the_body() -> None:
    call = Call(method="PUT", path="/b/k", query={}, headers={"host": _HOST}, payload=UNSIGNED_PAYLOAD)
    headers = sign(call, _CREDENTIALS, _MOMENT)
    assert headers["x-amz-content-sha256"] == UNSIGNED_PAYLOAD
    assert headers["x-amz-date"] == "20130524T000000Z"


def test_encode_query_sorts_names_and_escapes_all_but_the_unreserved() -> None:
    assert encode_query({"start-after": "a b/~", "list-type": "2"}) == "list-type=2&start-after=a%20b%2F~"
