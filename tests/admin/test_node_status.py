from typing import Any

from s3proxy.admin.node_status import About, NodeState, StoreState, TierState, WorkerState, sample_of, status_of
from s3proxy.admin.readiness import Health
from s3proxy.metrics.meters import Gauge, Meters, Reading, Total
from tests.metrics.asking import Told

ABOUT = About(version="1", host="node", started_at=1.0, listen=["127.0.0.1:39999"], connection_limit=100)
COUNTS = {"hits": 3, "misses": 1, "memory_bytes": 10, "disk_bytes": 20, "store_bytes": 30, "evicted_blocks": 4}
TIER = TierState(name="memory", used_bytes=7, size_bytes=9, blocks=2, buckets=[("b", 7)])


def reading() -> Reading:
    meters = Meters.private()
    get, put = Told(operation="GetObject"), Told(operation="PutObject")
    meters.count_requests([
        (get, 200, 0.01, 0.001, 60, 0, None),
        (get, 404, 0.01, 0.001, 6, 0, None),
        (put, 503, 0.01, 0.001, 6, 100, None),
    ])  # fmt: skip
    meters.add(Total.STORE_BYTES, 5)
    meters.add(Total.LOCAL_BYTES, 50)
    meters.add(Total.CONNECTIONS_ACCEPTED, 11)
    meters.set(Gauge.CONNECTIONS_OPEN, 2)
    meters.store("default").count(0.1, is_error=True)
    return meters.read()


def state(**changes: object) -> NodeState:
    content: dict[str, Any] = {
        "about": ABOUT,
        "reason": "",
        "workers": [WorkerState(number=0, pid=5, is_ready=True)],
        "reading": reading(),
        "cache_counts": COUNTS,
        "tiers": [TIER],
        "stores": [StoreState(name="default", kind="s3", endpoint="http://e", health=Health(is_reachable=False))],
        "activity": {"busiest": [{"key": "k"}]},
    }
    return NodeState(**content | changes)


def test_status_tells_of_the_node_and_its_workers() -> None:
    node = status_of(state())["node"]
    assert (node["version"], node["host"], node["is_ready"], node["reason"]) == ("1", "node", True, None)
    assert node["workers"] == [
        {"number": 0, "pid": 5, "is_ready": True, "rss_bytes": None, "cpu_seconds": None, "descriptors": None}
    ]


def test_status_of_a_node_that_is_not_ready_says_why() -> None:
    node = status_of(state(reason="draining"))["node"]
    assert (node["is_ready"], node["reason"]) == (False, "draining")


def test_status_tells_how_many_processes_were_lost() -> None:
    assert status_of(state(losses={"died": 0, "hung": 2}))["node"]["lost_processes"] == {"died": 0, "hung": 2}


def test_status_adds_up_requests_and_tells_errors_apart() -> None:
    requests = status_of(state())["requests"]
    assert (requests["total"], requests["errors_4xx"], requests["errors_5xx"]) == (3, 1, 1)
    get = requests["by_operation"]["GetObject"]
    assert (get["count"], get["errors"], get["bytes_sent"]) == (2, 1, 66)
    assert 0 < get["first_byte_seconds"]["p50"] < get["latency_seconds"]["p50"]


def test_status_tells_from_where_bytes_came() -> None:
    found = status_of(state())["bytes"]
    assert found == {"memory": 10, "disk": 20, "store": 35, "local": 50, "sent": 72, "received": 100}


def test_status_tells_what_the_cache_counted_and_what_fills_it() -> None:
    cache = status_of(state())["cache"]
    assert (cache["is_on"], cache["hits"], cache["evicted_blocks"]) == (True, 3, 4)
    assert cache["tiers"] == [
        {
            "name": "memory", "used_bytes": 7, "size_bytes": 9, "blocks": 2, "is_working": True,
            "reason": "", "down_since": None, "buckets": [{"bucket": "b", "bytes": 7}],
        }
    ]  # fmt: skip


def test_status_of_a_node_without_a_cache_says_so() -> None:
    assert status_of(state(cache_counts={}, tiers=[]))["cache"] == {"is_on": False, "tiers": []}


def test_status_tells_how_stores_fare() -> None:
    (store,) = status_of(state())["stores"]
    assert (store["is_reachable"], store["requests"], store["errors"]) == (None, 1, 1)
    failed = StoreState(
        name="other", kind="s3", endpoint="", health=Health(is_reachable=False, reason="refused", checked_at=2.0)
    )
    (store,) = status_of(state(stores=[failed]))["stores"]
    assert (store["is_reachable"], store["reason"], store["checked_at"], store["requests"]) == (False, "refused", 2, 0)
    assert store["latency_seconds"] == {"p50": None, "p90": None, "p99": None}


def test_status_passes_on_what_workers_remember() -> None:
    found = status_of(state())
    assert (found["busiest"], found["slowest"], found["errors"]) == ([{"key": "k"}], [], [])


def test_sample_holds_the_same_numbers() -> None:
    sample = sample_of(reading(), COUNTS, [TIER])
    assert (sample.requests, sample.errors, sample.bytes_store, sample.bytes_missed) == (3, 2, 35, 30)
    assert (sample.latency.count, sample.store_latency.count, sample.connections, sample.memory_used) == (3, 1, 2, 7)
