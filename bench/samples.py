"""Figures: one sample of a case and a target, and what several of them say together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

Metrics = dict[str, float]
"""Name -> value; the unit is the end of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one turn of one target gave."""

    workload: str
    case: str
    target: str
    turn: int
    metrics: Metrics
    load_limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a turn gave nothing."""

    case: str
    target: str
    turn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All turns of one case and target."""

    workload: str
    case: str
    target: str
    turns: int
    medians: Metrics
    smallest: Metrics = field(default_factory=dict)
    largest: Metrics = field(default_factory=dict)
    load_limited: bool = False
    """Whether the load generator was the limit in any turn."""

    def spread(self, metric: str) -> float:
        """(largest - smallest) / median, as a fraction."""
        middle = self.medians[metric]
        return (self.largest[metric] - self.smallest[metric]) / middle if middle else 0.0


def percentile(ascending: Sequence[float], fraction: float) -> float:
    """The smallest value that at least ``fraction`` (0 < fraction <= 1) of all values do not exceed: the nearest rank.

    Raises:
        ValueError: there are no values.
    """
    if not ascending:
        raise ValueError("no values")
    rank = -int(-fraction * len(ascending) // 1)
    return ascending[max(rank, 1) - 1]


def summarise(samples: Iterable[Sample]) -> list[Summary]:
    """One summary for each case and target, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.case, sample.target), []).append(sample)
    return [_summary(group) for group in groups.values()]


def _summary(group: list[Sample]) -> Summary:
    first = group[0]
    names = dict.fromkeys(name for sample in group for name in sample.metrics)
    columns = {name: [sample.metrics[name] for sample in group if name in sample.metrics] for name in names}
    return Summary(
        workload=first.workload,
        case=first.case,
        target=first.target,
        turns=len(group),
        medians={name: median(values) for name, values in columns.items()},
        smallest={name: min(values) for name, values in columns.items()},
        largest={name: max(values) for name, values in columns.items()},
        load_limited=any(sample.load_limited for sample in group),
    )


def found(summaries: Iterable[Summary], case: str, target: str) -> Summary | None:
    """The summary of a case and target, or None where it was not measured."""
    return next((each for each in summaries if (each.case, each.target) == (case, target)), None)


def value(summaries: Iterable[Summary], case: str, target: str, metric: str) -> float | None:
    """The median of a metric, or None where it was not measured."""
    summary = found(summaries, case, target)
    return None if summary is None else summary.medians.get(metric)


def best(summaries: Sequence[Summary], case: str, targets: Iterable[str], metric: str) -> float | None:
    """The largest median of a metric among ``targets``, or None where none has it."""
    return max((each for target in targets if (each := value(summaries, case, target, metric))), default=None)


def ratio(over: float | None, under: float | None) -> float | None:
    """``over / under``, or None where one is missing or nothing."""
    return over / under if over is not None and under else None
