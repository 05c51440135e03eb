"""A node with a cache before a store, and clients that compare every byte with the files that the store serves."""

import mmap
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from bench.content import content
from tests.campaigns.report import require
from tests.faults.link import Shape
from tests.faults.process import RelayProcess, relay_process
from tests.server import Server, started
from tests.wire import Answer, Call, Connection, NoAnswerError

MIB = 2**20
UNIT = 64 * 1024
_BUCKET = "cached"
_HANG_SECONDS = 60.0
_SHARED_MEMORY = Path("/dev/shm")
_MARK = 4096  # of each unit so much is content, the rest a hole: any two units differ, and the disk is spared

Settings = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """An object, and the file that says what its bytes are."""

    target: bytes
    path: Path
    size: int

    def holds(self, start: int, body: bytes) -> bool:
        """Whether these are its bytes from ``start`` on."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as whole:
            return whole[start : start + len(body)] == body


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A node that runs, what is behind it, and where its tiers are."""

    node: Server
    store: Server
    relay: RelayProcess
    memory: Path
    disk: Path

    def descriptors(self) -> int:
        """How many the node has open, but for those of blocks, of which it keeps a bounded number."""
        tiers = str(self.memory), str(self.disk)
        return sum(not path.startswith(tiers) for path in self.node.open_files())


def make_objects(root: Path, count: int, size: int) -> list[Truth]:
    """Objects in the directory of a store, as a program beside it would make them."""
    directory = root / _BUCKET
    directory.mkdir(parents=True, exist_ok=True)
    truths = []
    for number in range(count):
        path = directory / f"object-{number:04d}"
        with path.open("wb") as file:
            for start in range(0, size, UNIT):
                file.seek(start)
                file.write(content(number + 1, start, min(start + _MARK, size)))
            file.truncate(size)
        truths.append(Truth(target=f"/{_BUCKET}/{path.name}".encode(), path=path, size=size))
    return truths


@contextmanager
def cached_node(
    base: Path,
    *,
    root: Path | None = None,
    tiers: tuple[Path, Path] | None = None,
    shape: Shape | None = None,
    settings: Settings | None = None,
) -> Iterator[Cached]:
    """A store over a directory, a relay before it, and a node that caches what comes through.

    Args:
        base: for everything that is made.
        root: of the store; ``base / "root"`` unless told.
        tiers: the directories of the memory and the disk tier; one in memory and one below ``base`` unless told.
        shape: of the link between node and store.
        settings: of the node: sections and keys beyond those that make it what it is.
    """
    with ExitStack() as stack:
        memory, disk = tiers or (stack.enter_context(_directory_in_memory(base)), base / "disk")
        log: Settings = {"log": {"access": "off"}}
        store = stack.enter_context(started(root or base / "root", base / "store", settings=log))
        relay = stack.enter_context(relay_process(store.port, shape=shape))
        node = stack.enter_context(
            started(base / "none", base / "node", settings=_node_settings(relay.port, memory, disk, settings or {}))
        )
        yield Cached(node=node, store=store, relay=relay, memory=memory, disk=disk)


@contextmanager
def _directory_in_memory(base: Path) -> Iterator[Path]:
    below = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else base
    with TemporaryDirectory(prefix="s3proxy-campaign-", dir=below) as name:
        yield Path(name)


def _node_settings(port: int, memory: Path, disk: Path, further: Settings) -> Settings:
    sections: dict[str, dict[str, object]] = {
        "store": {
            "kind": "s3",
            "endpoint": f"http://127.0.0.1:{port}",
            "access_key": "campaign",
            "secret_key": "unchecked",
            "root": None,
            "fsync": None,
        },
        "cache": {"metadata_ttl_seconds": 3600},
        "memory_tier": {"directory": str(memory), "size": 64 * MIB},
        "disk_tier": {"directory": str(disk), "size": 256 * MIB},
        "log": {"access": "off"},
    }
    for name, values in further.items():
        sections[name] = {**sections.get(name, {}), **values}
    return sections


