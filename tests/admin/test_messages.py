import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.admin import messages
from s3proxy.admin.messages import (
    CacheRequest,
    Message,
    ObjectPresence,
    Progress,
    Refused,
    RequestError,
    TierUsage,
    decode,
    decode_request,
    encode,
    encode_request,
)

MESSAGES: list[Message] = [
    Progress(objects=1, bytes=2, fetched_bytes=3, total_objects=4, total_bytes=5, is_counted=True),
    TierUsage(tier="disk", directory="/d", size_bytes=1, used_bytes=2, blocks=3),
    ObjectPresence(key="a\nb \u202e", size=3, present_bytes=2, cached={"memory": 1, "disk": 2}),
    Refused(reason="no"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_decode_gives_back_what_was_encoded(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert decode(line) == message


def test_decode_ignores_types_and_fields_of_later_releases() -> None:
    assert decode(b'{"type": "colour"}') is None
    assert decode(b'{"type": "refused", "reason": "no", "colour": "red"}') == Refused(reason="no")


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"{", b"\xff", b'{"type": "tier"}'])
def test_decode_of_something_else_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own is one too)
        decode(line)


@given(
    st.builds(
        CacheRequest,
        bucket=st.text(min_size=1),
        prefix=st.text(),
        rate=st.none() | st.floats(1, 1e15),
        jobs=st.integers(1, messages.MAX_JOBS),
        pinned=st.booleans(),
    )
)
def test_decode_request_gives_back_what_was_encoded(request: CacheRequest) -> None:
    assert decode_request(encode_request(request)) == request


def test_decode_request_of_nothing_asks_about_everything() -> None:
    assert decode_request(b"") == CacheRequest()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"colour": 1}', "colour: unknown"),
        (b'{"bucket": 1}', "strings"),
        (b'{"bucket": "b", "prefix": null}', "strings"),
        (b'{"prefix": "a"}', "without a bucket"),
        (b'{"rate": 0}', "rate = 0"),
        (b'{"rate": -5}', "rate = -5"),
        (b'{"rate": true}', "rate = True"),
        (b'{"rate": Infinity}', "rate = inf"),
        (b'{"rate": NaN}', "rate = nan"),
        (b'{"jobs": 0}', "jobs = 0"),
        (b'{"jobs": 1.5}', "jobs = 1.5"),
        (b'{"jobs": 257}', "jobs = 257"),
        (b'{"pinned": 1}', "pinned = 1"),
    ],
)
def test_decode_request_that_is_wrong_says_what(body: bytes, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        decode_request(body)
