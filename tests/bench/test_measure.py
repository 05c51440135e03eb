"""What the kernel says of processes."""

import os
import subprocess
import sys
import time

import pytest

from bench.measure import (
    Stopwatch,
    Usage,
    cpu_seconds,
    delay_seconds,
    family,
    parse_stat,
    parse_status,
    peak_rss_bytes,
    reset_peak_rss,
    rss_bytes,
    running_on,
)

_STAT = "42 {name} S 1 42 42 0 -1 4194304 134 0 0 0 500 60 7 8 20 0 1 0 168230 3133440 407"


@pytest.mark.parametrize("name", ["(nginx)", "(a b)", "(tricky) S 1 (x)"])
def test_parse_stat_with_any_program_name_adds_own_time_and_that_of_ended_children(name: str) -> None:
    assert parse_stat(_STAT.format(name=name)) == 575


def test_parse_stat_of_a_process_that_is_gone_is_zero() -> None:
    assert parse_stat("") == 0


def test_parse_status_gives_bytes_of_the_named_line_only() -> None:
    text = "Name:\tpython\nVmHWM:\t   20 kB\nVmRSS:\t   12 kB\n"
    assert (parse_status(text, "VmRSS"), parse_status(text, "VmSwap")) == (12 * 1024, 0)


def test_family_of_a_parent_includes_grandchildren() -> None:
    shell = subprocess.Popen(["sh", "-c", "sh -c 'sleep 30; true'; true"])
    try:
        deadline = time.monotonic() + 10
        while len(found := family(shell.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert found[0] == shell.pid
        assert len(found) == 3
    finally:
        for pid in reversed(family(shell.pid)):
            os.kill(pid, 9)
        shell.wait()


def test_cpu_seconds_of_a_busy_process_grow() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        stopwatch = Stopwatch(busy.pid)
        time.sleep(0.3)
        usage = stopwatch.stop()
    finally:
        busy.kill()
        busy.wait()
    assert 0 < usage.server <= usage.seconds + 0.02
    assert cpu_seconds(busy.pid) == 0


def test_stopwatch_tells_what_stands_behind_the_server_from_others() -> None:
    idle = subprocess.Popen(["sleep", "30"])
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        stopwatch = Stopwatch(idle.pid, [busy.pid, idle.pid])
        time.sleep(0.3)
        usage = stopwatch.stop()
    finally:
        for each in (idle, busy):
            each.kill()
            each.wait()
    assert usage.server == 0
    assert 0 < usage.store <= usage.seconds + 0.02


def test_peak_rss_after_a_reset_is_what_is_resident() -> None:
    ballast = bytearray(b"x" * (64 << 20))
    assert peak_rss_bytes(os.getpid()) >= len(ballast)
    del ballast
    reset_peak_rss(os.getpid())
    assert abs(peak_rss_bytes(os.getpid()) - rss_bytes(os.getpid())) < 4 << 20


def test_running_on_a_core_is_inherited_and_ends() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    with running_on({core}):
        shown = subprocess.run(
            [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert shown.stdout.strip() == f"{{{core}}}"
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("server", "load", "delay", "limited"),
    [
        (0.5, 0.95, 0, True),
        (0.99, 0.95, 0, False),
        (0.95, 0.5, 0, False),
        (0.5, 0.6, 0, False),
        (0.5, 0.6, 0.35, True),  # it had work all the time, but somebody else had its core
    ],
)
def test_load_limited_is_when_the_load_is_shorter_of_cpu_than_the_server(
    server: float, load: float, delay: float, *, limited: bool
) -> None:
    usage = Usage(seconds=1, server=server, load=load, load_delay=delay, others=0)
    assert usage.load_limited is limited


@pytest.mark.parametrize(("text", "seconds"), [("81515020 499357286 61\n", 0.499357286), ("", 0), ("0", 0)])
def test_delay_seconds_is_the_time_on_the_run_queue(text: str, seconds: float) -> None:
    assert delay_seconds(text) == seconds
