"""What stands behind a cache: one under-store for the whole run, and the relay that counts what it is asked.

The relay (``tests.faults``) also shapes the link. It costs a core about 0.7 s per GiB, so where the machine is to be
the limit there is none, and nothing is counted.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import BenchError
from bench.catalogue import SERVERS
from bench.ceph import ceph_absence, ceph_started
from bench.client import Client, connected, expect
from bench.content import Thing
from bench.dataset import Dataset
from bench.measure import running_on
from bench.requests import BUCKET, Endpoint
from bench.targets import Server, Upstream, started
from tests.faults.tally import Tally, parse_tally

UNDER_STORES = ("s3proxy", "nginx", "ceph")
"""Our own server over a directory, nginx over the same, or a Ceph RGW started by the program that CEPH_RGW names."""

THINGS = f"/{BUCKET}*"
"""Paths of what is stored for the bench. A cache asks for others too, by itself: ours looks now and then whether the
store is there, by a bucket that nobody has."""

_REPOSITORY = Path(__file__).parent.parent
_READABLE = {"x-amz-acl": "public-read"}  # nginx signs nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How a cache reaches the under-store. Without a relay nothing is counted."""

    is_relayed: bool = True
    delay_ms: float = 0.0
    """Each way."""
    bytes_per_second: float | None = None


class UnderStore:
    """The under-store of a run, started when it is first needed. *Closes:* leave the context to stop it."""

    def __init__(self, name: str, dataset: Dataset, scratch: Path, cores: Set[int]) -> None:
        self._name = name
        self._dataset = dataset
        self._scratch = scratch
        self._cores = cores
        self._running = ExitStack()
        self._server: Server | None = None
        self._stored: set[str] = set()

    def __enter__(self) -> "UnderStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def store(self, things: Iterable[Thing]) -> None:
        """Have these objects there.

        Raises:
            BenchError: it is absent here, does not start, or refuses them.
        """
        missing = [each for each in things if each.key not in self._stored]
        server = self._start()
        if self._name == "ceph":
            with connected(server.endpoint) as client:
                self._upload(client, missing)
        else:
            for each in missing:
                path = self._dataset.root / BUCKET / each.key
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():  # a server of the same root may have been sent it
                    path.hardlink_to(self._dataset.source(each))
        self._stored.update(each.key for each in missing)

    @contextmanager
    def linked(self, link: Link) -> Iterator[Upstream]:
        """The under-store as a cache reaches it."""
        server = self._start()
        if not link.is_relayed:
            yield Upstream(endpoint=server.endpoint, pid=server.pid)
            return
        with _relay(server.endpoint, link, self._cores) as (port, pid):
            endpoint = Endpoint(host=server.endpoint.host, port=port, credentials=server.endpoint.credentials)
            yield Upstream(endpoint=endpoint, pid=server.pid, relay_pid=pid)

    def _upload(self, client: Client, things: Iterable[Thing]) -> None:
        expect(client.put(f"/{BUCKET}"), 200, 409)
        for each in things:
            source = self._dataset.source(each)
            with source.open("rb") as file:
                expect(client.put(f"/{BUCKET}/{each.key}", file, source.stat().st_size, _READABLE), 200)

    def _start(self) -> Server:
        if self._server is None:
            scratch = self._scratch / "under-store"
            scratch.mkdir()
            if self._name == "ceph":
                if reason := ceph_absence():
                    raise BenchError(f"the under-store ceph is absent: {reason}")
                self._server = self._running.enter_context(ceph_started(scratch))
            else:
                target = next(each for each in SERVERS if each.name == self._name)
                turn = started(target, self._dataset.root, scratch, self._cores)
                self._server = self._running.enter_context(turn)
        return self._server


def is_counted(upstream: Upstream | None) -> bool:
    """Whether there is a relay that ``seen`` can ask."""
    return upstream is not None and upstream.relay_pid is not None


def seen(upstream: Upstream | None) -> Tally:
    """What the under-store was asked since ``forget``.

    Raises:
        BenchError: there is no relay that could tell.
    """
    if upstream is None or upstream.relay_pid is None:
        raise BenchError("nothing counts what the under-store is asked")
    with connected(upstream.endpoint) as client:
        return parse_tally(expect(client.get("/-/tally"), 200).body)


def forget(upstream: Upstream | None) -> None:
    """Begin counting anew."""
    if upstream is not None and upstream.relay_pid is not None:
        with connected(upstream.endpoint) as client:
            expect(client.put("/-/tally"), 200)


@contextmanager
def _relay(store: Endpoint, link: Link, cores: Set[int]) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "tests.faults", "--to", store.authority, "--delay-ms", str(link.delay_ms)]
    if link.bytes_per_second:
        command += ["--rate", str(link.bytes_per_second)]
    with (
        running_on(cores),
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=_REPOSITORY) as process,
    ):
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().decode()
            if not ready.startswith("relay ready"):
                raise BenchError(f"the relay did not start: {ready}")
            yield int(ready.rpartition(":")[2]), process.pid
        finally:
            process.terminate()
