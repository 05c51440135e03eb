"""What the project claims of its speed, as conditions on the medians of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.catalogue import CACHE_PEERS, NGINX_SLICES, NGINXES, S3_PEERS
from bench.content import MIB
from bench.figures import (
    Cases,
    Figure,
    Finding,
    Summaries,
    against,
    later,
    plain,
    provided,
    requests_per_core,
    requests_per_cpu_second,
    worst_against,
    worst_share_of,
)
from bench.report import aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One claim: a figure of the run, and the bound that it must keep."""

    claim: str
    figure: Figure
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, number: float) -> bool:
        """Whether the figure keeps the bound."""
        return (self.at_least is None or number >= self.at_least) and (self.at_most is None or number <= self.at_most)


def goals_table(summaries: Summaries) -> str:
    """Every goal with its figure and verdict; ``not measured`` where a case or a target did not run."""
    rows = [_row(goal, goal.figure(summaries)) for goal in GOALS]
    return aligned([["goal", "verdict", "figure", "bound", "where"], *rows])


def _row(goal: Goal, finding: Finding | None) -> list[str]:
    bound = f">= {_shown(goal.at_least)}" if goal.at_least is not None else f"<= {_shown(goal.at_most or 0)}"
    if finding is None:
        return [goal.claim, "not measured", "-", bound, ""]
    verdict = "holds" if goal.holds(finding.number) else "MISSED"
    return [goal.claim, verdict, _shown(finding.number), bound, finding.note]


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


_GET_LARGE: Final = Cases(names=("get-*",), at_least=MIB)
_WARM_LARGE: Final = Cases(names=("warm-*",), at_least=MIB)
_COLD: Final = Cases(names=("cold-*",))
_PARQUET: Final = ("tpch", "scan")
_PARQUET_WARM, _PARQUET_COLD, _PARQUET_LOCAL = (
    Cases(names=[f"{workload}-*{ending}" for workload in _PARQUET]) for ending in ("-5ms-warm", "-5ms-cold", "-local-*")
)
"""Scans over a link with 5 ms, through a full and an empty cache, and of a store beside it."""

_RATE: Final = "requests_per_second"
_CPU: Final = "cpu_seconds_per_gib"


def _doubled(size: str) -> Figure:
    """What two workers let through with a core each, over what one does."""
    return against(f"scaling-{size}", "s3proxy-2w", "s3proxy", metric="projected_requests_per_second")


def _of_list(keys: int, metric: str) -> Figure:
    """A figure of the listing, if it was one of so many keys (``--keys``)."""
    return provided("list", "s3proxy", "walk_keys", keys, plain("list", "s3proxy", metric))


_SIDE_BY_SIDE: Final = (
    Goal(
        claim="GET of 1 MiB and more, x the faster nginx",
        figure=worst_against(_GET_LARGE, "s3proxy", *NGINXES),
        at_least=1.5,
    ),
    Goal(
        claim="GET of 1 MiB and more, x the best S3 server",
        figure=worst_against(_GET_LARGE, "s3proxy-signed", *S3_PEERS),
        at_least=1,
    ),
    Goal(
        claim="GET of 1 MiB and more, x nginx's CPU per GiB",
        figure=worst_share_of(_GET_LARGE, "s3proxy", *NGINXES, metric=_CPU),
        at_most=0.7,
    ),
    Goal(
        claim="GET of 1 MiB and more through the cache, warm, x nginx slice",
        figure=worst_against(_WARM_LARGE, "s3proxy-cache", *NGINX_SLICES),
        at_least=1.5,
    ),
    Goal(
        claim="the same, x nginx's CPU per GiB",
        figure=worst_share_of(_WARM_LARGE, "s3proxy-cache", *NGINX_SLICES, metric=_CPU),
        at_most=0.7,
    ),
    Goal(claim="GET 64 KiB, req/s of a core", figure=requests_per_core("get-64KiB", "s3proxy"), at_least=10_000),
    Goal(
        claim="GET 64 KiB signed, req/s of a core",
        figure=requests_per_core("get-64KiB", "s3proxy-signed"),
        at_least=8_000,
    ),
    Goal(
        claim="GET 64 KiB through the cache, warm, req/s of a core",
        figure=requests_per_core("warm-64KiB", "s3proxy-cache"),
        at_least=10_000,
    ),
    Goal(
        claim="GET 4 KiB, x the faster nginx",
        figure=against("get-4KiB", "s3proxy", *NGINXES, metric=_RATE),
        at_least=0.15,
    ),
    Goal(
        claim="GET 4 KiB through the cache, warm, x nginx slice",
        figure=against("warm-4KiB", "s3proxy-cache", *NGINX_SLICES, metric=_RATE),
        at_least=0.15,
    ),
    Goal(
        claim="GET 64 KiB at 64 connections, x nginx's p99",
        figure=worst_share_of(Cases(names=("get-64KiB",), connections=64), "s3proxy", *NGINXES, metric="p99_ms"),
        at_most=2,
    ),
    Goal(
        claim="GET 64 KiB at 64 connections through the cache, warm, x nginx's p99",
        figure=worst_share_of(
            Cases(names=("warm-64KiB",), connections=64), "s3proxy-cache", *NGINX_SLICES, metric="p99_ms"
        ),
        at_most=2,
    ),
    Goal(claim="cold GET, x direct", figure=worst_against(_COLD, "s3proxy-cache", "direct"), at_least=0.95),
    Goal(
        claim="cold GET, x the best of nginx slice, Varnish and ATS",
        figure=worst_against(_COLD, "s3proxy-cache", *CACHE_PEERS),
        at_least=1,
    ),
    Goal(claim="PUT 64 MiB, x MinIO", figure=against("put-64MiB", "s3proxy-signed", "minio"), at_least=1),
    Goal(claim="PUT 64 MiB, x RGW", figure=against("put-64MiB", "s3proxy-signed", "ceph-rgw"), at_least=1),
    Goal(
        claim="PUT 4 KiB without fsync, requests each CPU second",
        figure=requests_per_cpu_second("put-4KiB", "s3proxy-nofsync"),
        at_least=1_500,
    ),
    Goal(
        claim="PUT 4 KiB with fsync, x what the device syncs",
        figure=plain("put-4KiB", "s3proxy", "device_ratio"),
        at_least=1 / 1.2,
    ),
    Goal(
        claim="Parquet over a link of 5 ms, warm, x direct",
        figure=worst_against(_PARQUET_WARM, "s3proxy-cache", "direct", metric="seconds"),
        at_least=1.5,
    ),
    Goal(
        claim="Parquet over a link of 5 ms, cold, x direct",
        figure=worst_against(_PARQUET_COLD, "s3proxy-cache", "direct", metric="seconds"),
        at_least=0.95,
    ),
    Goal(
        claim="Parquet from a local store, x direct",
        figure=worst_against(_PARQUET_LOCAL, "s3proxy-cache", "direct", metric="seconds"),
        at_least=1 / 1.1,
    ),
    Goal(
        claim="list 1,000 of 1,000,000 keys, x the best S3 server",
        figure=provided(
            "list",
            "s3proxy-signed",
            "walk_keys",
            1_000_000,
            against("list", "s3proxy-signed", *S3_PEERS, metric="page_p50_ms"),
        ),
        at_least=1,
    ),
)
"""Beside what a user would take instead. Servers that check signatures are compared with ours when it does."""

