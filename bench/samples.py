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
    spreads: Metrics = field(default_factory=dict)
    """(largest - smallest) / median, as a fraction."""
    load_limited: bool = False
    """Whether the load generator was the limit in any turn."""


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
    columns = {name: [sample.metrics[name] for sample in group] for name in first.metrics}
    return Summary(
        workload=first.workload,
        case=first.case,
        target=first.target,
        turns=len(group),
        medians={name: median(values) for name, values in columns.items()},
        spreads={name: _spread(values) for name, values in columns.items()},
        load_limited=any(sample.load_limited for sample in group),
    )


def _spread(values: list[float]) -> float:
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def value(summaries: Iterable[Summary], case: str, target: str, metric: str) -> float | None:
    """The median of a metric, or None where it was not measured."""
    for each in summaries:
        if (each.case, each.target) == (case, target):
            return each.medians.get(metric)
    return None


def best(summaries: Sequence[Summary], case: str, targets: Iterable[str], metric: str) -> float | None:
    """The largest median of a metric among ``targets``, or None where none has it."""
    return max((each for target in targets if (each := value(summaries, case, target, metric))), default=None)


def ratio(over: float | None, under: float | None) -> float | None:
    """``over / under``, or None where one is missing or nothing."""
    return over / under if over is not None and under else None
