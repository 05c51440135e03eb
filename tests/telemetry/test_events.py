import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from s3proxy.telemetry import announce_ready, current_request, events, log_error, log_info, recent_errors, set_manner


@pytest.fixture(autouse=True)
def manner() -> Iterator[None]:
    """What a process decides for itself is taken back."""
    handlers, hook = list(logging.getLogger().handlers), sys.excepthook
    yield
    set_manner("console")
    logging.captureWarnings(False)
    logging.getLogger().handlers, sys.excepthook = handlers, hook
    recent_errors.clear()


def fail(text: str) -> None:
    raise ValueError(text)


def failure(text: str) -> ValueError:
    try:
        fail(text)
    except ValueError as error:
        return error
    raise AssertionError


def test_json_event_has_time_level_text_and_fields(capfd: pytest.CaptureFixture[str]) -> None:
    set_manner("json", worker=3)
    log_error("the store is gone", store="ceph", attempts=2)
    log_info("it is back")
    first, second = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {"level": "error", "event": "the store is gone", "worker": 3, "store": "ceph", "attempts": 2}
    assert (second["level"], second["event"]) == ("info", "it is back")


def test_event_within_a_request_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    set_manner("json")
    token = current_request.set("R1")
    log_error("gone")
    current_request.reset(token)
    assert json.loads(capfd.readouterr().err)["request_id"] == "R1"


def test_json_event_has_the_traceback_as_a_field(capfd: pytest.CaptureFixture[str]) -> None:
    set_manner("json")
    log_error("failed", failure("here"))
    (line,) = capfd.readouterr().err.splitlines()
    trace = json.loads(line)["traceback"]
    assert trace.startswith("Traceback")
    assert "raise ValueError(text)" in trace
    assert trace.endswith("ValueError: here\n")


def test_console_event_is_a_sentence_with_the_traceback_below(capfd: pytest.CaptureFixture[str]) -> None:
    set_manner("console", worker=1)
    log_error("failed", failure("here\n2026-01-01T00:00:00.000Z error: forged"))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].endswith("Z error: failed (worker=1)")
    assert lines[1] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.parametrize("form", ["json", "console"])
def test_event_stays_one_line_of_printable_ascii(form: events.Format, capfd: pytest.CaptureFixture[str]) -> None:
    set_manner(form)
    log_error("a\r\nforged\x1b[2J\u202e", key="b\r\nforged\x00\ud800")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("form", ["json", "console"])
def test_event_fits_into_one_write_to_a_pipe(form: events.Format, capfd: pytest.CaptureFixture[str]) -> None:
    set_manner(form)
    log_error("x\x00" * 5000, failure('"\n' * 5000), key="\x00" * 5000, other="y" * 5000)
    said = capfd.readouterr().err
    assert len(said) <= 4096
    if form == "json":
        assert "traceback" in json.loads(said) or len(said) > 2000


@pytest.mark.parametrize("form", ["json", "console"])
def test_event_holds_no_secret(form: events.Format, capfd: pytest.CaptureFixture[str]) -> None:
    # RustFS GHSA-r54g-49rx-98cr: secrets in logs.
    set_manner(form, secrets=["wonderland"])
    log_error("cannot use wonderland", failure("GET /?X-Amz-Signature=abc with wonderland"), key="wonderland")
    said = capfd.readouterr().err
    assert "wonderland" not in said
    assert "abc" not in said
    assert "wonderland" not in recent_errors[-1][1]


def test_messages_of_libraries_are_events(capfd: pytest.CaptureFixture[str]) -> None:
    set_manner("json")
    logging.getLogger("botocore").warning("no %s", "credentials")
    logging.getLogger("botocore").info("not told")
    (line,) = capfd.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["event"], told["logger"]) == ("warning", "no credentials", "botocore")


def test_end_of_the_process_by_an_error_is_an_event(capfd: pytest.CaptureFixture[str]) -> None:
    set_manner("json")
    sys.excepthook(ValueError, failure("here"), None)
    assert json.loads(capfd.readouterr().err)["traceback"].endswith("ValueError: here\n")


def test_announcement_is_the_sentence_itself_on_a_console_and_an_event_in_json(
    capfd: pytest.CaptureFixture[str],
) -> None:
    set_manner("console")
    announce_ready("s3proxy ready")
    assert capfd.readouterr().err == "s3proxy ready\n"
    set_manner("json")
    announce_ready("s3proxy ready")
    assert json.loads(capfd.readouterr().err)["event"] == "s3proxy ready"


def test_auto_is_json_for_a_pipe_and_console_for_a_terminal() -> None:
    reading, writing = os.pipe()
    terminal, user = os.openpty()
    try:
        assert events.is_json("auto", writing)
        assert not events.is_json("auto", user)
        assert not events.is_json("console", writing)
    finally:
        for each in (reading, writing, terminal, user):
            os.close(each)


def test_journal_is_known_by_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = socket.socketpair()
    with ours, other:
        status = os.fstat(ours.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert events.is_journal(ours.fileno())
        assert not events.is_json("auto", ours.fileno())
        assert not events.is_journal(other.fileno())


def test_event_in_the_journal_begins_every_line_with_its_priority(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events, "is_journal", lambda descriptor: True)
    set_manner("auto")
    log_error("failed", failure("here"))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "<3>error: failed"
    assert all(line.startswith("<3>    ") for line in lines[1:])


def test_event_for_a_reader_that_stands_still_is_lost_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stream:
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        monkeypatch.setattr(sys, "stderr", stream)
        log_error("nobody reads this")
