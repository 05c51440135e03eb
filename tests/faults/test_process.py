"""The relay as a process."""

import time
from pathlib import Path

from tests.faults.link import Shape
from tests.faults.process import relay_process
from tests.faults.rules import Fault, Rule
from tests.server import started
from tests.wire import Call, ask


def test_relay_process_shapes_counts_and_misbehaves(tmp_path: Path) -> None:
    with (
        started(tmp_path / "root", tmp_path / "scratch") as store,
        relay_process(store.port, shape=Shape(delay_seconds=0.02)) as relay,
    ):
        assert ask(relay.port, Call(b"PUT", b"/bucket")).status == 200
        assert ask(relay.port, Call(b"PUT", b"/bucket/key", body=b"hello")).status == 200
        relay.clear()
        begin = time.monotonic()
        assert ask(relay.port, Call(b"GET", b"/bucket/key")).body == b"hello"
        assert time.monotonic() - begin > 0.035
        assert (relay.tally().requests("GET", "/bucket/key"), relay.tally().body_bytes()) == (1, 5)
        relay.follow(Rule(fault=Fault.UNAVAILABLE, method="GET", times=1))
        assert [ask(relay.port, Call(b"GET", b"/bucket/key")).status for _ in range(2)] == [503, 200]
