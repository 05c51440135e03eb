"""What the project claims of its speed, as conditions on the medians of one run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.catalogue import NGINX_SLICES, NGINXES
from bench.report import aligned
from bench.samples import Summary, best, ratio, value

Summaries = Sequence[Summary]
Figure = Callable[[Summaries], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One claim: a figure of the run, and the bound that it must keep."""

    claim: str
    figure: Figure
    """None where the run did not measure it."""
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, figure: float) -> bool:
        """Whether the figure keeps the bound."""
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)


def goals_table(summaries: Summaries) -> str:
    """Every goal with its figure and verdict; ``not measured`` where a case or a target did not run."""
    return aligned([["goal", "verdict", "figure", "bound"], *(_row(goal, summaries) for goal in GOALS)])


def _row(goal: Goal, summaries: Summaries) -> list[str]:
    figure = goal.figure(summaries)
    bound = f">= {goal.at_least:g}" if goal.at_least is not None else f"<= {goal.at_most:g}"
    if figure is None:
        return [goal.claim, "not measured", "-", bound]
    return [goal.claim, "holds" if goal.holds(figure) else "MISSED", f"{figure:.3g}", bound]


def _against(case: str, over: str, *under: str, metric: str = "requests_per_second") -> Figure:
    """A metric of one target over that of the others' largest."""
    return lambda summaries: ratio(value(summaries, case, over, metric), best(summaries, case, under, metric))


def _cold(case: str, *under: str) -> Figure:
    return _against(case, "s3proxy-cache", *under, metric="mb_per_second")


def _later(case: str) -> Figure:
    """How much later than directly the first byte comes, in ms."""

    def figure(summaries: Summaries) -> float | None:
        ours, direct = (value(summaries, case, target, "first_byte_ms") for target in ("s3proxy-cache", "direct"))
        return None if ours is None or direct is None else ours - direct

    return figure


def _doubled(size: str) -> Figure:
    """What two workers let through with a core each, over what one does."""
    return _against(f"scaling-{size}", "s3proxy-2w", "s3proxy", metric="projected_requests_per_second")


def _plain(case: str, target: str, metric: str) -> Figure:
    return lambda summaries: value(summaries, case, target, metric)


def _of_list(keys: int, metric: str) -> Figure:
    """A figure of the listing, if it was one of so many keys (``--keys``)."""

    def figure(summaries: Summaries) -> float | None:
        listed = value(summaries, "list", "s3proxy", "walk_keys")
        return value(summaries, "list", "s3proxy", metric) if listed == keys else None

    return figure


GOALS = (
    Goal(claim="GET 1 MiB, x nginx", figure=_against("get-1MiB", "s3proxy", "nginx"), at_least=1.2),
    Goal(claim="GET 1 MiB, x the faster nginx", figure=_against("get-1MiB", "s3proxy", *NGINXES), at_least=1.2),
    Goal(claim="GET 64 MiB, x nginx", figure=_against("get-64MiB", "s3proxy", "nginx"), at_least=1.2),
    Goal(claim="GET 64 MiB, x the faster nginx", figure=_against("get-64MiB", "s3proxy", *NGINXES), at_least=1.2),
    Goal(claim="GET 4 KiB, x the faster nginx", figure=_against("get-4KiB", "s3proxy", *NGINXES), at_least=0.06),
    Goal(claim="GET 4 KiB, signed x open", figure=_against("get-4KiB", "s3proxy-signed", "s3proxy"), at_least=0.75),
    Goal(claim="GET 64 KiB, signed x open", figure=_against("get-64KiB", "s3proxy-signed", "s3proxy"), at_least=0.75),
    Goal(claim="PUT 64 MiB with fsync, x MD5", figure=_plain("put-64MiB", "s3proxy", "md5_ratio"), at_least=0.5),
    Goal(claim="page of 100,000 keys, median ms", figure=_of_list(100_000, "page_p50_ms"), at_most=50),
    Goal(claim="walk over 1,000,000 keys, s", figure=_of_list(1_000_000, "walk_seconds"), at_most=60),
    Goal(claim="RSS growth in that walk, MiB", figure=_of_list(1_000_000, "rss_growth_mib"), at_most=64),
    Goal(claim="RSS growth, 700 slow clients, MiB", figure=_plain("memory", "s3proxy", "rss_growth_mib"), at_most=64),
    Goal(claim="cold 1 GiB over a link, x direct", figure=_cold("cold-1GiB-shaped", "direct"), at_least=0.95),
    Goal(claim="cold first byte over a link, ms later", figure=_later("cold-1GiB-shaped"), at_most=2),
    Goal(claim="cold 1 GiB, x direct", figure=_cold("cold-1GiB", "direct"), at_least=0.6),
    Goal(claim="cold 1 GiB over a link, x nginx", figure=_cold("cold-1GiB-shaped", *NGINX_SLICES), at_least=1),
    Goal(claim="cold 1 GiB, x nginx", figure=_cold("cold-1GiB", *NGINX_SLICES), at_least=1),
    Goal(claim="warm 1 MiB, x nginx", figure=_against("warm-1MiB", "s3proxy-cache", *NGINX_SLICES), at_least=1.2),
    Goal(claim="warm 64 KiB, p99 ms", figure=_plain("warm-64KiB", "s3proxy-cache", "p99_ms"), at_most=5),
    Goal(
        claim="warm 64 KiB, store requests", figure=_plain("warm-64KiB", "s3proxy-cache", "store_requests"), at_most=0
    ),
    Goal(claim="herd, x bytes at the store", figure=_plain("herd", "s3proxy-cache-2w", "store_ratio"), at_most=1.01),
    Goal(
        claim="random 8 KiB, x bytes at the store",
        figure=_plain("random-8KiB", "s3proxy-cache", "store_ratio"),
        at_most=16,
    ),
    Goal(
        claim="Parquet scan, x bytes of direct",
        figure=_against("parquet-3-of-30", "s3proxy-cache", "direct", metric="store_mb"),
        at_most=1.3,
    ),
    Goal(claim="GET 4 KiB, 2 workers x one", figure=_doubled("4KiB"), at_least=1.6),
    Goal(claim="GET 64 KiB, 2 workers x one", figure=_doubled("64KiB"), at_least=1.6),
    Goal(claim="scrape of /metrics, CPU ms", figure=_plain("scrape", "s3proxy-cache-2w", "scrape_cpu_ms"), at_most=20),
)
