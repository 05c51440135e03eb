"""What the project claims of its speed, as conditions on the medians of one run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report import aligned
from bench.samples import Summary, best, ratio, value
from bench.targets import BASELINES

Summaries = Sequence[Summary]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One claim: a figure of the run, and the bound that it must keep."""

    claim: str
    figure: Callable[[Summaries], float | None]
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


def _against(case: str, over: str, *under: str) -> Callable[[Summaries], float | None]:
    """Requests per second of one target over those of the fastest of others."""

    def figure(summaries: Summaries) -> float | None:
        rate = value(summaries, case, over, "requests_per_second")
        return ratio(rate, best(summaries, case, under, "requests_per_second"))

    return figure


def _plain(case: str, target: str, metric: str) -> Callable[[Summaries], float | None]:
    return lambda summaries: value(summaries, case, target, metric)


def _of_list(keys: int, metric: str) -> Callable[[Summaries], float | None]:
    """A figure of the listing, if it was one of so many keys (``--keys``)."""

    def figure(summaries: Summaries) -> float | None:
        listed = value(summaries, "list", "s3proxy", "walk_keys")
        return value(summaries, "list", "s3proxy", metric) if listed == keys else None

    return figure


GOALS = (
    Goal(claim="GET 1 MiB, x nginx", figure=_against("get-1MiB", "s3proxy", "nginx"), at_least=1.2),
    Goal(claim="GET 1 MiB, x the faster nginx", figure=_against("get-1MiB", "s3proxy", *BASELINES), at_least=1.2),
    Goal(claim="GET 64 MiB, x nginx", figure=_against("get-64MiB", "s3proxy", "nginx"), at_least=1.2),
    Goal(claim="GET 64 MiB, x the faster nginx", figure=_against("get-64MiB", "s3proxy", *BASELINES), at_least=1.2),
    Goal(claim="GET 4 KiB, x the faster nginx", figure=_against("get-4KiB", "s3proxy", *BASELINES), at_least=0.06),
    Goal(claim="GET 4 KiB, signed x open", figure=_against("get-4KiB", "s3proxy-signed", "s3proxy"), at_least=0.75),
    Goal(claim="GET 64 KiB, signed x open", figure=_against("get-64KiB", "s3proxy-signed", "s3proxy"), at_least=0.75),
    Goal(claim="PUT 64 MiB with fsync, x MD5", figure=_plain("put-64MiB", "s3proxy", "md5_ratio"), at_least=0.5),
    Goal(claim="page of 100,000 keys, median ms", figure=_of_list(100_000, "page_p50_ms"), at_most=50),
    Goal(claim="walk over 1,000,000 keys, s", figure=_of_list(1_000_000, "walk_seconds"), at_most=60),
    Goal(claim="RSS growth in that walk, MiB", figure=_of_list(1_000_000, "rss_growth_mib"), at_most=64),
    Goal(claim="RSS growth, 700 slow clients, MiB", figure=_plain("memory", "s3proxy", "rss_growth_mib"), at_most=64),
)
