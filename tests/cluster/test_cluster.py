"""Three nodes behind a real HAProxy over one store, as deploy/haproxy.cfg puts them there."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.cluster.balancer import is_installed
from tests.cluster.nodes import MIB, Cluster, running_cluster
from tests.cluster.traffic import BUCKET, KeyHistory, flowing, make_client, read

pytestmark = pytest.mark.skipif(not is_installed(), reason="haproxy is not installed")

_FRESH_ALWAYS = {"cache": {"metadata_ttl_seconds": 0}}
_TTL_SECONDS = 2.0
_OBJECTS = 48


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes that ask the store at each read, and one that comes later."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), spare=1, settings=_FRESH_ALWAYS) as running:
        make_client(running.port).create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture(scope="module")
def objects(cluster: Cluster) -> dict[str, int]:
    """Objects of a MiB in the store, and the size of each."""
    directory = cluster.store.root / BUCKET
    for number in range(_OBJECTS):
        (directory / f"object-{number:03d}").write_bytes(b"%06d\n" % number * (MIB // 7))
    return {path.name: path.stat().st_size for path in directory.iterdir()}


def test_capacity_of_the_nodes_adds_up(cluster: Cluster, objects: dict[str, int]) -> None:
    client = make_client(cluster.port)
    for _ in range(3):
        for name, size in objects.items():
            assert len(read(client, name)) == size
    cached = [node.cached_bytes() for node in cluster.nodes[:3]]
    total = sum(objects.values())
    assert total <= sum(cached) < 1.25 * total, cached
    assert min(cached) > total / 8, cached


def test_node_that_is_added_takes_its_share_and_moves_nothing_else(cluster: Cluster, objects: dict[str, int]) -> None:
    targets = [f"/{BUCKET}/{name}" for name in objects]
    before = cluster.owners(targets)
    added = cluster.nodes[3]
    cluster.join(added)
    after = cluster.owners(targets)
    moved = [target for target in targets if before[target] != after[target]]
    assert {after[target] for target in moved} == {added.name}
    assert len(targets) / 12 < len(moved) < len(targets) / 2, Counter(after.values())
    added.stop()
    cluster.balancer.wait_for(added.name, "DOWN")
    assert cluster.owners(targets) == before


def test_kill_of_a_node_under_load_fails_no_idempotent_request_and_nobody_reads_old_bytes(cluster: Cluster) -> None:
    victim = cluster.nodes[1]
    with flowing(cluster.port) as traffic:
        time.sleep(1)
        victim.kill()
        cluster.balancer.wait_for(victim.name, "DOWN")
        time.sleep(0.5)
        cluster.join(victim)
        time.sleep(0.5)
    assert traffic.outcomes.failures == []
    assert traffic.outcomes.superseded == 0
    assert min(traffic.outcomes.reads, traffic.outcomes.writes) > 50


def test_node_that_drains_under_load_fails_no_request_and_nobody_reads_old_bytes(cluster: Cluster) -> None:
    leaving = cluster.nodes[2]
    with flowing(cluster.port) as traffic:
        leaving.stop()
        time.sleep(0.5)
        cluster.join(leaving)
        time.sleep(0.5)
    assert traffic.outcomes.failures == []
    assert traffic.outcomes.superseded == 0


def test_object_that_moves_away_and_back_is_read_as_it_was_written_meanwhile(cluster: Cluster) -> None:
    client = make_client(cluster.port)
    history = KeyHistory("wandering")
    history.write(client)
    assert history.read_age(client) == 0
    owner = cluster.owners([f"/{BUCKET}/wandering"])[f"/{BUCKET}/wandering"]
    cluster.balancer.take_out(owner)
    history.write(client)
    assert history.read_age(client) == 0
    cluster.balancer.take_in(owner)
    assert history.read_age(client) == 0


def test_what_delete_objects_deletes_is_gone_from_the_node_that_cached_it(cluster: Cluster) -> None:
    # The request goes to the node of the bucket, not to those of the keys.
    client = make_client(cluster.port)
    histories = [KeyHistory(f"deleted-{number}") for number in range(8)]
    for history in histories:
        history.write(client)
        assert history.read_age(client) == 0
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": history.key} for history in histories]})
    for history in histories:
        with pytest.raises(client.exceptions.NoSuchKey):
            client.get_object(Bucket=BUCKET, Key=history.key)


# Nodes that take an object for unchanged for some time


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes that ask the store about an object every ``_TTL_SECONDS``."""
    settings = {"cache": {"metadata_ttl_seconds": _TTL_SECONDS}}
    with running_cluster(tmp_path_factory.mktemp("patient"), nodes=2, settings=settings) as running:
        make_client(running.port).create_bucket(Bucket=BUCKET)
        yield running


def test_nobody_reads_old_bytes_while_every_node_keeps_its_objects(patient: Cluster) -> None:
    with flowing(patient.port) as traffic:
        time.sleep(2)
    assert traffic.outcomes.failures == []
    assert traffic.outcomes.superseded == 0
    assert traffic.outcomes.reads > 100


def test_object_that_moves_away_and_back_is_old_for_no_longer_than_metadata_ttl(patient: Cluster) -> None:
    client = make_client(patient.port)
    history = KeyHistory("wandering")
    history.write(client)
    begin = time.monotonic()
    assert history.read_age(client) == 0
    owner = patient.owners([f"/{BUCKET}/wandering"])[f"/{BUCKET}/wandering"]
    patient.balancer.take_out(owner)
    history.write(client)
    patient.balancer.take_in(owner)
    ages = []
    while time.monotonic() < begin + _TTL_SECONDS + 1:
        ages.append(history.read_age(client))
    assert 0 < max(ages) <= _TTL_SECONDS, "what this test is about did not happen, or took longer"
    assert ages[-1] == 0
