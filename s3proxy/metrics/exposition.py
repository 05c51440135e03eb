"""What a node has counted, as Prometheus reads it.

Names begin with ``s3proxy_``, units are seconds and bytes, and no label has more values than there are operations,
statuses, stores, tiers or processes: never a bucket, a key or a user.

Source: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from s3proxy.metrics.histograms import BOUNDS, Histogram
from s3proxy.metrics.meters import Gauge, Reading, Total
from s3proxy.metrics.processes import ProcessUse

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_LABELS_OF_BUCKETS: Final = (*map(str, BOUNDS), "+Inf")

# What the cache counts, by the names of its counters, beside hits, misses and the bytes that it gave out.
_CACHE_HELP: Final = {
    "direct_reads": "Reads that went around the cache because it failed or was full.",
    "fills": "Fetches from a store into the cache.",
    "fill_bytes": "Bytes that fills wrote.",
    "coalesced_waits": "Reads that waited for a fill that another one had begun.",
    "store_requests": "Reads that the cache asked of stores.",
    "prefetched_bytes": "Bytes fetched ahead of sequential readers.",
    "prefetch_used_bytes": "Bytes fetched ahead and read later.",
    "prefetch_wasted_bytes": "Bytes fetched ahead and dropped before anybody read them.",
    "evicted_blocks": "Blocks removed from a tier to make room.",
    "evicted_bytes": "Bytes that evictions freed.",
    "demoted_blocks": "Blocks copied from memory to disk before they were evicted.",
    "promoted_blocks": "Blocks copied from disk to memory.",
    "pins_ignored": "Evictions of pinned blocks, because pins took more than they may.",
    "corrupt_blocks": "Blocks dropped because a checksum of theirs was wrong.",
    "cache_failures": "Reads and writes of blocks that the file system refused.",
    "scrubbed_blocks": "Blocks that the scrub verified.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUse:
    """A tier of the cache."""

    used_bytes: int
    size_bytes: int
    is_working: bool = True
    down_since: float | None = None
    """Seconds since 1970, of one that does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUse:
    """All that is told of a node."""

    version: str
    started_at: float
    """Seconds since 1970."""
    is_ready: bool
    connection_limit: int
    reading: Reading
    cache_counts: Mapping[str, int] = field(default_factory=dict)
    """By the names of the cache's counters in lower case; empty without a cache."""
    tiers: Mapping[str, TierUse] = field(default_factory=dict)
    stores: Mapping[str, bool] = field(default_factory=dict)
    """Whether the last try reached them; those of which it is not known are left out."""
    losses: Mapping[str, int] = field(default_factory=dict)
    """Processes that were lost, by how."""
    processes: Mapping[str, ProcessUse] = field(default_factory=dict)
    """By the number of a worker or what else a process is; the names must be those of the next start, too."""


def exposition(use: NodeUse) -> bytes:
    """The text, of the type ``CONTENT_TYPE``."""
    registry = CollectorRegistry()
    registry.register(_NodeCollector(use))
    return generate_latest(registry)


class _NodeCollector(Collector):
    def __init__(self, use: NodeUse) -> None:
        self._use = use

    def describe(self) -> Iterable[Metric]:
        return ()  # there is nothing else in the registry that could have the same names

    def collect(self) -> Iterator[Metric]:
        use = self._use
        yield from _node(use)
        yield from _requests(use.reading)
        yield from _connections(use)
        yield from _stores(use)
        yield _object_bytes(use)
        if use.cache_counts:
            yield from _cache(use.cache_counts)
        yield from _tiers(use.tiers)
        yield from _processes(use.processes)


def _node(use: NodeUse) -> Iterator[Metric]:
    yield InfoMetricFamily("s3proxy_build", "What runs.", {"version": use.version})
    yield GaugeMetricFamily("s3proxy_ready", "Whether the node wants requests.", int(use.is_ready))
    yield GaugeMetricFamily("s3proxy_start_time_seconds", "When the node started, since 1970.", use.started_at)
    yield _counters("s3proxy_lost_processes", "Processes that died or hung, and were replaced.", "reason", use.losses)


def _requests(reading: Reading) -> Iterator[Metric]:
    operations = reading.operations
    answered = CounterMetricFamily("s3proxy_requests", "Requests that were answered.", labels=("operation", "status"))
    for name, each in operations.items():
        for status, count in each.statuses.items():
            answered.add_metric((name, str(status or "other")), count)
    yield answered
    refused, in_flight = reading.totals[Total.REQUESTS_REFUSED], reading.gauges[Gauge.REQUESTS_IN_FLIGHT]
    yield CounterMetricFamily("s3proxy_requests_refused", "Requests whose head could not be read.", refused)
    yield GaugeMetricFamily("s3proxy_requests_in_flight", "Requests that are being answered.", in_flight)
    yield _histograms(
        "s3proxy_request_duration_seconds",
        "Time from the head of a request to the last byte of its answer.",
        "operation",
        {name: each.latency for name, each in operations.items()},
    )
    yield _histograms(
        "s3proxy_request_first_byte_seconds",
        "Time from the head of a request to the first byte of its answer.",
        "operation",
        {name: each.first_byte for name, each in operations.items()},
    )
    sent = {name: each.sent for name, each in operations.items()}
    received = {name: each.received for name, each in operations.items()}
    yield _counters("s3proxy_sent_bytes", "Bytes of the bodies of answers.", "operation", sent)
    yield _counters("s3proxy_received_bytes", "Bytes of the bodies of requests.", "operation", received)


