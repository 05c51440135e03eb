import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3proxy import __version__
from tests.integration.watched import WatchedServer, wait_until

READY = re.compile(r"^s3proxy ready on (http://\S+)$", re.MULTILINE)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``s3proxy`` to its end, in a directory of its own."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        alone = ("--admin-listen", "") if arguments[:1] == ("serve",) else ()  # whatever else runs on this machine
        return subprocess.run(
            [sys.executable, "-m", "s3proxy", *arguments, *alone],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    return run


@contextmanager
def serving(directory: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str, Path]]:
    """Run ``s3proxy serve`` on a free port; gives the process, its URL and where its standard error goes."""
    errors = directory / "errors"
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "s3proxy", "serve", "--listen", "127.0.0.1:0", "--admin-listen", "",
                "--log-format", "console", *arguments,
            ],
            cwd=directory, stdout=subprocess.DEVNULL, stderr=stream, text=True,
        )  # fmt: skip
    try:
        wait_until(lambda: READY.search(errors.read_text()) or process.poll() is not None, seconds=20)
        ready = READY.search(errors.read_text())
        assert ready is not None, errors.read_text()
        yield process, ready[1], errors
    finally:
        process.kill()
        process.wait()


def send(method: str, url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 (our own server)
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (our own server)
        content: bytes = response.read()
    return content


def assert_one_useful_sentence(done: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("s3proxy: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for each in words:
        assert each in done.stderr


def test_serve_where_file_names_are_not_utf_8_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LC_ALL", "POSIX"), ("PYTHONCOERCECLOCALE", "0"), ("PYTHONUTF8", "0")):
        monkeypatch.setenv(name, value)
    assert_one_useful_sentence(run("serve", "--listen", "127.0.0.1:0"), 1, "UTF-8", "LANG=C.UTF-8")


def test_serve_with_nothing_but_a_port_makes_its_default_root(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url, errors):
        send("PUT", f"{url}/bucket")
        send("PUT", f"{url}/bucket/a/b", b"content")
        assert (tmp_path / "s3proxy-data" / "bucket" / "a" / "b").read_bytes() == b"content"
        process.terminate()
        assert process.wait(10) == 0
    assert "Traceback" not in errors.read_text()


def test_serve_when_the_port_is_taken_says_so(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", "--root", str(tmp_path), "--listen", address)
    assert_one_useful_sentence(done, 1, address, "the port is taken", "--listen")


def test_serve_when_the_root_is_missing_says_so(run: Run, tmp_path: Path) -> None:
    done = run("serve", "--root", str(tmp_path / "absent"), "--listen", "127.0.0.1:0")
    assert_one_useful_sentence(done, 1, str(tmp_path / "absent"), "does not exist")


def test_serve_when_the_root_is_a_file_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("serve", "--root", str(tmp_path / "file"), "--listen", "127.0.0.1:0")
    assert_one_useful_sentence(done, 1, str(tmp_path / "file"), "not a directory")


def test_serve_when_the_root_cannot_be_written_says_so(run: Run) -> None:
    # Not even root may make a directory there.
    done = run("serve", "--root", "/sys/kernel", "--listen", "127.0.0.1:0")
    assert_one_useful_sentence(done, 1, "/sys/kernel", "cannot be written", "read_only")


def test_serve_when_the_access_log_cannot_be_opened_says_so(run: Run, tmp_path: Path) -> None:
    done = run("serve", "--root", str(tmp_path), "--listen", "127.0.0.1:0", "--access-log", "/absent/log")
    assert_one_useful_sentence(done, 1, "/absent/log", "No such file or directory")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nport = 1\n", ["server.port", "allowed are", "listen"]),
        ('[store]\nfsync = "yes"\n', ["store.fsync", "'yes'", "true or false"]),
        ('[auth]\nmode = "signature"\n', ["auth.mode", "s3proxy credentials new"]),
        ("[server\n", ["is not TOML", "line 1"]),
    ],
)
def test_wrong_configuration_is_told_by_serve_and_by_check(
    run: Run, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "s3proxy.toml").write_text(text)
    assert_one_useful_sentence(run("serve", "--config", "s3proxy.toml"), 2, "wrong configuration", *words)
    assert_one_useful_sentence(run("check", "s3proxy.toml"), 2, "wrong configuration", *words)


def test_serve_in_open_mode_refuses_an_address_that_others_reach(run: Run, tmp_path: Path) -> None:
    done = run("serve", "--root", str(tmp_path), "--listen", "0.0.0.0:0")
    assert_one_useful_sentence(done, 2, "0.0.0.0:0", "allow_open_network")


def test_check_of_a_good_configuration_says_ok(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s3proxy.toml").write_text('[server]\nlisten = "127.0.0.1:1"\n')
    done = run("check", "s3proxy.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "s3proxy.toml: OK\n", "")


def test_new_credentials_can_be_pasted_into_a_configuration(run: Run, tmp_path: Path) -> None:
    pairs = [run("credentials", "new", "ann maria").stdout, run("credentials", "new", "bob").stdout]
    users = [tomllib.loads(pair)["users"][0] for pair in pairs]
    assert users[0]["name"] == "ann maria"
    assert len({user["secret_key"] for user in users}) == 2
    (tmp_path / "s3proxy.toml").write_text('[auth]\nmode = "signature"\n' + "".join(pairs))
    assert run("check", "s3proxy.toml").returncode == 0


def test_version_and_help_are_told(run: Run) -> None:
    assert run("--version").stdout == f"s3proxy {__version__}\n"
    assert "serve" in run("--help").stdout


def test_call_without_a_command_is_told_what_there_is(run: Run) -> None:
    done = run()
    assert done.returncode == 2
    assert "usage: s3proxy" in done.stderr


def test_read_only_server_serves_and_refuses_to_write(tmp_path: Path) -> None:
    (tmp_path / "root" / "bucket").mkdir(parents=True)
    (tmp_path / "root" / "bucket" / "file").write_bytes(b"content")
    with serving(tmp_path, "--root", "root", "--read-only") as (_, url, _):
        assert send("GET", f"{url}/bucket/file") == b"content"
        for method, path in (("PUT", "bucket/new"), ("DELETE", "bucket/file"), ("PUT", "other"), ("DELETE", "bucket")):
            with pytest.raises(urllib.error.HTTPError) as caught:
                send(method, f"{url}/{path}", b"" if method == "PUT" else None)
            with caught.value as error:
                assert (error.code, b"<Code>AccessDenied</Code>" in error.read()) == (403, True)
    assert [each.name for each in (tmp_path / "root").rglob("*")] == ["bucket", "file"]


def test_access_log_has_one_line_for_each_request(server: WatchedServer, bucket: str) -> None:
    paths = [f"/{bucket}/a%20b", f"/{bucket}/absent?tagging", f"/{bucket}?list-type=2&prefix=p"]
    for path in paths:
        with pytest.raises(urllib.error.HTTPError) as caught:
            send("GET", server.url + path)
        caught.value.close()

    def lines() -> list[str]:
        found = [line for line in server.logged().splitlines() if f" GET /{bucket}" in line]
        return sorted(found)  # of two workers, each writes when it comes to it

    wait_until(lambda: len(lines()) >= 3, seconds=5)
    parsed = [
        re.fullmatch(r"\S+Z 127\.0\.0\.1 - (\w+) GET (\S+) 403 AccessDenied \d+ [\d.]+ms \w+", line) for line in lines()
    ]
    assert [each and each[2] for each in parsed] == paths
    assert [each and each[1] for each in parsed] == ["GetObject", "GetObjectTagging", "ListObjectsV2"]


def test_access_log_on_standard_error_is_the_default(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, url, errors):
        send("PUT", f"{url}/bucket")
        wait_until(lambda: "CreateBucket" in errors.read_text(), seconds=5)
        assert " PUT /bucket 200 " in errors.read_text()


def test_access_log_that_is_off_says_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--access-log", "off") as (process, url, errors):
        send("PUT", f"{url}/bucket")
        process.terminate()
        assert process.wait(10) == 0
    assert errors.read_text() == f"s3proxy ready on {url}\n"


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_request_in_flight_finish(tmp_path: Path, name: signal.Signals) -> None:
    size = 64 * 1024 * 1024
    with serving(tmp_path) as (process, url, errors):
        send("PUT", f"{url}/bucket")
        with (tmp_path / "s3proxy-data" / "bucket" / "large").open("wb") as file:
            os.truncate(file.fileno(), size)
        with urllib.request.urlopen(f"{url}/bucket/large", timeout=10) as response:  # noqa: S310 (our own server)
            received = len(response.read(1000))
            process.send_signal(name)
            time.sleep(0.3)
            with pytest.raises(urllib.error.URLError):
                send("GET", f"{url}/bucket/large")
            received += len(response.read())
        assert received == size
        assert process.wait(10) == 0
    assert "Traceback" not in errors.read_text()


def test_idle_connections_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url, _):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(100_000).startswith(b"HTTP/1.1 200")
            process.terminate()
            assert process.wait(10) == 0  # the drain time is 30 seconds
            assert idle.recv(1) == b""


def test_client_that_never_takes_its_answer_is_left_after_the_drain_time(tmp_path: Path) -> None:
    (tmp_path / "s3proxy.toml").write_text("[server]\ndrain_seconds = 1\n")
    with serving(tmp_path, "--config", "s3proxy.toml") as (process, url, errors):
        send("PUT", f"{url}/bucket")
        with (tmp_path / "s3proxy-data" / "bucket" / "large").open("wb") as file:
            os.truncate(file.fileno(), 1 << 30)
        with urllib.request.urlopen(f"{url}/bucket/large", timeout=10) as response:  # noqa: S310 (our own server)
            response.read(1000)
            process.terminate()
            assert process.wait(10) == 0
    assert "Traceback" not in errors.read_text()


def test_two_servers_over_one_root_serve_the_same(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for directory in ("one", "two"):
        (tmp_path / directory).mkdir()
    root = str(tmp_path / "root")
    with (
        serving(tmp_path / "one", "--root", root) as (_, one, _),
        serving(tmp_path / "two", "--root", root) as (_, two, _),
    ):
        send("PUT", f"{one}/bucket")
        for number in range(20):
            writer, reader = (one, two) if number % 2 else (two, one)
            send("PUT", f"{writer}/bucket/data", b"%d" % number)
            assert send("GET", f"{reader}/bucket/data") == b"%d" % number
        send("DELETE", f"{one}/bucket/data")
        send("DELETE", f"{two}/bucket")
        with pytest.raises(urllib.error.HTTPError) as caught:
            send("GET", f"{one}/bucket?list-type=2")
        caught.value.close()
        assert caught.value.code == 404


def test_server_that_was_killed_leaves_no_temporary_at_its_next_start(tmp_path: Path) -> None:
    temporary = tmp_path / "s3proxy-data" / ".s3proxy" / "tmp"

    def files() -> list[Path]:
        return [path for path in temporary.rglob("*") if path.is_file()]

    with serving(tmp_path) as (process, url, _):
        send("PUT", f"{url}/bucket")
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as upload:
            upload.sendall(
                b"PUT /bucket/data HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + bytes(9_000_000)
            )
            wait_until(files, seconds=5)
            process.kill()
            process.wait()
    with serving(tmp_path) as (_, url, _):
        assert b"<KeyCount>0</KeyCount>" in send("GET", f"{url}/bucket?list-type=2")
        wait_until(lambda: not files(), seconds=5)
        assert files() == []


def test_threads_of_one_program_are_served_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, url, _):
        send("PUT", f"{url}/bucket")
        threads = [threading.Thread(target=send, args=("PUT", f"{url}/bucket/{number}", b"x")) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert b"<KeyCount>32</KeyCount>" in send("GET", f"{url}/bucket?list-type=2")


def test_installed_command_is_the_same(run: Run) -> None:
    command = Path(sys.executable).parent / "s3proxy"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == run("--version").stdout
