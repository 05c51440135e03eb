"""Requests per second and what they cost: the measurement that GET, range GET and PUT share.

Where what stands behind a cache is counted, so is what the measured requests alone made the cache ask for.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from bench import BenchError
from bench.cases import Outcome, Settings
from bench.content import GIB, MIB
from bench.load import Load, Tally
from bench.measure import Stopwatch, Usage, peak_rss_bytes
from bench.requests import Request
from bench.samples import Metrics, percentile
from bench.targets import Server
from bench.understore import THINGS, forget, is_counted, seen

_WORK_LIMIT_SECONDS = 600


def measure_throughput(server: Server, requests: Sequence[Request], connections: int, settings: Settings) -> Outcome:
    """Warm the server, then load it with the requests, again and again, for the time that the settings say.

    Raises:
        BenchError: a wrong response, or no response at all in the whole time.
    """
    return measure_supplies(server, [cycle(requests)] * (settings.connections or connections), settings)


def measure_supplies(
    server: Server,
    supplies: Sequence[Iterator[Request]],
    settings: Settings,
    warmed: Callable[[], None] = lambda: None,
) -> Outcome:
    """The same with a connection for each supply, none of which may end; ``warmed`` is called before what counts.

    Raises:
        BenchError: a wrong response, or no response at all in the whole time.
    """
    with Load(server.endpoint, supplies) as load:
        load.run(settings.warm_seconds)
        warmed()
        forget(server.upstream)
        stopwatch = Stopwatch(server.pid, server.store_pids)
        tally = load.run(settings.seconds)
        usage = stopwatch.stop()
    if not tally.latencies:
        raise BenchError(f"no request ended within {settings.seconds} s: take longer (--seconds)")
    return _outcome(server, tally, usage, len(supplies))


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
    forget(server.upstream)
    stopwatch = Stopwatch(server.pid, server.store_pids)
    with Load(server.endpoint, [supply] * connections) as load:
        tally = load.run(_WORK_LIMIT_SECONDS)
        usage = stopwatch.stop()
    if len(tally.latencies) < len(requests):
        raise BenchError(f"{len(requests) - len(tally.latencies)} requests did not end within {_WORK_LIMIT_SECONDS} s")
    return _outcome(server, tally, usage, connections)


def _outcome(server: Server, tally: Tally, usage: Usage, connections: int) -> Outcome:
    metrics = throughput_metrics(tally, usage, peak_rss_bytes(server.pid))
    more = {"connections": float(connections), **_asked(server, tally)}
    if server.upstream is not None:
        more["store_cores"] = usage.store / usage.seconds
    return Outcome(metrics={**metrics, **more}, usage=usage)


def _asked(server: Server, tally: Tally) -> Metrics:
    """What the store was asked for the load, where that is counted."""
    if not is_counted(server.upstream):
        return {}
    store = seen(server.upstream)
    return {
        "store_requests": float(store.requests(path=THINGS)),
        "store_ratio": store.body_bytes(path=THINGS) / tally.body_bytes,
    }


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
