"""What each figure is called, how it is written, and whether more of it is better."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from bench.samples import Metrics


class Better(Enum):
    """Which way a figure should go."""

    HIGHER = auto()
    LOWER = auto()
    NEITHER = auto()
    """It explains the others, and decides nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure: its title with the unit, its format, and its direction."""

    title: str
    form: str
    better: Better = Better.NEITHER

    def show(self, number: float) -> str:
        """The number as tables show it; with two digits more where there would be only one."""
        is_coarse = self.form.endswith(".0f}") and number != round(number) and abs(number) < 10
        return f"{number:.2f}" if is_coarse else self.form.format(number)


_HIGHER, _LOWER = Better.HIGHER, Better.LOWER

_COLUMNS: Final = {
    "requests_per_second": Column("req/s", "{:,.0f}", _HIGHER),
    "mb_per_second": Column("MB/s", "{:,.0f}", _HIGHER),
    "page_p50_ms": Column("page p50 ms", "{:.2f}", _LOWER),
    "page_p99_ms": Column("page p99 ms", "{:.2f}", _LOWER),
    "walk_seconds": Column("walk s", "{:.2f}", _LOWER),
    "walk_keys": Column("keys", "{:,.0f}"),
    "p50_ms": Column("p50 ms", "{:.2f}", _LOWER),
    "p99_ms": Column("p99 ms", "{:.2f}", _LOWER),
    "get_p50_ms": Column("GET p50 ms", "{:.2f}", _LOWER),
    "get_p99_ms": Column("GET p99 ms", "{:.2f}", _LOWER),
    "put_p50_ms": Column("PUT p50 ms", "{:.2f}", _LOWER),
    "put_p99_ms": Column("PUT p99 ms", "{:.2f}", _LOWER),
    "complete_p50_ms": Column("completing p50 ms", "{:.2f}", _LOWER),
    "uploads_per_second": Column("uploads/s", "{:.2f}", _HIGHER),
    "cpu_seconds_per_gib": Column("CPU s/GiB", "{:.2f}", _LOWER),
    "cpu_us_per_request": Column("CPU us/req", "{:,.1f}", _LOWER),
    "requests_per_cpu_second": Column("req/CPU s", "{:,.0f}", _HIGHER),
    "largest_share": Column("of it the busiest worker", "{:.2f}"),
    "projected_requests_per_second": Column("req/s with a core each", "{:,.0f}", _HIGHER),
    "scrapes": Column("scrapes", "{:,.0f}"),
    "scrapes_per_second": Column("scrapes/s", "{:.1f}"),
    "scrape_cpu_ms": Column("CPU ms/scrape", "{:.1f}", _LOWER),
    "scrape_p50_ms": Column("scrape p50 ms", "{:.1f}", _LOWER),
    "p50_ms_unscraped": Column("p50 ms unscraped", "{:.2f}", _LOWER),
    "p99_ms_unscraped": Column("p99 ms unscraped", "{:.2f}", _LOWER),
    "read_kib_per_second": Column("read KiB/s each", "{:.0f}"),
    "written_kib_per_second": Column("written KiB/s each", "{:.0f}"),
    "rss_before_mib": Column("RSS before MiB", "{:.0f}", _LOWER),
    "peak_rss_mib": Column("peak RSS MiB", "{:.0f}", _LOWER),
    "rss_growth_mib": Column("RSS growth MiB", "{:.1f}", _LOWER),
    "first_byte_ms": Column("first byte ms", "{:.2f}", _LOWER),
    "seconds": Column("s", "{:.2f}", _LOWER),
    "store_requests": Column("store requests", "{:,.0f}", _LOWER),
    "store_mb": Column("store MB", "{:,.1f}", _LOWER),
    "store_ratio": Column("x bytes at the store", "{:.3f}", _LOWER),
    "clients": Column("clients", "{:,.0f}"),
    "connections": Column("connections", "{:,.0f}"),
    "md5_ratio": Column("x MD5", "{:.2f}", _HIGHER),
    "device_ratio": Column("x the device's fsyncs", "{:.2f}", _HIGHER),
    "server_cores": Column("server cores", "{:.2f}"),
    "load_cores": Column("load cores", "{:.2f}"),
    "store_cores": Column("store cores", "{:.2f}"),
    "other_cores": Column("other cores", "{:.2f}"),
}
_DECIDING: Final = ("requests_per_second", "mb_per_second", "seconds", "page_p50_ms")
"""What a target is better or worse by, the first of these that it has."""


def column(metric: str) -> Column:
    """How to show a metric; one that is not known here is shown by its own name."""
    return _COLUMNS.get(metric) or Column(metric.replace("_", " "), "{:,.3g}")


def in_order(metrics: Iterable[str]) -> list[str]:
    """The metrics, each once, in the order in which tables show them; unknown ones come last."""
    places = {name: place for place, name in enumerate(_COLUMNS)}
    return sorted(dict.fromkeys(metrics), key=lambda name: places.get(name, len(places)))


def deciding(metrics: Metrics) -> str:
    """The metric by which a target is compared with others: of those that decide, or else the first that is there."""
    return next((name for name in _DECIDING if name in metrics), None) or in_order(metrics)[0]


def times_as_good(metric: str, ours: float | None, theirs: float | None) -> float | None:
    """How many times as good as ``theirs`` a figure is: above 1 is better, whichever way the metric goes.

    None where one is missing, or nothing can be said because it is 0.
    """
    if not ours or not theirs:
        return None
    return theirs / ours if column(metric).better is Better.LOWER else ours / theirs