class Outcomes:
    """What clients met: ``right``, ``cut`` (the connection ended before the answer did), or a status."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.violation: str | None = None
        """The first wrong byte, hang, or 500."""
        self._lock = threading.Lock()

    def add(self, outcome: str) -> None:
        """Count what ``judge`` says."""
        kind = outcome.partition(":")[0]
        with self._lock:
            self.counts[kind] += 1
            if kind in {"wrong", "hang", "500"}:
                self.violation = self.violation or outcome


class VerifiedReader(threading.Thread):
    """Reads random ranges of random objects until told to stop, and compares every byte.

    ``busy`` is held during each exchange; none begins while ``go`` is not set.
    """

    def __init__(self, port: int, truths: Sequence[Truth], outcomes: Outcomes, *, seed: int, most: int = MIB) -> None:
        super().__init__()
        self.busy = threading.Lock()
        self.go = threading.Event()
        self.go.set()
        self._port = port
        self._truths = truths
        self._outcomes = outcomes
        self._chance = random.Random(seed)
        self._most = most
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set() and self._outcomes.violation is None:
            with suppress(NoAnswerError, OSError), Connection(self._port, timeout=_HANG_SECONDS) as connection:
                while not self._stopped.is_set() and self._outcomes.violation is None:
                    self.go.wait()
                    with self.busy:
                        if self.go.is_set():
                            self._read(connection)

    def stop(self) -> None:
        """End after the exchange under way."""
        self._stopped.set()
        self.join()

    def _read(self, connection: Connection) -> None:
        truth = self._chance.choice(self._truths)
        start = self._chance.randrange(truth.size)
        stop = min(truth.size, start + self._chance.choice([1, 8192, UNIT, self._most]))
        outcome = "cut"
        try:
            outcome = judge(read_range(connection, truth, start, stop), truth, start, stop)
        except TimeoutError:
            outcome = f"hang: {truth.target!r} [{start}, {stop})"
        finally:
            self._outcomes.add(outcome)


def read_range(connection: Connection, truth: Truth, start: int, stop: int) -> Answer:
    """One ranged GET. Raises NoAnswerError when the connection ends before the answer does, TimeoutError at a hang."""
    return connection.ask(Call(b"GET", truth.target).having((b"range", b"bytes=%d-%d" % (start, stop - 1))))


def judge(answer: Answer, truth: Truth, start: int, stop: int) -> str:
    """``right``, ``wrong: ...`` or ``STATUS: ...``."""
    if answer.status != 206:
        return f"{answer.status}: {truth.target!r} [{start}, {stop}): {answer.body[:300]!r}"
    if len(answer.body) != stop - start or not truth.holds(start, answer.body):
        return f"wrong: {truth.target!r} [{start}, {stop}): {len(answer.body)} bytes"
    return "right"


class Crowd:
    """Clients that read meanwhile."""

    def __init__(self, port: int, truths: Sequence[Truth], *, clients: int, seed: int) -> None:
        self.outcomes = Outcomes()
        self._readers = [VerifiedReader(port, truths, self.outcomes, seed=seed + number) for number in range(clients)]

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.stop()
        self.require_right()

    def require_right(self) -> None:
        """Require that nobody has met a wrong byte, a hang or a 500 so far."""
        require(self.outcomes.violation is None, str(self.outcomes.violation))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While no exchange is under way."""
        for reader in self._readers:
            reader.go.clear()
        try:
            with ExitStack() as stack:
                for reader in self._readers:
                    stack.enter_context(reader.busy)
                yield
        finally:
            for reader in self._readers:
                reader.go.set()


def require_all_right(port: int, truths: Sequence[Truth], *, piece: int = 4 * MIB, attempts: int = 1) -> None:
    """Read every object whole, in pieces, and require each byte to be right.

    ``attempts`` more than one is for objects that have just changed: an answer that was begun may then be cut.
    """
    for truth in truths:
        for start in range(0, truth.size, piece):
            outcomes = _outcomes(port, truth, start, min(truth.size, start + piece))
            outcome = next((each for each in islice(outcomes, attempts) if not each.startswith("no answer")), "cut")
            require(outcome == "right", f"{truth.target!r} from {start}: {outcome}")


def _outcomes(port: int, truth: Truth, start: int, stop: int) -> Iterator[str]:
    while True:
        with Connection(port, timeout=_HANG_SECONDS) as connection:
            try:
                yield judge(read_range(connection, truth, start, stop), truth, start, stop)
            except NoAnswerError:
                yield "no answer"
