"""Rolling reloads under mixed load: ``python -m tests.campaigns.reloads --reloads 1000``.

Workers and the admin process of a node with a cache are replaced again and again (SIGUSR2), amid reads, ranges, writes,
multipart uploads and listings, over kept connections and new ones, fast and slow. Every answer is compared. No request
may fail. Only where a client lets a connection lie idle for long, and asks in the very moment in which it is closed,
it may have to ask again, as all clients do (RFC 9112 section 9.3.1); that is counted.
"""

import argparse
import functools
import hashlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.campaigns.report import ViolationError, require, run, say, settled
from tests.nodes import merged, standing_on
from tests.server import Server, started
from tests.wire import Answer, Call, Connection, NoAnswerError

_BUCKET = "reloaded"
_MIB = 2**20
_SIZES = (0, 1000, 65_536, 300_000, 4 * _MIB)
_PART = 70_000
_RELOAD_SECONDS = 90.0
_LONG_IDLE_SECONDS = 0.8
"""Below what a worker that drains leaves an idle connection, ``Limits.drain_idle_seconds``."""


class Tally:
    """What the clients did."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.violation: str | None = None
        self.again = 0
        """Requests that found their connection closed after a long rest, and were sent again."""
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        with self._lock:
            self.done[name] += 1

    def add_again(self) -> None:
        with self._lock:
            self.again += 1

    def blame(self, violation: str) -> None:
        with self._lock:
            self.violation = self.violation or violation


class Client(threading.Thread):
    """Does one thing after the other until told to stop, and compares what it gets."""

    def __init__(self, port: int, number: int, tally: Tally, seed: int) -> None:
        super().__init__()
        self._port = port
        self._number = number
        self._tally = tally
        self._chance = random.Random(seed)
        self._stopped = threading.Event()
        self._connection: Connection | None = None
        self._used_at = 0.0

    def run(self) -> None:
        works = (self._get, self._get, self._range, self._range, self._head, self._put, self._multipart, self._list)
        slow: tuple[Callable[[], None], ...] = (self._get_slowly, self._rest)
        try:
            while not self._stopped.is_set() and self._tally.violation is None:
                work = self._chance.choice(slow if self._chance.random() < 0.02 else works)
                work()
                self._tally.add(work.__name__.removeprefix("_"))
                if self._chance.random() < 0.1:
                    self._forget_connection()
        except (ViolationError, OSError, NoAnswerError) as error:
            self._tally.blame(f"client {self._number}: {type(error).__name__} {error}")
        finally:
            self._forget_connection()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopped.set()
        self.join()

    # What it does

    def _get(self) -> None:
        number = self._chance.randrange(len(_SIZES))
        answer = self._ask(_call("GET", f"/{_BUCKET}/still/{number}"), 200)
        require(answer.body == _content(number), f"GET {number}: {len(answer.body)} other bytes")

    def _range(self) -> None:
        start = self._chance.randrange(4 * _MIB)
        stop = min(4 * _MIB, start + self._chance.choice((1, 5000, 300_000)))
        call = _call("GET", f"/{_BUCKET}/still/4").having((b"range", b"bytes=%d-%d" % (start, stop - 1)))
        require(self._ask(call, 206).body == _content(4)[start:stop], f"range [{start}, {stop}): other bytes")

    def _head(self) -> None:
        answer = self._ask(_call("HEAD", f"/{_BUCKET}/still/3"), 200)
        require(answer.header(b"content-length") == b"%d" % _SIZES[3], f"HEAD: {answer.headers}")

    def _put(self) -> None:
        body = self._chance.randbytes(self._chance.choice(_SIZES[:4]))
        target = f"/{_BUCKET}/own/{self._number}"
        self._ask(_call("PUT", target, body), 200)
        require(self._ask(_call("GET", target), 200).body == body, "what was written is not what is read")

    def _multipart(self) -> None:
        parts = [self._chance.randbytes(_PART) for _ in range(3)]
        target = f"/{_BUCKET}/joined/{self._number}"
        upload = self._ask(_call("POST", f"{target}?uploads"), 200).text("UploadId")
        for number, part in enumerate(parts, 1):
            self._ask(_call("PUT", f"{target}?partNumber={number}&uploadId={upload}", part), 200)
        answer = self._ask(_call("POST", f"{target}?uploadId={upload}", _document(parts)), 200)
        require(b"<Error>" not in answer.body, f"an upload was not completed: {answer.body!r}")
        require(self._ask(_call("GET", target), 200).body == b"".join(parts), "the parts are not what is read")

    def _list(self) -> None:
        answer = self._ask(_call("GET", f"/{_BUCKET}?list-type=2&prefix=still/"), 200)
        listed = [piece.partition(b"</Key>")[0] for piece in answer.body.split(b"<Key>")[1:]]
        require(listed == [b"still/%d" % number for number in range(len(_SIZES))], f"listed: {listed}")

    def _get_slowly(self) -> None:
        """Take several seconds for an answer, which a worker has to finish that is replaced meanwhile."""
        with Connection(self._port) as connection:
            connection.send(_call("GET", f"/{_BUCKET}/still/4").render())
            received = 0
            while received < 4 * _MIB:
                received += connection.receive_some(min(_MIB, 4 * _MIB - received))
                time.sleep(self._chance.random())

    def _rest(self) -> None:
        time.sleep(self._chance.uniform(0, 3))

    # How it asks

    def _ask(self, call: Call, status: int) -> Answer:
        what = f"{call.method.decode()} {call.target.decode()}"
        try:
            answer = self._answer(call)
        except (NoAnswerError, OSError) as error:
            raise ViolationError(f"{what} failed: {type(error).__name__} {error}") from error
        self._used_at = time.monotonic()
        require(answer.status == status, f"{what} was answered {answer.status} {answer.body[:300]!r}")
        if answer.header(b"connection") == b"close":
            self._forget_connection()
        return answer

    def _answer(self, call: Call) -> Answer:
        if self._connection is not None and self._connection.has_ended():
            self._forget_connection()
        if self._connection is None:
            self._connection = Connection(self._port)
            return self._connection.ask(call)
        rested = time.monotonic() - self._used_at
        try:
            return self._connection.ask(call)
        except NoAnswerError:
            if rested < _LONG_IDLE_SECONDS:
                raise
        self._tally.add_again()
        self._forget_connection()
        self._connection = Connection(self._port)
        return self._connection.ask(call)

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def campaign(base: Path, *, reloads: int, clients: int, seed: int) -> None:
    """Reload a node so many times while so many clients are at work."""
    with standing_on("s3", base, store_settings={"min_part_size": 0}) as under:
        settings = merged(
            under.settings(base), {"server": {"workers": 2, "drain_seconds": 30}, "log": {"access": "off"}}
        )
        with started(base / "none", base / "node", settings=settings) as server:
            _prepare(server)
            tally = Tally()
            crowd = [Client(server.port, number, tally, seed + number) for number in range(clients)]
            for client in crowd:
                client.start()
            try:
                seconds = _reload_often(server, reloads, tally)
            finally:
                for client in crowd:
                    client.stop()
            said = server.logs[1].read_text(encoding="utf-8", errors="replace")[-2000:]
            require(tally.violation is None, f"{tally.violation}; the node said: {said}")
            require(b"Traceback" not in server.logs[1].read_bytes(), "the node wrote a traceback")
    say("reloads", reloads, f"with {clients} clients, seed {seed}; {sum(seconds) / reloads:.1f} s each")
    say("done", ", ".join(f"{name} {count}" for name, count in sorted(tally.done.items())))
    say("sent again after a long rest", tally.again)


def _prepare(server: Server) -> None:
    with Connection(server.port) as connection:
        require(connection.ask(_call("PUT", f"/{_BUCKET}")).status == 200, "the bucket cannot be made")
        for number in range(len(_SIZES)):
            answer = connection.ask(_call("PUT", f"/{_BUCKET}/still/{number}", _content(number)))
            require(answer.status == 200, f"an object cannot be made: {answer}")


def _reload_often(server: Server, reloads: int, tally: Tally) -> list[float]:
    seconds: list[float] = []
    descriptors: list[int] = []
    while len(seconds) < reloads and tally.violation is None:
        begin, done = time.monotonic(), sum(tally.done.values())
        _reload(server)
        seconds.append(time.monotonic() - begin)
        require(sum(tally.done.values()) > done or tally.violation is not None, "nothing was done during a reload")
        descriptors.append(len(os.listdir(f"/proc/{server.pid}/fd")))
    if tally.violation is None:
        require(descriptors[-1] <= descriptors[0], f"the supervisor's descriptors grow: {descriptors}")
    return seconds


def _reload(server: Server) -> None:
    """Replace all processes, and wait until the old ones have finished what they do."""
    before = set(server.children())
    server.process.send_signal(signal.SIGUSR2)

    def left() -> int:
        with suppress(FileNotFoundError):
            now = set(server.children())
            return len(now & before) + abs(len(now) - len(before))
        return 1

    count = settled(left, 0, seconds=_RELOAD_SECONDS)
    require(count == 0, f"{count} processes are old or missing {_RELOAD_SECONDS:.0f} s after SIGUSR2")
    require(server.process.poll() is None, "the node has ended")


@functools.cache
def _content(number: int) -> bytes:
    return random.Random(number).randbytes(_SIZES[number])


def _call(method: str, target: str, body: bytes = b"") -> Call:
    return Call(method.encode(), target.encode(), body=body)


def _document(parts: list[bytes]) -> bytes:
    lines = "".join(
        f"<Part><PartNumber>{number}</PartNumber>"
        f"<ETag>{hashlib.md5(part, usedforsecurity=False).hexdigest()}</ETag></Part>"
        for number, part in enumerate(parts, 1)
    )
    return f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    given = parser.parse_args()
    return run(lambda base: campaign(base, reloads=given.reloads, clients=given.clients, seed=given.seed))


if __name__ == "__main__":
    sys.exit(main())
