"""Ten thousand idle connections and five hundred busy ones: ``python -m tests.campaigns.connections``.

A node with 2 workers holds them all: none is refused, each idle one takes less than 40 KiB of the workers' memory and
is answered when it asks again, and the busy ones are served meanwhile, every answer checked. A second, small node is
then filled to its limit: none is refused below it, and each one above is told so with a 503 that an S3 client
understands.
"""

import argparse
import sys
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from bench import BenchError
from bench.content import KIB, MIB, Thing, content, things
from bench.load import Load
from bench.requests import BUCKET, Endpoint, render_get
from bench.samples import percentile
from tests.campaigns.report import ViolationError, require, require_flat, run, say
from tests.server import Server, Settings, started
from tests.wire import Answer, Call, Connection

_WORKERS = 2
_OBJECTS = things("small", 4 * KIB, 16)
_LIMIT_PER_CONNECTION = 40 * KIB
_WARM = 200
_SOURCES = 16  # addresses 127.0.0.x, for one alone has 28,000 ports, of which others have some


def campaign(base: Path, *, idle: int, busy: int, seconds: float, limit: int) -> None:
    """Hold ``idle`` connections while ``busy`` work for ``seconds``; then fill a node of ``limit`` for each worker."""
    settings: Settings = {
        "server": {"workers": _WORKERS, "max_connections": idle + busy + _WARM, "idle_timeout_seconds": 3600},
        "log": {"access": "off"},
    }
    with started(base / "root", base / "scratch", settings=settings) as server:
        _prepare(server)
        descriptors = server.descriptors()
        _hold(server, idle=idle, busy=busy, seconds=seconds)
        require_flat(server, descriptors)
    small: Settings = {"server": {"workers": _WORKERS, "max_connections": limit}, "log": {"access": "off"}}
    with started(base / "root", base / "full", settings=small) as server:
        _fill(server, limit * _WORKERS)


def _prepare(server: Server) -> None:
    """Make the objects, and let every worker load what it loads late."""
    for thing in _OBJECTS:
        path = server.root / BUCKET / thing.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(thing.number, 0, thing.size))
    with ExitStack() as stack:
        for held in _opened(stack, server, _WARM):
            _require_right(_ask(held, _OBJECTS[0]), _OBJECTS[0])
    _work(server, _WARM, 1)


def _hold(server: Server, *, idle: int, busy: int, seconds: float) -> None:
    before = server.resident_bytes()
    with ExitStack() as stack:
        held = _opened(stack, server, idle)
        for number, connection in enumerate(held):
            thing = _OBJECTS[number % len(_OBJECTS)]
            _require_right(_ask(connection, thing), thing)
        each = (server.resident_bytes() - before) / idle
        say("idle connections", idle, f"in {_WORKERS} workers, {each / KIB:.1f} KiB of their memory each")
        require(each < _LIMIT_PER_CONNECTION, f"an idle connection takes {each / KIB:.1f} KiB")
        _work(server, busy, seconds)
        say("memory then", f"{(server.resident_bytes() - before) / MIB:.0f}", f"MiB more than with none, {busy} busy")
        for number, connection in enumerate(held):
            require(not connection.has_ended(), f"idle connection {number} of {idle} was closed")
            thing = _OBJECTS[number % len(_OBJECTS)]
            _require_right(_ask(connection, thing), thing)
    say("all answered again", idle)


def _opened(stack: ExitStack, server: Server, count: int) -> list[Connection]:
    return [
        stack.enter_context(Connection(server.port, source=f"127.0.0.{2 + number % _SOURCES}"))
        for number in range(count)
    ]


def _work(server: Server, connections: int, seconds: float) -> None:
    endpoint = Endpoint(host="127.0.0.1", port=server.port)
    requests = [render_get(endpoint, thing) for thing in _OBJECTS]
    try:
        with Load(endpoint, [cycle(requests)] * connections) as load:
            tally = load.run(seconds)
    except BenchError as error:
        raise ViolationError(f"a busy connection: {error}") from error
    rate, late = len(tally.latencies) / tally.seconds, percentile(tally.latencies, 0.99) / 1e6
    say("busy connections", connections, f"{rate:,.0f} requests/s, p99 {late:.0f} ms")


def _fill(server: Server, limit: int) -> None:
    """Open connections up to the limit and half as many more."""
    with ExitStack() as stack:
        for number in range(limit):
            connection = _opened(stack, server, 1)[0]
            answer = _ask(connection, _OBJECTS[0])
            require(answer.status == 200, f"connection {number + 1} of {limit} was answered {answer.status}")
        refused = 0
        for _ in range(limit // 2):
            with Connection(server.port) as connection:
                _require_refused(_ask(connection, _OBJECTS[0]), connection)
                refused += 1
    say("above the limit", f"{refused} of {limit // 2}", f"told so with a 503, none of {limit} below it")


def _require_refused(answer: Answer, connection: Connection) -> None:
    told = (answer.status, answer.code)
    require(told in {(503, "ServiceUnavailable"), (503, "SlowDown")}, f"one too many was answered {answer}")
    require(connection.is_ended(), "a connection that was refused stays open")


def _ask(connection: Connection, thing: Thing) -> Answer:
    return connection.ask(Call(b"GET", f"/{BUCKET}/{thing.key}".encode()))


def _require_right(answer: Answer, thing: Thing) -> None:
    is_right = answer.status == 200 and answer.body == content(thing.number, 0, thing.size)
    require(is_right, f"answered {answer.status} {answer.body[:200]!r}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--busy", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20, help="for which the busy ones work")
    parser.add_argument("--limit", type=int, default=200, help="connections of each worker of the node that is filled")
    given = parser.parse_args()
    return run(lambda base: campaign(base, idle=given.idle, busy=given.busy, seconds=given.seconds, limit=given.limit))


if __name__ == "__main__":
    sys.exit(main())