def _connections(use: NodeUse) -> Iterator[Metric]:
    totals, gauges = use.reading.totals, use.reading.gauges
    idle = gauges[Gauge.CONNECTIONS_IDLE]
    states = {"idle": idle, "busy": max(0, gauges[Gauge.CONNECTIONS_OPEN] - idle)}
    yield _gauges("s3proxy_connections", "Connections with clients.", "state", states)
    yield GaugeMetricFamily("s3proxy_connections_limit", "How many connections there may be.", use.connection_limit)
    accepted, refused = totals[Total.CONNECTIONS_ACCEPTED], totals[Total.CONNECTIONS_REFUSED]
    yield CounterMetricFamily("s3proxy_connections_accepted", "Connections that came.", accepted)
    yield CounterMetricFamily("s3proxy_connections_refused", "Connections turned away, being too many.", refused)
    failed = totals[Total.HANDSHAKES_FAILED]
    yield CounterMetricFamily("s3proxy_handshakes_failed", "Connections without due TLS or PROXY header.", failed)


def _stores(use: NodeUse) -> Iterator[Metric]:
    stores = use.reading.stores
    requests = {name: each.latency.count for name, each in stores.items()}
    errors = {name: each.errors for name, each in stores.items()}
    yield _counters("s3proxy_store_requests", "Requests to a store, repeated ones too.", "store", requests)
    yield _counters("s3proxy_store_errors", "Requests to a store that it failed or did not answer.", "store", errors)
    yield _histograms(
        "s3proxy_store_request_duration_seconds",
        "Time from a request to a store to the head of its answer.",
        "store",
        {name: each.latency for name, each in stores.items()},
    )
    yield _gauges("s3proxy_store_reachable", "Whether the last try reached the store.", "store", use.stores)


def _object_bytes(use: NodeUse) -> Metric:
    totals, counts = use.reading.totals, use.cache_counts
    sources = {
        "memory": counts.get("memory_bytes", 0),
        "disk": counts.get("disk_bytes", 0),
        "store": counts.get("store_bytes", 0) + totals[Total.STORE_BYTES],
        "local": totals[Total.LOCAL_BYTES],
    }
    return _counters("s3proxy_object_bytes", "Bytes of objects given out, by where they came from.", "source", sources)


def _cache(counts: Mapping[str, int]) -> Iterator[Metric]:
    reads = {"hit": counts["hits"], "miss": counts["misses"]}
    read_bytes = {"hit": counts["memory_bytes"] + counts["disk_bytes"], "miss": counts["store_bytes"]}
    yield _counters("s3proxy_cache_reads", "Reads, by whether all bytes were there.", "result", reads)
    yield _counters("s3proxy_cache_read_bytes", "Bytes read, by whether they were there.", "result", read_bytes)
    for name, text in _CACHE_HELP.items():
        yield CounterMetricFamily(f"s3proxy_cache_{name.removeprefix('cache_')}", text, counts[name])


def _tiers(tiers: Mapping[str, TierUse]) -> Iterator[Metric]:
    used = {name: tier.used_bytes for name, tier in tiers.items()}
    size = {name: tier.size_bytes for name, tier in tiers.items()}
    working = {name: tier.is_working for name, tier in tiers.items()}
    yield _gauges("s3proxy_tier_used_bytes", "Bytes that a tier holds.", "tier", used)
    yield _gauges("s3proxy_tier_size_bytes", "Bytes that a tier may hold.", "tier", size)
    yield _gauges("s3proxy_tier_working", "Whether a tier can be used.", "tier", working)
    down = {name: tier.down_since for name, tier in tiers.items() if tier.down_since is not None}
    yield _gauges("s3proxy_tier_down_since_seconds", "Since when a tier cannot be used, in Unix time.", "tier", down)


def _processes(processes: Mapping[str, ProcessUse]) -> Iterator[Metric]:
    cpu = {name: use.cpu_seconds for name, use in processes.items()}
    rss = {name: use.rss_bytes for name, use in processes.items()}
    descriptors = {name: use.descriptors for name, use in processes.items()}
    memory = "Memory of a process; what is shared counts for each."
    yield _counters("s3proxy_process_cpu_seconds", "CPU time of a process.", "process", cpu)
    yield _gauges("s3proxy_process_resident_memory_bytes", memory, "process", rss)
    yield _gauges("s3proxy_process_open_descriptors", "Open descriptors of a process.", "process", descriptors)


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for labelled, value in values.items():
        family.add_metric((labelled,), value)
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for labelled, value in values.items():
        family.add_metric((labelled,), value)
    return family


def _histograms(name: str, text: str, label: str, values: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=(label,))
    for labelled, durations in values.items():
        buckets = list(zip(_LABELS_OF_BUCKETS, accumulate(durations.counts), strict=True))
        family.add_metric((labelled,), buckets, durations.seconds)
    return family
