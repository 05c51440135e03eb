"""Rows 5 and 6 of the advisories: of an aws-chunked body every byte is vouched for, or nothing is stored."""

import base64
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.security.site import ALICE, BOB, Site, call
from tests.signing import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_TRAILER, Chunks, sign_v4
from tests.wire import Answer, Call, NoAnswerError

PIECES = (b"a" * 65536, b"b" * 65536, b"c" * 8192, b"d" * 100)
CONTENT = b"".join(PIECES)
CRC32 = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big"))
WRONG_CRC32 = base64.b64encode(zlib.crc32(CONTENT + b"!").to_bytes(4, "big"))
OLD = b"what was there before"

Frames = list[bytes]
Spoil = Callable[[Frames], Frames]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an upload goes, and how to see whether it arrived."""

    site: Site
    target: str
    is_part: bool

    def stored(self) -> bytes | None:
        """What is there now: the object, or the ETags of the upload's parts."""
        if self.is_part:
            listing = self.site.ask("GET", self.target.replace("partNumber=1&", "")).body
            return b"a part" if b"<Part>" in listing else None
        answer = self.site.ask("GET", self.target)
        return answer.body if answer.status == 200 else None


@pytest.fixture(params=["new object", "old object", "part"])
def destination(site: Site, request: pytest.FixtureRequest) -> Iterator[Destination]:
    key = site.fresh("chunked")
    if request.param == "part":
        upload = site.upload("alice", key)
        yield Destination(site, f"/alice/{key}?partNumber=1&uploadId={upload}", is_part=True)
        assert site.ask("DELETE", f"/alice/{key}?uploadId={upload}").status == 204
        return
    if request.param == "old object":
        assert site.ask("PUT", f"/alice/{key}", OLD).status == 200
    yield Destination(site, f"/alice/{key}", is_part=False)


def prepared(target: str, mode: bytes, *, length: int = len(CONTENT), trailer: str | None = None) -> Call:
    """The signed head of an upload."""
    put = call("PUT", target, content_encoding="aws-chunked", x_amz_decoded_content_length=str(length))
    if trailer is not None:
        put = put.having((b"x-amz-trailer", trailer.encode()))
    return sign_v4(put, ALICE, mode)


def signed_frames(head: Call) -> Frames:
    """The chunks of ``CONTENT`` as they should be; the last is the empty one."""
    chunks = Chunks(head, ALICE)
    return [chunks.frame(piece) for piece in (*PIECES, b"")]


def send(destination: Destination, head: Call, body: bytes, *, length: int | None = None) -> Answer | None:
    """Send head and body and end the sending; None when the server hung up without a word."""
    framed = head.having((b"content-length", b"%d" % (len(body) if length is None else length)))
    with destination.site.connect() as connection:
        connection.send(framed.render() + body)
        connection.end_sending()
        try:
            return connection.receive(b"PUT")
        except NoAnswerError:
            return None


def refused(destination: Destination, head: Call, body: bytes, *, length: int | None = None) -> str | None:
    """Send what must not be taken; the error code."""
    before = destination.stored()
    answer = send(destination, head, body, length=length)
    assert answer is None or answer.status in {400, 403, 413}, answer
    assert destination.stored() == before
    assert destination.site.server.temporaries() == []
    return answer.code if answer is not None else None


def test_signed_chunks_as_they_should_be_are_stored(destination: Destination) -> None:
    head = prepared(destination.target, SIGNED_CHUNKS)
    answer = send(destination, head, b"".join(signed_frames(head)) + b"\r\n")
    assert answer is not None
    assert answer.status == 200
    assert destination.stored() in {CONTENT, b"a part"}


def _flip(frames: Frames, index: int) -> Frames:
    mark = frames[index].index(b"chunk-signature=") + len(b"chunk-signature=")
    digit = b"0" if frames[index][mark : mark + 1] != b"0" else b"1"
    frames[index] = frames[index][:mark] + digit + frames[index][mark + 1 :]
    return frames


def _other_payload(frames: Frames, index: int) -> Frames:
    frames[index] = frames[index][:-3] + b"!\r\n"
    return frames


def _swapped(frames: Frames) -> Frames:
    return [frames[1], frames[0], *frames[2:]]


def _header(frames: Frames, index: int, header: bytes) -> Frames:
    frames[index] = header + frames[index][frames[index].index(b"\r\n") :]
    return frames


