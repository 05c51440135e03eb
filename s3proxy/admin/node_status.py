"""``/status``: a node in one JSON object, made of what its processes have counted and told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from s3proxy.admin.answers import Json
from s3proxy.admin.history import Sample, summed
from s3proxy.admin.readiness import Health
from s3proxy.metrics.histograms import Histogram
from s3proxy.metrics.meters import Gauge, OperationReading, Reading, StoreReading, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What does not change while a node runs."""

    version: str
    host: str
    started_at: float
    listen: Sequence[str]
    connection_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """One serving process."""

    number: int
    pid: int | None
    is_ready: bool
    rss_bytes: int | None = None
    cpu_seconds: float | None = None
    descriptors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierState:
    """One tier."""

    name: str
    used_bytes: int
    size_bytes: int
    blocks: int | None = None
    is_working: bool = True
    reason: str = ""
    """Why it does not work, as far as that is known."""
    down_since: float | None = None
    """Seconds since 1970."""
    buckets: Sequence[tuple[str, int]] = ()
    """With their bytes; an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """One store as it is configured, and how it fares."""

    name: str
    kind: str
    endpoint: str
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """All that is known of a node at one moment."""

    about: About
    reason: str
    """Why it is not ready; empty when it is."""
    workers: Sequence[WorkerState]
    reading: Reading
    cache_counts: Mapping[str, int]
    """By the names of the cache's counters; empty without a cache."""
    tiers: Sequence[TierState]
    stores: Sequence[StoreState]
    losses: Mapping[str, int] = field(default_factory=dict)
    """How many processes ``died`` and ``hung`` since the node began."""
    activity: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """``busiest``, ``slowest`` and ``errors``."""


def status_of(state: NodeState) -> Json:
    """The whole answer."""
    return {
        "node": _node(state),
        "requests": _requests(state.reading),
        "bytes": _bytes(state),
        "cache": {"is_on": bool(state.tiers), **state.cache_counts, "tiers": [_tier(each) for each in state.tiers]},
        "stores": [_store(each, state.reading) for each in state.stores],
        "connections": _connections(state),
        **{name: list(state.activity.get(name, ())) for name in ("busiest", "slowest", "errors")},
    }


def sample_of(reading: Reading, cache_counts: Mapping[str, int], tiers: Iterable[TierState]) -> Sample:
    """What the history is made of."""
    operations, stores = reading.operations.values(), reading.stores.values()
    used = {tier.name: tier.used_bytes for tier in tiers}
    return Sample(
        bytes_memory=cache_counts.get("memory_bytes", 0),
        bytes_disk=cache_counts.get("disk_bytes", 0),
        bytes_store=cache_counts.get("store_bytes", 0) + reading.totals[Total.STORE_BYTES],
        bytes_local=reading.totals[Total.LOCAL_BYTES],
        bytes_received=sum(each.received for each in operations),
        bytes_missed=cache_counts.get("store_bytes", 0),
        requests=sum(each.latency.count for each in operations),
        errors=sum(_errors(each, 400) for each in operations),
        hits=cache_counts.get("hits", 0),
        misses=cache_counts.get("misses", 0),
        store_errors=sum(each.errors for each in stores),
        latency=summed(each.latency for each in operations),
        first_byte=summed(each.first_byte for each in operations),
        store_latency=summed(each.latency for each in stores),
        connections=reading.gauges[Gauge.CONNECTIONS_OPEN],
        memory_used=used.get("memory", 0),
        disk_used=used.get("disk", 0),
    )


def _node(state: NodeState) -> Json:
    about = state.about
    return {
        "version": about.version,
        "host": about.host,
        "started_at": about.started_at,
        "listen": list(about.listen),
        "is_ready": not state.reason,
        "reason": state.reason or None,
        "workers": [asdict(each) for each in state.workers],
        "lost_processes": dict(state.losses),
    }


def _requests(reading: Reading) -> Json:
    operations = reading.operations
    return {
        "total": sum(each.latency.count for each in operations.values()),
        "in_flight": reading.gauges[Gauge.REQUESTS_IN_FLIGHT],
        "errors_4xx": sum(_errors(each, 400, 500) for each in operations.values()),
        "errors_5xx": sum(_errors(each, 500) for each in operations.values()),
        "by_operation": {name: _operation(each) for name, each in sorted(operations.items())},
    }


def _operation(reading: OperationReading) -> Json:
    return {
        "count": reading.latency.count,
        "errors": _errors(reading, 400),
        "bytes_sent": reading.sent,
        "bytes_received": reading.received,
        "latency_seconds": _quantiles(reading.latency),
        "first_byte_seconds": _quantiles(reading.first_byte),
    }


def _bytes(state: NodeState) -> Json:
    sample = sample_of(state.reading, state.cache_counts, state.tiers)
    return {
        "memory": sample.bytes_memory,
        "disk": sample.bytes_disk,
        "store": sample.bytes_store,
        "local": sample.bytes_local,
        "sent": sum(each.sent for each in state.reading.operations.values()),
        "received": sample.bytes_received,
    }


def _tier(tier: TierState) -> Json:
    return {
        "name": tier.name,
        "used_bytes": tier.used_bytes,
        "size_bytes": tier.size_bytes,
        "blocks": tier.blocks,
        "is_working": tier.is_working,
        "reason": tier.reason,
        "down_since": tier.down_since,
        "buckets": [{"bucket": bucket, "bytes": size} for bucket, size in tier.buckets],
    }


def _store(store: StoreState, reading: Reading) -> Json:
    counted = reading.stores.get(store.name, StoreReading())
    return {
        "name": store.name,
        "kind": store.kind,
        "endpoint": store.endpoint,
        "is_reachable": store.health.is_reachable if store.health.checked_at is not None else None,
        "reason": store.health.reason or None,
        "checked_at": store.health.checked_at,
        "requests": counted.latency.count,
        "errors": counted.errors,
        "latency_seconds": _quantiles(counted.latency),
    }


def _connections(state: NodeState) -> Json:
    reading = state.reading
    return {
        "open": reading.gauges[Gauge.CONNECTIONS_OPEN],
        "idle": reading.gauges[Gauge.CONNECTIONS_IDLE],
        "accepted": reading.totals[Total.CONNECTIONS_ACCEPTED],
        "refused": reading.totals[Total.CONNECTIONS_REFUSED],
        "limit": state.about.connection_limit,
    }


def _errors(reading: OperationReading, least: int, most: int = 1000) -> int:
    return sum(count for status, count in reading.statuses.items() if least <= status < most)


def _quantiles(durations: Histogram) -> Json:
    return {name: durations.quantile(share) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}
