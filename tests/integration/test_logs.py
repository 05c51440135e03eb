"""The logs of a whole node: whose lines they are, and what is there still when the node is killed."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from tests.integration.watched import wait_until
from tests.server import Server, Settings, started

WRITERS = 4
Line = dict[str, object]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings: Settings = {
        "log": {"format": "json", "audit": str(tmp_path / "audit.log")},
        "server": {"workers": 2},
    }
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        assert ask(server.port, "PUT", "/bucket") == 200
        yield server


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def lines_of(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def audited(server: Server) -> list[Line]:
    return lines_of(server.root.parent / "audit.log")


class Writer(threading.Thread):
    """Writes and deletes one object after the other for as long as there is a server."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.acknowledged: list[tuple[str, str]] = []
        self._port = port
        self._number = number

    def run(self) -> None:
        with suppress(OSError, HTTPException):
            for count in range(100_000):
                key = f"{self._number}-{count}"
                for method, operation in (("PUT", "PutObject"), ("DELETE", "DeleteObject")):
                    assert ask(self._port, method, f"/bucket/{key}", b"x" if method == "PUT" else None) < 300
                    self.acknowledged.append((operation, key))


def test_every_acknowledged_change_has_its_audit_line_after_kill_9(server: Server) -> None:
    writers = [Writer(server.port, number) for number in range(WRITERS)]
    for each in writers:
        each.start()
    wait_until(lambda: min(len(each.acknowledged) for each in writers) >= 20, seconds=20)
    for pid in server.workers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.kill()
    for each in writers:
        each.join()
    told = {(line["operation"], line["key"]) for line in audited(server)}
    acknowledged = {change for each in writers for change in each.acknowledged}
    assert len(acknowledged) >= 80
    assert acknowledged - told == set()


def test_lines_of_all_workers_are_whole_and_say_whose_they_are(server: Server) -> None:
    for number in range(60):
        ask(server.port, "PUT", f"/bucket/{number}", b"content")
        ask(server.port, "GET", f"/bucket/{number}", Range="bytes=1-2")
    access = server.logs[0]
    wait_until(lambda: len(access.read_text().splitlines()) >= 121, seconds=5)
    lines = lines_of(access)
    assert {line["worker"] for line in lines} == {0, 1}
    assert {line["worker"] for line in audited(server)} == {0, 1}
    reads = [line for line in lines if line["operation"] == "GetObject"]
    assert {(line["size"], line["start"], line["length"], line["status"]) for line in reads} == {(7, 1, 2, 206)}


def test_standard_error_of_a_node_that_speaks_json_is_json(server: Server) -> None:
    os.kill(server.workers()[0], signal.SIGKILL)
    wait_until(lambda: len(server.logs[1].read_text().splitlines()) >= 2, seconds=5)
    first, second = lines_of(server.logs[1])[:2]
    assert str(first["event"]).startswith("s3proxy ready on http://")
    assert (second["level"], "signal 9" in str(second["event"])) == ("error", True)


def test_access_log_emptied_by_logrotate_goes_on(server: Server) -> None:
    access = server.logs[0]
    wait_until(lambda: access.stat().st_size, seconds=5)
    os.truncate(access, 0)  # copytruncate
    ask(server.port, "GET", "/bucket?after")
    wait_until(lambda: access.stat().st_size, seconds=5)
    assert [line["path"] for line in lines_of(access)] == ["/bucket?after"]


def test_access_log_on_a_full_disk_harms_no_request(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    settings: Settings = {"log": {"format": "json", "access": "/dev/full", "audit": str(tmp_path / "full")}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        assert ask(server.port, "PUT", "/bucket") == 200
        assert ask(server.port, "PUT", "/bucket/k", b"x") == 200
        wait_until(lambda: "the access log cannot be written" in server.logs[1].read_text(), seconds=5)
        assert ask(server.port, "GET", "/bucket/k") == 200
        said = lines_of(server.logs[1])
    assert [line["key"] for line in said if line.get("operation") == "PutObject"] == ["k"]


def test_log_files_moved_away_by_logrotate_are_made_anew_on_sighup(server: Server) -> None:
    audit, old = server.root.parent / "audit.log", server.root.parent / "audit.log.1"
    audit.rename(old)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: '"reloaded"' in server.logs[1].read_text(), seconds=20)
    for number in range(20):
        ask(server.port, "PUT", f"/bucket/{number}", b"x")
    told = [line["key"] for line in (*lines_of(old), *audited(server))]
    assert told[0] == ""  # the bucket itself; a worker that is about to end may have told of some keys as well
    assert sorted(told[1:], key=lambda key: int(str(key))) == [str(number) for number in range(20)]
    assert len(audited(server)) >= 10
