"""Clients that go away, at every step: ``python -m tests.campaigns.disconnects``.

Thousands of connections that are half open or half done, and requests broken off after every so many bytes, by FIN and
by RST. In the end the server has as many descriptors open as before, no file being written, and answers at once.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.campaigns.report import require, require_flat, run, say
from tests.server import Server, started
from tests.wire import Call, Connection, NoAnswerError, ask

_MIB = 2**20
_BODY = random.Random(1).randbytes(300_000)
_TRAILED = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n" % (len(_BODY), _BODY)
_TRAILER_MODE = (b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
_HEAD_SECONDS = 3


def campaign(base: Path, *, connections: int, steps: int) -> None:
    """Hold ``connections`` half open, then break each kind of request off at ``steps`` places."""
    settings = {"server": {"head_timeout_seconds": _HEAD_SECONDS}, "store": {"min_part_size": 0}}
    with started(base / "root", base / "scratch", settings=settings) as server:
        upload = _prepare(server)
        with _unchanged(server):
            _hold_half_open(server, connections)
        with _unchanged(server):
            _break_requests(server, upload, steps)
        with _unchanged(server):
            _break_answers(server, steps)
        answer = ask(server.port, Call(b"GET", b"/gone/key"))
        require((answer.status, answer.body) == (200, b"kept"), f"the object is not what it was: {answer}")
        answer = ask(server.port, Call(b"DELETE", b"/gone/key?uploadId=" + upload))
        require(answer.status == 204, f"the upload cannot be aborted: {answer}")
        require(b"Traceback" not in server.logs[1].read_bytes(), "the server wrote a traceback")


def _prepare(server: Server) -> bytes:
    """Make what the requests are about, and do each of them once, for what is opened or loaded only once."""
    require(ask(server.port, Call(b"PUT", b"/gone")).status == 200, "the bucket cannot be made")
    require(ask(server.port, Call(b"PUT", b"/gone/key", body=b"kept")).status == 200, "the object cannot be made")
    require(ask(server.port, Call(b"PUT", b"/gone/big", body=bytes(8 * _MIB))).status == 200, "a write was refused")
    require(len(ask(server.port, Call(b"GET", b"/gone/big")).body) == 8 * _MIB, "a read was refused")
    upload = ask(server.port, Call(b"POST", b"/gone/key?uploads")).text("UploadId").encode()
    part = Call(b"PUT", b"/gone/key?partNumber=1&uploadId=" + upload, body=b"part")
    require(ask(server.port, part).status == 200, "a part was refused")
    return upload


@contextmanager
def _unchanged(server: Server) -> Iterator[None]:
    descriptors = server.descriptors()
    yield
    require_flat(server, descriptors)
    begin = time.monotonic()
    require(ask(server.port, Call(b"HEAD", b"/gone/key")).status == 200, "the server answers no more")
    require(time.monotonic() - begin < 5, "the server answers late")


def _hold_half_open(server: Server, count: int) -> None:
    """Connections that say nothing, half a head, or a head and half a body; others are served all the same."""
    beginnings = (
        b"",
        b"G",
        b"GET /gone/key HTTP/1.1\r\nHost: a\r\nX-Slow",
        Call(b"PUT", b"/gone/key", body=_BODY).render()[:1000],
        Call(b"PUT", b"/gone/key", body=_BODY).render()[:100_000],
        Call(b"PUT", b"/gone/key").having((b"transfer-encoding", b"chunked")).render() + b"5\r\nhel",
    )
    with ExitStack() as stack:
        held = [stack.enter_context(Connection(server.port)) for _ in range(count)]
        for number, connection in enumerate(held):
            connection.send(beginnings[number % len(beginnings)])
        peak = server.descriptors()
        begin = time.monotonic()
        require(ask(server.port, Call(b"GET", b"/gone/key")).body == b"kept", "others are not served")
        say(
            f"{count:,} half-open connections",
            f"{peak} descriptors; another client was served in",
            f"{(time.monotonic() - begin) * 1000:.0f} ms",
        )
        slow = held[2]
        begin = time.monotonic()
        while time.monotonic() < begin + _HEAD_SECONDS + 5 and not _is_given_up(slow):
            pass
        require(_is_given_up(slow), "a head that never ends is waited for for ever")


def _is_given_up(connection: Connection) -> bool:
    connection.send(b"er")
    try:
        connection.receive()
    except NoAnswerError:
        return True
    except TimeoutError:
        return False
    return True


def _requests(upload: bytes) -> dict[str, Call]:
    target = b"/gone/key?partNumber=1&uploadId=" + upload
    document = b"<CompleteMultipartUpload>" + b" " * 5000
    return {
        "PutObject": Call(b"PUT", b"/gone/key", body=_BODY),
        "PutObject, chunked": Call(b"PUT", b"/gone/key", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)).having(
            (b"transfer-encoding", b"chunked"), (b"x-amz-decoded-content-length", b"%d" % len(_BODY))
        ),
        "PutObject, aws-chunked": Call(b"PUT", b"/gone/key", body=_TRAILED).having(
            _TRAILER_MODE,
            (b"x-amz-decoded-content-length", b"%d" % len(_BODY)),
            (b"x-amz-trailer", b"x-amz-checksum-crc32"),
        ),
        "PutObject that waits for 100": Call(b"PUT", b"/gone/key", body=_BODY).having((b"expect", b"100-continue")),
        "UploadPart": Call(b"PUT", target, body=_BODY),
        "CompleteMultipartUpload": Call(b"POST", b"/gone/key?uploadId=" + upload, body=document),
        "DeleteObjects": Call(b"POST", b"/gone?delete", body=b"<Delete>" + b" " * 5000).having((b"content-md5", b"x")),
        "GetObject": Call(b"GET", b"/gone/big"),
    }


def _break_requests(server: Server, upload: bytes, steps: int) -> None:
    count = 0
    for name, call in _requests(upload).items():
        data = call.render()
        whole = len(data) - 1
        for step in range(steps):
            cut = whole * step // steps if step % 2 else min(whole, 40 * step)
            connection = Connection(server.port)
            connection.send(data[:cut])
            (connection.reset if step % 3 == 0 else connection.close)()
            count += 1
        require(
            ask(server.port, Call(b"GET", b"/gone/key")).body == b"kept", f"{name}: a broken request was carried out"
        )
    say("requests broken off", count)


def _break_answers(server: Server, steps: int) -> None:
    for step in range(steps):
        connection = Connection(server.port)
        connection.send(Call(b"GET", b"/gone/big").render())
        connection.receive_some(1 + 2 * _MIB * step // steps)
        (connection.reset if step % 2 else connection.close)()
    say("answers broken off", steps)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=300, help="places at which each kind of request is broken off")
    given = parser.parse_args()
    return run(lambda base: campaign(base, connections=given.connections, steps=given.steps))


if __name__ == "__main__":
    sys.exit(main())
