import io
import re

import trio
import trio.testing

from s3proxy.telemetry import Access, AccessLog


def access(target: bytes = b"/photos/cat.jpg") -> Access:
    return Access(peer="10.0.0.9", method=b"GET", target=target, request_id="R1", started=100.0, user="ann")


def lines_of(*targets: bytes) -> list[str]:
    stream = io.StringIO()
    log = AccessLog(stream, clock=lambda: 100.25)
    for target in targets:
        log.write(access(target), 200, 17, is_complete=True)
    log.flush()
    return stream.getvalue().splitlines()


def test_access_line_tells_who_asked_what_and_how_it_ended() -> None:
    (line,) = lines_of(b"/photos/cat.jpg")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z 10\.0\.0\.9 ann - GET /photos/cat\.jpg 200 - 17 250\.0ms R1", line
    )


def test_access_line_of_a_presigned_url_hides_the_signature() -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889: secrets in logs.
    (line,) = lines_of(
        b"/b/k?X-Amz-Signature=abc123&x=1&AWSAccessKeyId=AKANN&Signature=def456&X-Amz-Credential=AKANN%2F1"
    )
    assert "abc123" not in line
    assert "def456" not in line
    assert "AKANN" not in line
    assert "x=1" in line


def test_access_line_cannot_be_forged_by_a_target_with_control_characters() -> None:
    lines = lines_of(b"/b/k\nforged line", b"/b/\x1b[31m\xff")
    assert len(lines) == 2
    assert "\x1b" not in lines[1]
    assert lines[1].isascii()


def test_broken_off_response_is_marked() -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    log.write(access(), 200, 5, is_complete=False)
    log.flush()
    assert " 5 broken-off " in stream.getvalue()


def test_log_that_is_switched_off_keeps_nothing() -> None:
    log = AccessLog(None)
    log.write(access(), 200, 5, is_complete=True)
    log.flush()


async def test_run_writes_what_is_left_when_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        await trio.testing.wait_all_tasks_blocked()
        log.write(access(), 200, 5, is_complete=True)
        nursery.cancel_scope.cancel()
    assert "/photos/cat.jpg" in stream.getvalue()
