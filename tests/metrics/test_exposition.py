"""What Prometheus reads, by its own parser."""

import re
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from s3proxy.cache.counters import Counter
from s3proxy.metrics.exposition import NodeUse, TierUse, exposition
from s3proxy.metrics.meters import UNKNOWN, Gauge, Meters, Total
from s3proxy.metrics.processes import ProcessUse
from s3proxy.s3 import model
from tests.metrics.asking import Told

CACHE_COUNTS = {counter.name.lower(): 100 + counter for counter in Counter}
Series = dict[str, float]


def worked() -> Meters:
    """Meters of a process that did something of everything."""
    meters = Meters.private()
    told = Told()
    meters.count_requests([
        (told, 200, 0.003, 0.001, 100, 0, Total.LOCAL_BYTES),
        (told, 206, 0.02, 0.001, 50, 0, Total.STORE_BYTES),
        (told, 418, 100.0, 0.001, 0, 0, None),
        (Told(operation="PutObject"), 200, 0.1, 0.1, 0, 4096, None),
    ])  # fmt: skip
    meters.add(Total.CONNECTIONS_ACCEPTED, 9)
    meters.add(Total.CONNECTIONS_REFUSED, 2)
    meters.add(Total.HANDSHAKES_FAILED, 4)
    meters.add(Total.REQUESTS_REFUSED)
    meters.set(Gauge.CONNECTIONS_OPEN, 5)
    meters.set(Gauge.CONNECTIONS_IDLE, 3)
    meters.set(Gauge.REQUESTS_IN_FLIGHT, 1)
    far = meters.store("far")
    far.count(0.2, is_error=False)
    far.count(10, is_error=True)
    return meters


def use_of(meters: Meters) -> NodeUse:
    return NodeUse(
        version="1.2.3",
        started_at=1_700_000_000.5,
        is_ready=True,
        connection_limit=1000,
        reading=meters.read(),
        cache_counts=CACHE_COUNTS,
        tiers={
            "memory": TierUse(used_bytes=10, size_bytes=20),
            "disk": TierUse(used_bytes=30, size_bytes=40, is_working=False),
        },
        stores={"far": True, "near": False},
        losses={"died": 3, "hung": 1},
        processes={"0": ProcessUse(cpu_seconds=1.5, rss_bytes=2048, descriptors=7)},
    )


def series_of(text: bytes) -> Series:
    """Every sample by its name and labels, as Prometheus writes them."""
    found: Series = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.fixture(scope="module")
def text() -> bytes:
    return exposition(use_of(worked()))


@pytest.fixture(scope="module")
def series(text: bytes) -> Series:
    return series_of(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ('s3proxy_build_info{version="1.2.3"}', 1),
        ("s3proxy_ready", 1),
        ("s3proxy_start_time_seconds", 1_700_000_000.5),
        ('s3proxy_requests_total{operation="GetObject",status="200"}', 1),
        ('s3proxy_requests_total{operation="GetObject",status="other"}', 1),
        ('s3proxy_requests_total{operation="PutObject",status="200"}', 1),
        ("s3proxy_requests_refused_total", 1),
        ("s3proxy_requests_in_flight", 1),
        ('s3proxy_request_duration_seconds_bucket{le="0.002",operation="GetObject"}', 0),
        ('s3proxy_request_duration_seconds_bucket{le="0.004",operation="GetObject"}', 1),
        ('s3proxy_request_duration_seconds_bucket{le="65.536",operation="GetObject"}', 2),
        ('s3proxy_request_duration_seconds_bucket{le="+Inf",operation="GetObject"}', 3),
        ('s3proxy_request_duration_seconds_count{operation="GetObject"}', 3),
        ('s3proxy_request_duration_seconds_sum{operation="GetObject"}', 100.023),
        ('s3proxy_request_first_byte_seconds_count{operation="PutObject"}', 1),
        ('s3proxy_sent_bytes_total{operation="GetObject"}', 150),
        ('s3proxy_received_bytes_total{operation="PutObject"}', 4096),
        ('s3proxy_connections{state="idle"}', 3),
        ('s3proxy_connections{state="busy"}', 2),
        ("s3proxy_connections_limit", 1000),
        ("s3proxy_connections_accepted_total", 9),
        ("s3proxy_connections_refused_total", 2),
        ("s3proxy_handshakes_failed_total", 4),
        ('s3proxy_store_requests_total{store="far"}', 2),
        ('s3proxy_store_errors_total{store="far"}', 1),
        ('s3proxy_store_request_duration_seconds_count{store="far"}', 2),
        ('s3proxy_store_reachable{store="far"}', 1),
        ('s3proxy_store_reachable{store="near"}', 0),
        ('s3proxy_object_bytes_total{source="memory"}', 100 + Counter.MEMORY_BYTES),
        ('s3proxy_object_bytes_total{source="disk"}', 100 + Counter.DISK_BYTES),
        ('s3proxy_object_bytes_total{source="store"}', 100 + Counter.STORE_BYTES + 50),
        ('s3proxy_object_bytes_total{source="local"}', 100),
        ('s3proxy_cache_reads_total{result="hit"}', 100 + Counter.HITS),
        ('s3proxy_cache_reads_total{result="miss"}', 100 + Counter.MISSES),
        ('s3proxy_cache_read_bytes_total{result="hit"}', 200 + Counter.MEMORY_BYTES + Counter.DISK_BYTES),
        ('s3proxy_cache_read_bytes_total{result="miss"}', 100 + Counter.STORE_BYTES),
        ("s3proxy_cache_fills_total", 100 + Counter.FILLS),
        ("s3proxy_cache_coalesced_waits_total", 100 + Counter.COALESCED_WAITS),
        ("s3proxy_cache_prefetch_used_bytes_total", 100 + Counter.PREFETCH_USED_BYTES),
        ("s3proxy_cache_prefetch_wasted_bytes_total", 100 + Counter.PREFETCH_WASTED_BYTES),
        ("s3proxy_cache_evicted_blocks_total", 100 + Counter.EVICTED_BLOCKS),
        ("s3proxy_cache_corrupt_blocks_total", 100 + Counter.CORRUPT_BLOCKS),
        ("s3proxy_cache_failures_total", 100 + Counter.CACHE_FAILURES),
        ('s3proxy_tier_used_bytes{tier="memory"}', 10),
        ('s3proxy_tier_size_bytes{tier="disk"}', 40),
        ('s3proxy_tier_working{tier="disk"}', 0),
        ('s3proxy_process_cpu_seconds_total{process="0"}', 1.5),
        ('s3proxy_process_resident_memory_bytes{process="0"}', 2048),
        ('s3proxy_process_open_descriptors{process="0"}', 7),
    ],
)
def test_what_was_counted_is_told_under_its_name(series: Series, name: str, value: float) -> None:
    assert series[name] == pytest.approx(value)


