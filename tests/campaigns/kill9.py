"""Kill the server in the middle of writes, start it again, and look what is there: ``python -m tests.campaigns.kill9``.

What was answered 200 must be there whole, with its ETag and checksum. What was not answered may have happened or not,
but not by halves: the key has its old content or the new one. No file that was being written survives the next start.
"""

import argparse
import base64
import hashlib
import random
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from awscrt.checksums import crc64nvme

from tests.campaigns.report import require, run, say, settled
from tests.server import Server, Settings, start
from tests.wire import Answer, Call, Connection, NoAnswerError

_BUCKET = "durable"
_THREADS = 8
_KEYS_PER_THREAD = 5
_SIZES = (0, 1, 1000, 65_536, 300_000, 2_000_000)
_PART = 70_000


@dataclass(frozen=True, slots=True)
class Version:
    """What one write stores. ``parts`` is not empty when it was joined from them."""

    body: bytes
    parts: tuple[bytes, ...] = ()

    @property
    def etag(self) -> bytes:
        if not self.parts:
            return b'"%b"' % _md5(self.body).hex().encode()
        digests = b"".join([_md5(part) for part in self.parts])
        return b'"%b-%d"' % (_md5(digests).hex().encode(), len(self.parts))

    @property
    def crc64nvme(self) -> bytes:
        return base64.b64encode(crc64nvme(self.body).to_bytes(8, "big"))


@dataclass(slots=True)
class KeyHistory:
    """What may be found under one key: what was answered last, or what was sent since and not answered."""

    acknowledged: Version | None = None
    unanswered: list[Version] = field(default_factory=list)
    completing: str | None = None
    """The query of a Complete that was sent and not answered."""


@dataclass(slots=True)
class Tally:
    """What happened, all rounds together."""

    acknowledged: int = 0
    unanswered: int = 0
    old: int = 0
    new: int = 0


class Writer(threading.Thread):
    """Writes its own keys until the connection breaks or its share is done."""

    def __init__(self, port: int, number: int, histories: dict[str, KeyHistory], share: int, seed: int) -> None:
        super().__init__()
        self._port = port
        self._number = number
        self._histories = histories
        self._share = share
        self._random = random.Random(seed)
        self.acknowledged = 0
        self.refused: Answer | None = None

    def run(self) -> None:
        with suppress(NoAnswerError, OSError), Connection(self._port) as connection:
            for _ in range(self._share):
                key = f"writer-{self._number}/{self._random.randrange(_KEYS_PER_THREAD)}"
                history = self._histories[key]
                if self._random.random() < 0.3:
                    answer = self._complete(connection, key, history)
                else:
                    answer = self._put(connection, key, history)
                if answer.status != 200 or b"<Error>" in answer.body:
                    self.refused = answer
                    return
                self.acknowledged += 1
                history.acknowledged, history.unanswered, history.completing = history.unanswered[-1], [], None

    def _put(self, connection: Connection, key: str, history: KeyHistory) -> Answer:
        version = Version(self._random.randbytes(self._random.choice(_SIZES)))
        history.unanswered.append(version)
        return connection.ask(_call("PUT", f"/{_BUCKET}/{key}", version.body))

    def _complete(self, connection: Connection, key: str, history: KeyHistory) -> Answer:
        parts = tuple(self._random.randbytes(_PART) for _ in range(self._random.randint(1, 4)))
        query = "uploadId=" + connection.ask(_call("POST", f"/{_BUCKET}/{key}?uploads")).text("UploadId")
        for number, part in enumerate(parts, 1):
            answer = connection.ask(_call("PUT", f"/{_BUCKET}/{key}?partNumber={number}&{query}", part))
            if answer.status != 200:
                return answer
        version = Version(b"".join(parts), parts)
        history.unanswered.append(version)
        history.completing = query
        return connection.ask(_call("POST", f"/{_BUCKET}/{key}?{query}", _document(version)))


def campaign(base: Path, *, rounds: int, requests: int, seconds: float, seed: int, fsync: bool) -> None:
    """Kill and restart ``rounds`` times or until ``seconds`` are over, each time amid ``requests`` writes."""
    chance = random.Random(seed)
    settings: Settings = {"store": {"min_part_size": 0, "fsync": fsync}, "log": {"access": "off"}}
    names = [f"writer-{writer}/{number}" for writer in range(_THREADS) for number in range(_KEYS_PER_THREAD)]
    histories = {name: KeyHistory() for name in names}
    tally = Tally()
    deadline = time.monotonic() + seconds
    typical = 1.0
    done = 0
    while done < rounds and time.monotonic() < deadline:
        server = start(base / "root", base / "scratch", settings=settings)
        try:
            _look(server, histories, tally)
            typical = _write_and_kill(server, histories, tally, chance, requests, typical)
        finally:
            server.kill()
        done += 1
    server = start(base / "root", base / "scratch", settings=settings)
    try:
        _look(server, histories, tally)
    finally:
        server.stop()
    say("rounds", done, f"of {requests} writes each, seed {seed}, fsync {fsync}")
    say("answered 200 and found whole", tally.acknowledged)
    say("unanswered at the kill", tally.unanswered, f"({tally.old} found old, {tally.new} found new)")


