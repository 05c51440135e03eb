import io
import json
import re

import pytest
import trio
import trio.testing

from s3proxy.telemetry import Access, AccessLog, Detail


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


# As JSON


def told(access: Access, detail: Detail, *, is_complete: bool = True) -> dict[str, object]:
    stream = io.StringIO()
    log = AccessLog(stream, is_json=True, worker=1, clock=lambda: 100.25)
    log.write(access, 206, 17, is_complete=is_complete, detail=lambda: detail)
    log.flush()
    (line,) = stream.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 4096
    read: dict[str, object] = json.loads(line)
    return read


def test_json_line_tells_all_that_a_replay_needs() -> None:
    access = Access(
        peer="10.0.0.9", method=b"GET", target=b"/photos/cat.jpg", request_id="R1", started=100.0, user="ann",
        resource="/photos/cat.jpg", operation="GetObject",
    )  # fmt: skip
    detail = Detail(agent="curl/8", received_bytes=3, first_byte_at=100.125, etag="abc", size=99, start=7, length=17)
    line = told(access, detail)
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "request_id": "R1", "worker": 1, "peer": "10.0.0.9", "user": "ann", "operation": "GetObject",
        "bucket": "photos", "key": "cat.jpg", "method": "GET", "path": "/photos/cat.jpg", "status": 206, "error": None,
        "received_bytes": 3, "sent_bytes": 17, "is_complete": True, "seconds": 0.25, "first_byte_seconds": 0.125,
        "size": 99, "start": 7, "length": 17, "etag": "abc", "user_agent": "curl/8",
    }  # fmt: skip


def test_json_line_of_a_copy_names_its_source() -> None:
    copy = access()
    copy.source = "/b/k"
    assert told(copy, Detail())["source"] == "/b/k"


@pytest.mark.parametrize("hostile", ["\r\n", "\x1b[2J", "\x00", "\x7f", "\u202e", "\u2028", '"', "\\", "\x9b", "字"])
def test_json_line_is_one_line_whatever_a_client_sends(hostile: str) -> None:
    raw = hostile.encode()
    request = Access(
        peer="::1", method=raw, target=b"/b/" + raw * 300 + b"?" + raw, request_id="R", started=100.0, user=hostile,
        resource=f"/b/{hostile * (1024 // len(raw))}", operation="PutObject",
    )  # fmt: skip
    line = told(request, Detail(agent=raw.decode("latin-1") * 300))
    assert str(line["key"])[:8] == (hostile * 1024)[:8]


def test_json_line_of_a_presigned_url_hides_the_signature() -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889: secrets in logs.
    line = told(access(b"/b/k?X-Amz-Signature=abc123&x=1"), Detail())
    assert line["path"] == "/b/k?X-Amz-Signature=...&x=1"


def test_detail_is_wanted_by_the_json_form_of_a_log_that_is_on() -> None:
    assert AccessLog(io.StringIO(), is_json=True).wants_detail
    assert not AccessLog(io.StringIO()).wants_detail
    assert not AccessLog(None, is_json=True).wants_detail
