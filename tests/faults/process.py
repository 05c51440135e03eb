"""The relay in a process of its own, for tests and campaigns that wait in place."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.link import Shape
from tests.faults.rules import Rule, render_rules
from tests.faults.tally import Tally, parse_tally
from tests.wire import Call, ask

_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """A relay that accepts on ``port``."""

    port: int
    process: "subprocess.Popen[bytes]"

    def tally(self) -> Tally:
        """What the store saw since the last ``clear``."""
        return parse_tally(self._ask(b"GET", b"tally"))

    def clear(self) -> None:
        """Let the tally begin again."""
        self._ask(b"PUT", b"tally")

    def follow(self, *rules: Rule) -> None:
        """Replace the rules."""
        self._ask(b"PUT", b"rules", render_rules(rules).encode())

    def refuse(self, seconds: float) -> None:
        """Cut everybody off, and have connections refused for so long."""
        self._ask(b"PUT", b"refuse", b"%g" % seconds)

    def _ask(self, method: bytes, name: bytes, body: bytes = b"") -> bytes:
        answer = ask(self.port, Call(method, b"/-/" + name, body=body))
        assert answer.status == 200, answer
        return answer.body


@contextmanager
def relay_process(store_port: int, *, shape: Shape | None = None, rules: Iterable[Rule] = ()) -> Iterator[RelayProcess]:
    """Start a relay in front of a store on loopback, and end it."""
    shape = shape or Shape()
    command = [sys.executable, "-m", "tests.faults", "--to", f"127.0.0.1:{store_port}"]
    command += ["--delay-ms", str(shape.delay_seconds * 1000)]
    if shape.bytes_per_second:
        command += ["--rate", str(shape.bytes_per_second)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        ready = re.fullmatch(rb"relay ready on 127\.0\.0\.1:([0-9]+)\n", process.stdout.readline())
        assert ready is not None, "the relay did not start"
        relay = RelayProcess(int(ready[1]), process)
        relay.follow(*rules)
        yield relay
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