def _write_and_kill(
    server: Server, histories: dict[str, KeyHistory], tally: Tally, chance: random.Random, requests: int, typical: float
) -> float:
    """Start the writers, kill at some moment, and return how long the writes take when undisturbed, roughly."""
    with Connection(server.port) as connection:
        require(connection.ask(_call("PUT", f"/{_BUCKET}")).status == 200, "the bucket cannot be made")
    share = requests // _THREADS
    writers = [Writer(server.port, number, histories, share, chance.getrandbits(64)) for number in range(_THREADS)]
    begin = time.monotonic()
    for writer in writers:
        writer.start()
    time.sleep(chance.uniform(0, typical))
    server.process.kill()
    for writer in writers:
        writer.join()
        require(writer.refused is None, f"a write was refused: {writer.refused}")
    server.process.wait()
    elapsed = time.monotonic() - begin
    finished = sum(writer.acknowledged for writer in writers)
    tally.acknowledged += finished
    return elapsed * requests / finished if finished else typical


def _look(server: Server, histories: dict[str, KeyHistory], tally: Tally) -> None:
    """Compare every key with what may be there, and make what was found the new state."""
    left = settled(lambda: len(server.temporaries()), 0)
    require(left == 0, f"{left} temporaries survived the start: {server.temporaries()[:3]}")
    with Connection(server.port) as connection:
        for key, history in histories.items():
            _retry_complete(connection, key, history)
            found = _found(connection, key)
            allowed = [history.acknowledged, *history.unanswered]
            match = next((version for version in allowed if _same(version, found)), found)
            require(match is None or isinstance(match, Version), f"{key}: what is there was never written: {found}")
            assert match is None or isinstance(match, Version)
            if history.unanswered:
                tally.unanswered += 1
                tally.old += match is history.acknowledged
                tally.new += match is not history.acknowledged
            history.acknowledged, history.unanswered, history.completing = match, [], None
        _require_listed(connection, [key for key, history in histories.items() if history.acknowledged is not None])


def _retry_complete(connection: Connection, key: str, history: KeyHistory) -> None:
    """Send an unanswered Complete again, as clients do: then the object is there, whoever made it."""
    if history.completing is None:
        return
    version = history.unanswered[-1]
    answer = connection.ask(_call("POST", f"/{_BUCKET}/{key}?{history.completing}", _document(version)))
    is_done = answer.status == 200 and b"<Error>" not in answer.body
    require(is_done, f"{key}: a Complete that was sent again was answered {answer}")
    history.acknowledged, history.unanswered = version, []


def _found(connection: Connection, key: str) -> Answer | None:
    headers = ((b"host", b"s3.test"), (b"x-amz-checksum-mode", b"ENABLED"))
    answer = connection.ask(Call(b"GET", f"/{_BUCKET}/{key}".encode(), headers))
    require(answer.status in {200, 404}, f"{key}: {answer.status} {answer.code}")
    return answer if answer.status == 200 else None


def _same(version: Version | None, found: Answer | None) -> bool:
    if version is None or found is None:
        return version is None and found is None
    if version.body != found.body:
        return False
    checksum = found.header(b"x-amz-checksum-crc64nvme")
    require(found.header(b"etag") == version.etag, f"the bytes are right, the ETag is not: {found.headers}")
    require(checksum in {None, version.crc64nvme}, f"the bytes are right, the checksum is not: {found.headers}")
    require(checksum is not None or bool(version.parts), f"the checksum is gone: {found.headers}")
    return True


def _require_listed(connection: Connection, keys: list[str]) -> None:
    answer = connection.ask(_call("GET", f"/{_BUCKET}"))
    listed = [piece.partition(b"</Key>")[0].decode() for piece in answer.body.split(b"<Key>")[1:]]
    require(listed == sorted(keys), f"the listing shows {listed} instead of {sorted(keys)}")


def _call(method: str, target: str, body: bytes = b"") -> Call:
    return Call(method.encode(), target.encode(), body=body)


def _document(version: Version) -> bytes:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{_md5(part).hex()}</ETag></Part>"
        for number, part in enumerate(version.parts, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200, help="writes in a round")
    parser.add_argument("--seconds", type=float, default=240, help="begin no further round after this")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument("--no-fsync", action="store_true", help="a kill loses nothing of the page cache either")
    given = parser.parse_args()
    return run(
        lambda base: campaign(
            base,
            rounds=given.rounds,
            requests=given.requests,
            seconds=given.seconds,
            seed=given.seed,
            fsync=not given.no_fsync,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
