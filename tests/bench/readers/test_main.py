"""One client: what it says, and when."""

import io
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from bench.readers.__main__ import main
from bench.readers.job import Answer, Task, parse_report, render_job
from tests.bench.readers.jobs import job_of

_JOB = job_of("q1", reader="stub")


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer, Answer], int]:
    def run(found: Answer, expected: Answer) -> int:
        reader = ModuleType("stub")
        vars(reader)["task"] = lambda _job: Task(read=lambda: found, expected=lambda: expected)
        monkeypatch.setitem(sys.modules, "bench.readers.with_stub", reader)
        return main()

    monkeypatch.setattr("signal.alarm", lambda _seconds: None)
    monkeypatch.setattr("sys.argv", ["", render_job(_JOB)])
    monkeypatch.setattr("sys.stdin", io.StringIO("go\n"))
    return run


def test_client_says_that_it_is_ready_and_then_when_it_began_and_ended(
    run: Callable[[Answer, Answer], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([1.0], [1.0]) == 0
    ready, told = capsys.readouterr().out.splitlines()
    report = parse_report(told)
    assert ready == "ready"
    assert report.begin <= report.end


def test_client_that_finds_something_else_says_what_and_reports_nothing(
    run: Callable[[Answer, Answer], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([1.0], [2.0]) == 1
    said = capsys.readouterr()
    assert said.out == "ready\n"
    assert said.err == "stub q1: found [1.0] instead of [2.0]\n"
