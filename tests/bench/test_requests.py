"""Requests as they go out."""

from bench.content import Thing
from bench.requests import Endpoint, FileBody, render_get, render_put, render_range, sha256_of
from bench.signing import Credentials

_OPEN = Endpoint(host="127.0.0.1", port=8080)
_SIGNED = Endpoint(
    host="127.0.0.1", port=8080, credentials=Credentials(access_key="AKAKAKAKAK", secret_key="secret-secret")
)
_THING = Thing(key="get/4KiB/00001", number=9, size=4096)


def test_render_get_in_open_mode_is_the_shortest_request() -> None:
    request = render_get(_OPEN, _THING)
    assert request.data == b"GET /bench/get/4KiB/00001 HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n\r\n"
    assert (request.status, request.size, request.number, request.offset) == (b"HTTP/1.1 200", 4096, 9, 0)


def test_render_range_is_inclusive_on_the_wire() -> None:
    request = render_range(_OPEN, _THING, 100, 200)
    assert b"\r\nrange: bytes=100-199\r\n" in request.data
    assert (request.status, request.size, request.offset) == (b"HTTP/1.1 206", 100, 100)


def test_render_range_signed_covers_the_range() -> None:
    assert b"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," in render_range(_SIGNED, _THING, 0, 1).data


def test_render_put_with_bytes_sends_them_after_the_head() -> None:
    request = render_put(_OPEN, "put/a", b"body")
    assert request.data.endswith(b"\r\ncontent-length: 4\r\n\r\nbody")
    assert (request.inline, request.file, request.size) == (4, None, 0)


def test_render_put_with_a_file_sends_the_head_alone() -> None:
    request = render_put(_OPEN, "put/a", FileBody(fd=5, length=77))
    assert request.data.endswith(b"\r\ncontent-length: 77\r\n\r\n")
    assert request.inline == 0


def test_render_put_signed_claims_the_digest_of_the_body() -> None:
    request = render_put(_SIGNED, "put/a", b"body", sha256_of(b"body"))
    assert b"x-amz-content-sha256: 230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5\r\n" in request.data
