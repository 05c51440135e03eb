"""A cluster that is never left in peace: ``python -m tests.campaigns.cluster``.

Four nodes behind HAProxy over one store. While clients write and read the same objects, nodes are killed and started
again, drained, reloaded, taken out of the balancer's ring and put back at once. No request of a client with ordinary
retries may fail, and none may read what was superseded for longer than ``metadata_ttl_seconds``: at 0 never. Then the
nodes read more than one of them holds: every object is cached on one node, and a node that leaves and comes back moves
only its share.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.campaigns.report import require, run, say
from tests.cluster.balancer import is_installed
from tests.cluster.nodes import MIB, Cluster, Node, running_cluster
from tests.cluster.traffic import BUCKET, Outcomes, flowing, make_client, read
from tests.server import Settings

_NODES = 4
_SLACK_SECONDS = 0.5
"""Between the moments at which clients and nodes look at their clocks, on a machine that may be busy."""


def campaign(base: Path, *, seconds: float, ttl: float, objects: int, seed: int) -> None:
    """Disturb a cluster for ``seconds``, then read ``objects`` of a MiB each through it."""
    require(is_installed(), "haproxy is not installed")
    settings: Settings = {"server": {"workers": 2}, "cache": {"metadata_ttl_seconds": ttl}}
    with running_cluster(base, nodes=_NODES, settings=settings) as cluster:
        make_client(cluster.port).create_bucket(Bucket=BUCKET)
        _disturb(cluster, seconds, random.Random(seed), ttl)
        _fill(cluster, objects)


def _disturb(cluster: Cluster, seconds: float, chance: random.Random, ttl: float) -> None:
    deadline = time.monotonic() + seconds
    done: Counter[str] = Counter()
    with flowing(cluster.port, writers=3, readers=4, keys=40, seed=chance.getrandbits(32)) as traffic:
        while time.monotonic() < deadline and not traffic.outcomes.failures:
            name = chance.choice(list(_EVENTS))
            _EVENTS[name](cluster, chance.choice(cluster.nodes))
            done[name] += 1
            time.sleep(chance.uniform(0, 2))
    say("events", ", ".join(f"{name} {count}" for name, count in sorted(done.items())))
    _judge(traffic.outcomes, ttl)


def _judge(outcomes: Outcomes, ttl: float) -> None:
    say("reads and writes", f"{outcomes.reads} and {outcomes.writes}")
    say(
        "superseded answers", outcomes.superseded, f"at most {outcomes.oldest_seconds:.2f} s late, with {ttl:g} allowed"
    )
    require(not outcomes.failures, f"{len(outcomes.failures)} failed: {outcomes.failures[:3]}")
    allowed = ttl + _SLACK_SECONDS if ttl else 0.0
    require(outcomes.oldest_seconds <= allowed, f"an answer was {outcomes.oldest_seconds:.2f} s late")


def _kill(cluster: Cluster, node: Node) -> None:
    node.kill()
    time.sleep(0.2)  # restarted so soon that the balancer may not have noticed, or later
    cluster.join(node)


def _kill_for_long(cluster: Cluster, node: Node) -> None:
    node.kill()
    cluster.balancer.wait_for(node.name, "DOWN")
    cluster.join(node)


def _drain(cluster: Cluster, node: Node) -> None:
    node.stop()
    cluster.join(node)


def _reload(_cluster: Cluster, node: Node) -> None:
    assert node.server is not None
    node.server.process.send_signal(signal.SIGUSR2)
    time.sleep(5)


def _flap(cluster: Cluster, node: Node) -> None:
    cluster.balancer.take_out(node.name)
    time.sleep(0.3)
    cluster.balancer.take_in(node.name)


_EVENTS: Mapping[str, Callable[[Cluster, Node], None]] = {
    "kill": _kill,
    "kill for long": _kill_for_long,
    "drain": _drain,
    "reload": _reload,
    "flap": _flap,
}


def _fill(cluster: Cluster, objects: int) -> None:
    """Have objects cached, and look where."""
    before = _cached(cluster)
    names = _make_objects(cluster, objects)
    client = make_client(cluster.port)
    for name in names * 2:
        require(len(read(client, name)) == MIB, f"{name} is short")
    grown = [now - was for now, was in zip(_cached(cluster), before, strict=True)]
    say("cached on each node", ", ".join(f"{each / MIB:.1f}" for each in grown), f"MiB of {objects}")
    require(objects * MIB <= sum(grown) + objects * MIB // 50, "not every object is cached")
    require(sum(grown) < 1.1 * objects * MIB, "objects are cached more than once")
    targets = [f"/{BUCKET}/{name}" for name in names]
    owners = cluster.owners(targets)
    for node in cluster.nodes:
        cluster.balancer.take_out(node.name)
        without = cluster.owners(targets)
        cluster.balancer.take_in(node.name)
        moved = [target for target in targets if owners[target] != without[target]]
        say(f"moved without {node.name}", f"{len(moved) / objects:.0%}", "of the objects")
        require(all(owners[target] == node.name for target in moved), "objects of other nodes moved")
        require(len(moved) < 2 * objects / _NODES, "far more than its share moved")
    require(cluster.owners(targets) == owners, "not all came back to where they were")


def _cached(cluster: Cluster) -> list[int]:
    return [node.cached_bytes() for node in cluster.nodes]


def _make_objects(cluster: Cluster, count: int) -> list[str]:
    names = [f"large-{number:04d}" for number in range(count)]
    for name in names:
        (cluster.store.root / BUCKET / name).write_bytes(name.encode() * (MIB // len(name)) + b"." * (MIB % len(name)))
    return names


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--ttl", type=float, default=0, help="metadata_ttl_seconds of the nodes")
    parser.add_argument("--objects", type=int, default=200, help="of a MiB each")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    given = parser.parse_args()
    return run(
        lambda base: campaign(base, seconds=given.seconds, ttl=given.ttl, objects=given.objects, seed=given.seed)
    )


if __name__ == "__main__":
    sys.exit(main())