SPOILED: dict[str, tuple[Spoil, str]] = {
    "bad first signature": (lambda frames: _flip(frames, 0), "SignatureDoesNotMatch"),
    "bad second signature": (lambda frames: _flip(frames, 1), "SignatureDoesNotMatch"),
    "bad signature of the last with bytes": (lambda frames: _flip(frames, 3), "SignatureDoesNotMatch"),
    "bad signature of the empty last": (lambda frames: _flip(frames, 4), "SignatureDoesNotMatch"),
    "one byte of the first changed": (lambda frames: _other_payload(frames, 0), "SignatureDoesNotMatch"),
    "one byte of the last changed": (lambda frames: _other_payload(frames, 3), "SignatureDoesNotMatch"),
    "chunks in another order": (_swapped, "SignatureDoesNotMatch"),
    "a chunk twice": (lambda frames: [frames[0], *frames], "IncompleteBody"),
    "a chunk missing": (lambda frames: [*frames[:1], *frames[2:]], "IncompleteBody"),
    "no last chunk": (lambda frames: frames[:-1], "IncompleteBody"),
    "nothing at all": (lambda _: [], "IncompleteBody"),
    "only the last chunk": (lambda frames: frames[-1:], "IncompleteBody"),
    "bytes behind the end": (lambda frames: [*frames, b"\r\n", b"more"], "IncompleteBody"),
    "a second body behind the end": (lambda frames: [*frames, b"\r\n", *frames], "IncompleteBody"),
    "no signature": (lambda frames: _header(frames, 0, b"10000"), "IncompleteBody"),
    "empty signature": (lambda frames: _header(frames, 0, b"10000;chunk-signature="), "IncompleteBody"),
    "another extension": (
        lambda frames: _header(frames, 0, b"10000;chunk=1;chunk-signature=" + b"0" * 64),
        "IncompleteBody",
    ),
    "size of 2^64 - 1": (
        lambda frames: _header(frames, 0, b"f" * 16 + b";chunk-signature=" + b"0" * 64),
        "IncompleteBody",
    ),
    "size of 10,000 digits": (
        lambda frames: _header(frames, 0, b"f" * 10_000 + b";chunk-signature=" + b"0" * 64),
        "IncompleteBody",
    ),
    "negative size": (lambda frames: _header(frames, 0, b"-10000;chunk-signature=" + b"0" * 64), "IncompleteBody"),
    "hexadecimal prefix": (
        lambda frames: _header(frames, 0, b"0x10000;chunk-signature=" + b"0" * 64),
        "IncompleteBody",
    ),
    "size with underscores": (
        lambda frames: _header(frames, 0, b"1_0000;chunk-signature=" + b"0" * 64),
        "IncompleteBody",
    ),
    "endless chunk header": (lambda _: [b"1" * 1_000_000], "IncompleteBody"),
    "size too small by one": (lambda frames: [b"ffff" + frames[0][5:], *frames[1:]], "IncompleteBody"),
}


@pytest.mark.parametrize(("spoil", "code"), SPOILED.values(), ids=SPOILED.keys())
def test_spoiled_signed_chunks_are_refused_and_nothing_is_stored(
    destination: Destination, spoil: Spoil, code: str
) -> None:
    # gaul/s3proxy #1022 (signatures unchecked), #1027 (oversize chunk); trinodb/aws-proxy #102 (early end accepted).
    head = prepared(destination.target, SIGNED_CHUNKS)
    assert refused(destination, head, b"".join(spoil(signed_frames(head))) + b"\r\n") == code


@pytest.mark.parametrize("kept", [0, 1, 50, 88, 70_000, 139_000, -1, -2, -3])
def test_early_end_of_the_connection_is_refused_and_nothing_is_stored(destination: Destination, kept: int) -> None:
    # trinodb/aws-proxy #102: an early EOF stored what had come so far.
    head = prepared(destination.target, SIGNED_CHUNKS)
    body = b"".join(signed_frames(head)) + b"\r\n"
    refused(destination, head, body[:kept], length=len(body))


@pytest.mark.parametrize("kept", [1, 88, 70_000, 139_000, -1, -2, -3])
def test_body_cut_short_with_a_matching_length_is_refused_and_nothing_is_stored(
    destination: Destination, kept: int
) -> None:
    # trinodb/aws-proxy #102: HTTP's framing is right, that of the chunks is not.
    head = prepared(destination.target, SIGNED_CHUNKS)
    body = b"".join(signed_frames(head)) + b"\r\n"
    assert refused(destination, head, body[:kept]) == "IncompleteBody"


@pytest.mark.parametrize("claimed", [0, 1, len(CONTENT) - 1, len(CONTENT) + 1, 2**62])
def test_decoded_length_that_is_not_the_content_s_is_refused(destination: Destination, claimed: int) -> None:
    # gaul/s3proxy #1027.
    head = prepared(destination.target, SIGNED_CHUNKS, length=claimed)
    refused(destination, head, b"".join(signed_frames(head)) + b"\r\n")