def test_every_counter_of_the_cache_is_told(series: Series) -> None:
    told = {name for name in series if name.startswith("s3proxy_cache_") and name.endswith("_total")}
    shown_by_result = {"hits", "misses", "memory_bytes", "disk_bytes", "store_bytes"}
    rest = {name.removeprefix("cache_") for name in CACHE_COUNTS.keys() - shown_by_result}
    assert told == {f"s3proxy_cache_{name}_total" for name in rest}


def test_buckets_of_a_histogram_only_grow(series: Series) -> None:
    buckets = [
        value
        for name, value in series.items()
        if name.startswith("s3proxy_request_duration_seconds_bucket") and "GetObject" in name
    ]
    assert buckets == sorted(buckets)
    assert len(buckets) == 20


# What "promtool check metrics" would complain of


def test_names_keep_to_the_conventions(text: bytes) -> None:
    families = list(text_string_to_metric_families(text.decode()))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert re.fullmatch(r"s3proxy(_[a-z]+)+", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"(_total|_count|_sum|_bucket|milliseconds|kilobytes)$", family.name)
        assert family.type != "unknown"
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)


def test_labels_have_few_values_whatever_clients_ask_for() -> None:
    meters = Meters.private()
    for number in range(500):
        told = Told(operation=f"Operation{number}", resource=f"/bucket{number}/key", peer=f"192.0.2.{number}")
        meters.count_requests([(told, 200 + number, 0.1, 0.1, 1, 1, None)])
        meters.store(f"store{number}").count(0.1, is_error=False)
    told_of = exposition(use_of(meters))
    assert b"192.0.2" not in told_of
    assert b"bucket4" not in told_of
    assert len(series_of(told_of)) < 64 * (24 + 2 * 22 + 2) + 32 * 24 + 100


def test_there_is_room_for_every_operation() -> None:
    names = [operation.__name__ for operation in get_args(model.Operation)]
    assert len(names) + len({"other", UNKNOWN}) <= 64
    assert max(map(len, names)) <= 64


def test_node_without_cache_or_traffic_tells_what_there_is() -> None:
    use = NodeUse(version="1", started_at=0, is_ready=False, connection_limit=1, reading=Meters.private().read())
    series = series_of(exposition(use))
    assert series["s3proxy_ready"] == 0
    assert series['s3proxy_object_bytes_total{source="local"}'] == 0
    assert not [name for name in series if name.startswith(("s3proxy_cache_", "s3proxy_tier_"))]


def test_store_may_be_called_anything() -> None:
    meters = Meters.private()
    meters.store('a"b\\c\n').count(0.1, is_error=False)
    text = exposition(use_of(meters))
    (family,) = (
        each for each in text_string_to_metric_families(text.decode()) if each.name == "s3proxy_store_requests"
    )
    assert [sample.labels for sample in family.samples] == [{"store": 'a"b\\c\n'}]


def test_processes_that_were_lost_are_told_by_how(series: Series) -> None:
    assert series['s3proxy_lost_processes_total{reason="died"}'] == 3
    assert series['s3proxy_lost_processes_total{reason="hung"}'] == 1
