"""The figures of a run that its goals are about: ratios between targets, in the worst of the cases that they cover.

Where the load generator was the limit the rates say only what is possible at least; then what a request costs the
server in CPU is compared instead, and the finding says so.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from bench.columns import deciding, times_as_good
from bench.content import GIB, KIB, MIB
from bench.samples import Summary, found, value

Summaries = Sequence[Summary]
Names = Sequence[str]
_UNITS: Final = {"KiB": KIB, "MiB": MIB, "GiB": GIB}
_SIZE: Final = re.compile(r"(\d+)(KiB|MiB|GiB)")
_BY_CPU: Final = "by CPU: load limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A figure, and where it comes from when that does not go without saying."""

    number: float
    note: str = ""


Figure = Callable[[Summaries], Finding | None]
"""None where the run did not measure it."""
CaseFigure = Callable[[Summaries, str], Finding | None]
"""The same of one case."""


def plain(case: str, target: str, metric: str) -> Figure:
    """A metric as it was measured."""
    return lambda summaries: _finding(value(summaries, case, target, metric))


def against(case: str, over: str, *under: str, metric: str | None = None) -> Figure:
    """How many times as good as the best of ``under`` a target is, by a metric or by what decides."""
    return lambda summaries: _against(summaries, case, over, under, metric)


def share_of(case: str, over: str, *under: str, metric: str) -> Figure:
    """A metric of a target over the smallest of the others': for what should be little."""
    return lambda summaries: _share(summaries, case, over, under, metric)


def worst_against(cases: "Cases", over: str, *under: str, metric: str | None = None) -> Figure:
    """``against`` in the case where it is least."""
    return _least(cases, lambda summaries, case: _against(summaries, case, over, under, metric))


def worst_share_of(cases: "Cases", over: str, *under: str, metric: str) -> Figure:
    """``share_of`` in the case where it is largest."""
    return _most(cases, lambda summaries, case: _share(summaries, case, over, under, metric))


def later(case: str, over: str, under: str, metric: str) -> Figure:
    """How much larger a metric of one target is than another's, in its own unit."""

    def figure(summaries: Summaries) -> Finding | None:
        ours, theirs = (value(summaries, case, target, metric) for target in (over, under))
        return None if ours is None or theirs is None else Finding(number=ours - theirs)

    return figure


def requests_per_core(case: str, target: str) -> Figure:
    """Requests each second of a server on one core; each CPU second where the load was the limit."""

    def figure(summaries: Summaries) -> Finding | None:
        summary = found(summaries, case, target)
        if summary is not None and summary.load_limited:
            return _per_cpu_second(summary)
        return _finding(value(summaries, case, target, "requests_per_second"))

    return figure


def requests_per_cpu_second(case: str, target: str) -> Figure:
    """Requests for each second that the server computed, however long it waited."""

    def figure(summaries: Summaries) -> Finding | None:
        summary = found(summaries, case, target)
        return None if summary is None else _per_cpu_second(summary)

    return figure


def provided(case: str, target: str, metric: str, number: float, figure: Figure) -> Figure:
    """A figure that counts only where a metric has that very value, as one of a listing of so many keys."""

    def checked(summaries: Summaries) -> Finding | None:
        return figure(summaries) if value(summaries, case, target, metric) == number else None

    return checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Which cases a goal covers; of those it is the worst that counts."""

    names: Sequence[str]
    """Patterns such as ``get-*``."""
    at_least: int = 0
    """Bytes of a request, as the name of the case says."""
    connections: int | None = None
    """Only cases with so many."""

    def among(self, summaries: Summaries) -> list[str]:
        """Their names, in the order in which they ran."""
        return list(dict.fromkeys(each.case for each in summaries if self._covers(each)))

    def _covers(self, summary: Summary) -> bool:
        return (
            any(fnmatchcase(summary.case, name) for name in self.names)
            and size_in(summary.case) >= self.at_least
            and self.connections in {None, summary.medians.get("connections")}
        )


def size_in(case: str) -> int:
    """The bytes that the name of a case says, ``get-64KiB`` -> 65536; 0 where it says none."""
    named = _SIZE.search(case)
    return int(named[1]) * _UNITS[named[2]] if named else 0


def _least(cases: Cases, figure: CaseFigure) -> Figure:
    return lambda summaries: min(_named(cases, figure, summaries), key=lambda each: each.number, default=None)


def _most(cases: Cases, figure: CaseFigure) -> Figure:
    return lambda summaries: max(_named(cases, figure, summaries), key=lambda each: each.number, default=None)


def _named(cases: Cases, figure: CaseFigure, summaries: Summaries) -> Iterable[Finding]:
    for case in cases.among(summaries):
        finding = figure(summaries, case)
        if finding is not None:
            yield replace(finding, note=", ".join(filter(None, [case, finding.note])))


def _against(summaries: Summaries, case: str, over: str, under: Names, metric: str | None) -> Finding | None:
    ours = found(summaries, case, over)
    others = [summary for name in under if (summary := found(summaries, case, name))]
    if ours is None:
        return None
    ratios = [finding for each in others if (finding := _times(ours, each, metric))]
    return min(ratios, key=lambda each: each.number, default=None)


def _times(ours: Summary, theirs: Summary, metric: str | None) -> Finding | None:
    note = ""
    by_cpu = "cpu_us_per_request"
    is_limited = ours.load_limited or theirs.load_limited
    if metric is None and is_limited and by_cpu in ours.medians and by_cpu in theirs.medians:
        metric, note = by_cpu, _BY_CPU
    metric = metric or deciding(ours.medians)
    ratio = times_as_good(metric, ours.medians.get(metric), theirs.medians.get(metric))
    return None if ratio is None else Finding(number=ratio, note=note)


def _share(summaries: Summaries, case: str, over: str, under: Names, metric: str) -> Finding | None:
    ours = value(summaries, case, over, metric)
    theirs = min((each for name in under if (each := value(summaries, case, name, metric))), default=None)
    return None if ours is None or theirs is None else Finding(number=ours / theirs)


def _per_cpu_second(summary: Summary) -> Finding | None:
    cost = summary.medians.get("cpu_us_per_request")
    return Finding(number=1e6 / cost, note="each CPU second") if cost else None


def _finding(number: float | None) -> Finding | None:
    return None if number is None else Finding(number=number)