@pytest.mark.parametrize("claimed", ["", "-1", "+5", "0x5", "1e3", "five", "9" * 400, "5, 5"])
def test_decoded_length_that_is_no_number_is_refused(destination: Destination, claimed: str) -> None:
    put = call("PUT", destination.target, x_amz_decoded_content_length=claimed)
    head = sign_v4(put, ALICE, SIGNED_CHUNKS)
    refused(destination, head, b"".join(signed_frames(head)) + b"\r\n")


def test_chunks_of_another_user_are_refused(destination: Destination) -> None:
    # gaul/s3proxy #1022: whose chunks they are is decided by the seed signature and the key together.
    head = prepared(destination.target, SIGNED_CHUNKS)
    chunks = Chunks(head, BOB)
    body = b"".join([chunks.frame(piece) for piece in (*PIECES, b"")]) + b"\r\n"
    assert refused(destination, head, body) == "SignatureDoesNotMatch"


def test_chunks_of_another_request_are_refused(destination: Destination) -> None:
    # gaul/s3proxy #1022: a chunk cannot be replayed behind another head.
    head = prepared(destination.target, SIGNED_CHUNKS)
    other = prepared("/alice/other", SIGNED_CHUNKS)
    assert refused(destination, head, b"".join(signed_frames(other)) + b"\r\n") == "SignatureDoesNotMatch"


def test_small_chunk_before_the_last_is_refused(destination: Destination) -> None:
    head = prepared(destination.target, SIGNED_CHUNKS, length=200)
    chunks = Chunks(head, ALICE)
    body = b"".join([chunks.frame(piece) for piece in (b"a" * 100, b"b" * 100, b"")]) + b"\r\n"
    assert refused(destination, head, body) == "InvalidChunkSizeError"


def test_unsigned_chunks_in_a_signed_mode_are_refused(destination: Destination) -> None:
    # gaul/s3proxy #1022.
    head = prepared(destination.target, SIGNED_CHUNKS)
    assert refused(destination, head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)) == "IncompleteBody"


# Trailers


def unsigned_body(trailers: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(CONTENT), CONTENT, trailers)


