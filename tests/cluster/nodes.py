"""A cluster on one machine: nodes on loopback addresses behind a real HAProxy, over one store."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.measure import family
from tests.campaigns.capacity import allocated_bytes
from tests.cluster.balancer import SERVED_BY, Balancer, Place, balancing, free_port
from tests.nodes import merged
from tests.server import Server, Settings, start, started
from tests.wire import Call, Connection

MIB = 2**20
_TIER_BYTES = 64 * MIB


@dataclass(slots=True, kw_only=True)
class Node:
    """One node, which may run or not."""

    place: Place
    directory: Path
    settings: Settings
    server: Server | None = None

    @property
    def name(self) -> str:
        return self.place.name

    def start(self) -> None:
        """Start it, with what its disk tier holds; ready when this returns."""
        assert self.server is None, self.name
        self.directory.mkdir(exist_ok=True)
        self.server = start(self.directory / "none", self.directory / "log", settings=self.settings)

    def kill(self) -> None:
        """End all its processes at once, as a power failure would."""
        assert self.server is not None, self.name
        for pid in family(self.server.pid):
            with suppress(ProcessLookupError):  # a worker ends with its supervisor
                os.kill(pid, signal.SIGKILL)
        self.server.process.wait()
        self.server = None

    def stop(self) -> None:
        """End it as an operator would: it drains first."""
        assert self.server is not None, self.name
        server, self.server = self.server, None
        assert server.stop() == 0, server.logs[1].read_text(encoding="utf-8")

    def cached_bytes(self) -> int:
        """What its tiers take on their file systems."""
        return sum(allocated_bytes(self.directory / tier) for tier in ("memory", "disk"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Nodes, what is before them and what is behind them."""

    nodes: Sequence[Node]
    balancer: Balancer
    store: Server

    @property
    def port(self) -> int:
        """Of the balancer."""
        return self.balancer.port

    def node(self, name: str) -> Node:
        """The node of a name."""
        return next(node for node in self.nodes if node.name == name)

    def owners(self, targets: Sequence[str]) -> Mapping[str, str]:
        """Which node serves each of these paths now, whatever it answers."""
        found = {}
        with Connection(self.port) as connection:
            for target in targets:
                answer = connection.ask(Call(b"HEAD", target.encode()))
                found[target] = (answer.header(SERVED_BY) or b"").decode()
        return found

    def join(self, node: Node) -> None:
        """Start a node, and wait until the balancer sends it its share."""
        node.start()
        self.balancer.wait_for(node.name, "UP")


@contextmanager
def running_cluster(
    base: Path, *, nodes: int = 3, spare: int = 0, settings: Settings | None = None
) -> Iterator[Cluster]:
    """Start a store over a directory, nodes with both tiers before it, and HAProxy before them.

    Args:
        base: for everything that is made; the store's root is ``base / "root"``.
        nodes: how many run.
        spare: how many more the balancer knows, which are not started yet.
        settings: further ones of each node.
    """
    with ExitStack() as stack:
        store = stack.enter_context(started(base / "root", base / "store", settings={"log": {"access": "off"}}))
        places = [_place(number) for number in range(1, nodes + spare + 1)]
        made = [_node(base, place, store, settings or {}) for place in places]
        stack.callback(_stop_all, made)
        with ThreadPoolExecutor(nodes) as starters:
            list(starters.map(Node.start, made[:nodes]))
        balancer = stack.enter_context(balancing(base / "balancer", places))
        for each in made[nodes:]:
            balancer.wait_for(each.name, "DOWN")
        for each in made[:nodes]:
            balancer.wait_for(each.name, "UP")
        yield Cluster(nodes=made, balancer=balancer, store=store)


def _stop_all(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if node.server is not None:
            node.kill()


def _place(number: int) -> Place:
    address = f"127.0.1.{number}"
    return Place(number=number, address=address, port=free_port(address), admin_port=free_port(address))


def _node(base: Path, place: Place, store: Server, further: Settings) -> Node:
    directory = base / place.name
    own: Settings = {
        "server": {"listen": f"{place.address}:{place.port}", "workers": 1, "drain_seconds": 5},
        "store": {
            "kind": "s3",
            "endpoint": f"http://127.0.0.1:{store.port}",
            "access_key": "cluster",
            "secret_key": "unchecked",
            "root": None,
            "fsync": None,
        },
        "memory_tier": {"directory": str(directory / "memory"), "size": _TIER_BYTES},
        "disk_tier": {"directory": str(directory / "disk"), "size": 4 * _TIER_BYTES},
        "admin": {"listen": f"{place.address}:{place.admin_port}"},
        "log": {"access": "off"},
    }
    return Node(place=place, directory=directory, settings=merged(own, further))
