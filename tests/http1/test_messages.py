"""What requests say about themselves."""

from s3proxy.http1.messages import EmptyBody, Request


def request_with(*headers: tuple[bytes, bytes]) -> Request:
    return Request(b"GET", b"/", headers, EmptyBody(), "127.0.0.1")


def test_header_that_comes_twice_is_the_first() -> None:
    assert request_with((b"a", b"1"), (b"b", b"2"), (b"b", b"3")).header(b"b") == b"2"


def test_header_that_is_missing_is_none() -> None:
    assert request_with((b"a", b"1")).header(b"b") is None


async def test_empty_body_ends_at_once_and_again() -> None:
    body = EmptyBody()
    buffer = memoryview(bytearray(1))

    assert (body.length, await body.receive_into(buffer), await body.receive_into(buffer)) == (0, 0, 0)