def trailer_frames(head: Call, *trailers: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The signed chunks, and the signed trailer without the empty line behind it."""
    chunks = Chunks(head, ALICE)
    return b"".join([chunks.frame(piece) for piece in (*PIECES, b"")]), chunks.trailer(*trailers)


def test_trailers_as_they_should_be_are_accepted(destination: Destination) -> None:
    head = prepared(destination.target, UNSIGNED_TRAILER, trailer="x-amz-checksum-crc32")
    answer = send(destination, head, unsigned_body(b"x-amz-checksum-crc32:" + CRC32 + b"\r\n"))
    assert answer is not None
    assert (answer.status, answer.header(b"x-amz-checksum-crc32")) == (200, CRC32)
    head = prepared(destination.target, SIGNED_CHUNKS_TRAILER, trailer="x-amz-checksum-crc32")
    answer = send(destination, head, b"".join(trailer_frames(head, (b"x-amz-checksum-crc32", CRC32))) + b"\r\n")
    assert answer is not None
    assert (answer.status, answer.header(b"x-amz-checksum-crc32")) == (200, CRC32)
    assert destination.stored() in {CONTENT, b"a part"}


TRAILERS: dict[str, tuple[str | None, bytes, str | None]] = {
    "missing": ("x-amz-checksum-crc32", b"", "MalformedTrailerError"),
    "of another name": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32c:AAAAAA==\r\n", "MalformedTrailerError"),
    "that was not announced": (None, b"x-amz-checksum-crc32:" + CRC32 + b"\r\n", None),
    "of a wrong value": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32:" + WRONG_CRC32 + b"\r\n", "BadDigest"),
    "of no value": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32:\r\n", None),
    "that is no base64": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32:not base64!\r\n", None),
    "of another length": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32:AAAA\r\n", None),
    "twice": ("x-amz-checksum-crc32", (b"x-amz-checksum-crc32:" + CRC32 + b"\r\n") * 2, "MalformedTrailerError"),
    "beside another": (
        "x-amz-checksum-crc32",
        b"x-amz-checksum-crc32:" + CRC32 + b"\r\nx-amz-meta-evil:1\r\n",
        "MalformedTrailerError",
    ),
    "with a space before the colon": (
        "x-amz-checksum-crc32",
        b"x-amz-checksum-crc32 :" + CRC32 + b"\r\n",
        "MalformedTrailerError",
    ),
    "without a colon": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32\r\n", "MalformedTrailerError"),
    "without an end": ("x-amz-checksum-crc32", b"x-amz-checksum-crc32:" + b"A" * 100_000, None),
    "a thousand of them": ("x-amz-checksum-crc32", b"".join([b"x-a-%d:1\r\n" % n for n in range(1000)]), None),
    "of a name that is no checksum": ("x-amz-meta-evil", b"x-amz-meta-evil:1\r\n", None),
    "of an unknown checksum": ("x-amz-checksum-md6", b"x-amz-checksum-md6:AAAA\r\n", None),
    "a header that was signed otherwise": ("content-type", b"content-type:text/html\r\n", None),
}


@pytest.mark.parametrize(("announced", "trailers", "code"), TRAILERS.values(), ids=TRAILERS.keys())
def test_wrong_unsigned_trailer_is_refused_and_nothing_is_stored(
    destination: Destination, announced: str | None, trailers: bytes, code: str | None
) -> None:
    # Row 6 of the advisories: missing, wrong name, wrong value.
    head = prepared(destination.target, UNSIGNED_TRAILER, trailer=announced)
    found = refused(destination, head, unsigned_body(trailers))
    assert code is None or found == code


SIGNED_TRAILERS: dict[str, Callable[[Call], bytes]] = {
    "missing": lambda head: trailer_frames(head)[0],
    "of another name": lambda head: b"".join(trailer_frames(head, (b"x-amz-checksum-crc32c", b"AAAAAA=="))),
    "of a wrong value": lambda head: b"".join(trailer_frames(head, (b"x-amz-checksum-crc32", WRONG_CRC32))),
    "without a signature": lambda head: trailer_frames(head)[0] + b"x-amz-checksum-crc32:" + CRC32 + b"\r\n",
    "changed behind the signature": lambda head: b"".join(
        trailer_frames(head, (b"x-amz-checksum-crc32", WRONG_CRC32))
    ).replace(WRONG_CRC32, CRC32),
    "with an empty signature": lambda head: (
        trailer_frames(head)[0] + b"x-amz-checksum-crc32:" + CRC32 + b"\r\nx-amz-trailer-signature:\r\n"
    ),
}


@pytest.mark.parametrize("body", SIGNED_TRAILERS.values(), ids=SIGNED_TRAILERS.keys())
def test_wrong_signed_trailer_is_refused_and_nothing_is_stored(
    destination: Destination, body: Callable[[Call], bytes]
) -> None:
    # Row 6 of the advisories: missing, wrong name, wrong value, and the signature over them.
    head = prepared(destination.target, SIGNED_CHUNKS_TRAILER, trailer="x-amz-checksum-crc32")
    refused(destination, head, body(head) + b"\r\n")


@pytest.mark.parametrize("trailer", [b"", b"x-amz-checksum-crc32:" + CRC32 + b"\r\n"])
def test_trailer_in_a_mode_without_one_is_refused(destination: Destination, trailer: bytes) -> None:
    # Row 6 of the advisories: what is announced must agree with the mode.
    head = prepared(destination.target, SIGNED_CHUNKS, trailer="x-amz-checksum-crc32")
    refused(destination, head, b"".join(signed_frames(head)) + trailer + b"\r\n")


OTHER_OPERATIONS = {
    "CreateBucket": ("PUT", "/alice-{0}", b""),
    "PutObjectTagging": ("PUT", "/alice/kept?tagging", b"<Tagging><TagSet/></Tagging>"),
    "DeleteObjects": ("POST", "/alice?delete", b"<Delete><Object><Key>kept</Key></Object></Delete>"),
    "CopyObject": ("PUT", "/alice/{0}", b""),
    "CreateMultipartUpload": ("POST", "/alice/{0}?uploads", b""),
    "DeleteObject": ("DELETE", "/alice/kept", b""),
    "GetObject": ("GET", "/alice/kept", b""),
}


@pytest.mark.parametrize("trailer", [b"", b"x-amz-checksum-crc32:////////\r\n", b"x-amz-meta-evil:1\r\n"])
@pytest.mark.parametrize(("method", "target", "content"), OTHER_OPERATIONS.values(), ids=OTHER_OPERATIONS.keys())
def test_wrong_trailer_on_an_operation_that_takes_none_changes_nothing(
    site: Site, method: str, target: str, content: bytes, trailer: bytes
) -> None:
    # Row 6 of the advisories: wrong operation.
    put = call(
        method,
        target.format(site.fresh()),
        x_amz_decoded_content_length=str(len(content)),
        x_amz_trailer="x-amz-checksum-crc32",
        extra=(
            {"x_amz_copy_source": "/alice/kept"} if method == "PUT" and "?" not in target and "alice/" in target else {}
        ),
    )
    head = sign_v4(put, ALICE, UNSIGNED_TRAILER)
    chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    before = site.state()
    answer = send(Destination(site, "", is_part=False), head, chunk + b"0\r\n" + trailer + b"\r\n")
    assert answer is None or 400 <= answer.status < 500, answer
    assert site.state() == before