_SERVER: Final = (
    Goal(claim="GET 1 MiB, x nginx", figure=against("get-1MiB", "s3proxy", "nginx", metric=_RATE), at_least=1.2),
    Goal(claim="GET 64 MiB, x nginx", figure=against("get-64MiB", "s3proxy", "nginx", metric=_RATE), at_least=1.2),
    Goal(
        claim="GET 4 KiB, signed x open",
        figure=against("get-4KiB", "s3proxy-signed", "s3proxy", metric=_RATE),
        at_least=0.75,
    ),
    Goal(
        claim="GET 64 KiB, signed x open",
        figure=against("get-64KiB", "s3proxy-signed", "s3proxy", metric=_RATE),
        at_least=0.75,
    ),
    Goal(claim="PUT 64 MiB with fsync, x MD5", figure=plain("put-64MiB", "s3proxy", "md5_ratio"), at_least=0.5),
    Goal(claim="page of 100,000 keys, median ms", figure=_of_list(100_000, "page_p50_ms"), at_most=50),
    Goal(claim="walk over 1,000,000 keys, s", figure=_of_list(1_000_000, "walk_seconds"), at_most=60),
    Goal(claim="RSS growth in that walk, MiB", figure=_of_list(1_000_000, "rss_growth_mib"), at_most=64),
    Goal(claim="RSS growth, 700 slow clients, MiB", figure=plain("memory", "s3proxy", "rss_growth_mib"), at_most=64),
    Goal(claim="GET 4 KiB, 2 workers x one", figure=_doubled("4KiB"), at_least=1.6),
    Goal(claim="GET 64 KiB, 2 workers x one", figure=_doubled("64KiB"), at_least=1.6),
    Goal(claim="scrape of /metrics, CPU ms", figure=plain("scrape", "s3proxy-cache-2w", "scrape_cpu_ms"), at_most=20),
)

_CACHE: Final = (
    Goal(
        claim="cold first byte over a link, ms later",
        figure=later("cold-1GiB-shaped", "s3proxy-cache", "direct", "first_byte_ms"),
        at_most=2,
    ),
    Goal(
        claim="cold 1 GiB over a link, x direct",
        figure=against("cold-1GiB-shaped", "s3proxy-cache", "direct"),
        at_least=0.95,
    ),
    Goal(claim="cold 1 GiB, x direct", figure=against("cold-1GiB", "s3proxy-cache", "direct"), at_least=0.6),
    Goal(claim="warm 64 KiB, p99 ms", figure=plain("warm-64KiB", "s3proxy-cache", "p99_ms"), at_most=5),
    Goal(claim="warm 64 KiB, store requests", figure=plain("warm-64KiB", "s3proxy-cache", "store_requests"), at_most=0),
    Goal(claim="herd, x bytes at the store", figure=plain("herd", "s3proxy-cache-2w", "store_ratio"), at_most=1.01),
    Goal(
        claim="random 8 KiB, x bytes at the store",
        figure=plain("random-8KiB", "s3proxy-cache", "store_ratio"),
        at_most=16,
    ),
    Goal(
        claim="Parquet scan, x bytes of direct",
        figure=worst_share_of(Cases(names=("parquet-*",)), "s3proxy-cache", "direct", metric="store_mb"),
        at_most=1.3,
    ),
)

GOALS: Final[Sequence[Goal]] = (*_SIDE_BY_SIDE, *_SERVER, *_CACHE)
