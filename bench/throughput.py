"""Requests per second and what they cost: the measurement that GET, range GET and PUT share."""

from collections.abc import Sequence
from itertools import cycle

from bench import BenchError
from bench.cases import Outcome, Settings
from bench.content import GIB, MIB
from bench.load import Load, Tally
from bench.measure import Stopwatch, Usage, peak_rss_bytes
from bench.requests import Request
from bench.samples import Metrics, percentile
from bench.targets import Server

_WORK_LIMIT_SECONDS = 600


def measure_throughput(server: Server, requests: Sequence[Request], connections: int, settings: Settings) -> Outcome:
    """Warm the server, then load it for the time that the settings say.

    Raises:
        BenchError: a wrong response, or no response at all in the whole time.
    """
    supply = cycle(requests)
    count = settings.connections or connections
    with Load(server.endpoint, [supply] * count) as load:
        load.run(settings.warm_seconds)
        stopwatch = Stopwatch(server.pid, server.store_pids)
        tally = load.run(settings.seconds)
        usage = stopwatch.stop()
    if not tally.latencies:
        raise BenchError(f"no request ended within {settings.seconds} s: take longer (--seconds)")
    metrics = throughput_metrics(tally, usage, peak_rss_bytes(server.pid))
    return Outcome(metrics={**metrics, "connections": float(count)}, usage=usage)


def measure_work(server: Server, requests: Sequence[Request], connections: int) -> Outcome:
    """Time how long all the requests take together, each once: for those that take about as long as a whole turn.

    Args:
        server: the server, which the caller has warmed.
        requests: what the connections take turns with; a multiple of their number, or some would be idle at the end.
        connections: how many.

    Raises:
        BenchError: a wrong response, or work that has no end.
    """
    supply = iter(requests)
    stopwatch = Stopwatch(server.pid, server.store_pids)
    with Load(server.endpoint, [supply] * connections) as load:
        tally = load.run(_WORK_LIMIT_SECONDS)
        usage = stopwatch.stop()
    if len(tally.latencies) < len(requests):
        raise BenchError(f"{len(requests) - len(tally.latencies)} requests did not end within {_WORK_LIMIT_SECONDS} s")
    metrics = throughput_metrics(tally, usage, peak_rss_bytes(server.pid))
    return Outcome(metrics={**metrics, "connections": float(connections)}, usage=usage)


def throughput_metrics(tally: Tally, usage: Usage, peak_rss: int) -> Metrics:
    """The figures of one stretch of load."""
    return {
        "requests_per_second": len(tally.latencies) / tally.seconds,
        "mb_per_second": tally.body_bytes / tally.seconds / 1e6,
        "p50_ms": percentile(tally.latencies, 0.5) / 1e6,
        "p99_ms": percentile(tally.latencies, 0.99) / 1e6,
        "cpu_seconds_per_gib": usage.server / (tally.body_bytes / GIB),
        "cpu_us_per_request": usage.server / len(tally.latencies) * 1e6,
        "peak_rss_mib": peak_rss / MIB,
        "server_cores": usage.server / usage.seconds,
        "load_cores": usage.load / usage.seconds,
        "other_cores": usage.others / usage.seconds,
    }
