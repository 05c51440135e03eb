"""Two runs side by side: what became better, what became worse, and what is only noise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.columns import Better, column, deciding, in_order, times_as_good
from bench.report import aligned
from bench.results import Results
from bench.samples import Summary, found, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A metric of one case and target, before and after."""

    metric: str
    old: Summary
    new: Summary

    @property
    def times_as_good(self) -> float | None:
        """Above 1 is better; None where nothing can be said."""
        return times_as_good(self.metric, self.new.medians[self.metric], self.old.medians[self.metric])

    @property
    def is_beyond_spread(self) -> bool:
        """Whether every turn of one run was better than any of the other."""
        metric, old, new = self.metric, self.old, self.new
        return new.smallest[metric] > old.largest[metric] or new.largest[metric] < old.smallest[metric]

    @property
    def verdict(self) -> str:
        """``better`` or ``WORSE``; nothing where the runs overlap, or where neither way is better."""
        ratio = self.times_as_good
        if ratio is None or not self.is_beyond_spread or column(self.metric).better is Better.NEITHER:
            return ""
        return "better" if ratio > 1 else "WORSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All changes, and which cases and targets only the old run has."""

    changes: list[Change]
    lost: list[Summary]

    def regressions(self, least: float) -> list[str]:
        """What does less than ``least`` times as well as before, beyond the spread, or is not there any more.

        Of each case and target only the metric counts that it is compared by.
        """
        worse = [
            f"{each.new.case} {each.new.target}: {ratio:.2f} times as good as before"
            for each in self.changes
            if each.metric == deciding(each.new.medians)
            and each.is_beyond_spread
            and (ratio := each.times_as_good) is not None
            and ratio < least
        ]
        return worse + [f"{each.case} {each.target}: gave no figures" for each in self.lost]


def difference(old: Results, new: Results) -> Difference:
    """Compare what two runs have in common; what was not chosen for the new run at all is not lost."""
    before, after = summarise(old.samples), summarise(new.samples)
    tried = {(each.case, each.target) for each in new.samples} | {(each.case, each.target) for each in new.failures}
    return Difference(
        changes=[change for each in after for change in _changes(found(before, each.case, each.target), each)],
        lost=[each for each in before if (each.case, each.target) in tried and not _is_among(after, each)],
    )


def _changes(old: Summary | None, new: Summary) -> Iterable[Change]:
    common = [] if old is None else in_order(set(old.medians) & set(new.medians))
    return [Change(metric=metric, old=old, new=new) for metric in common if old is not None]


def _is_among(summaries: Sequence[Summary], summary: Summary) -> bool:
    return found(summaries, summary.case, summary.target) is not None


def difference_table(found_difference: Difference) -> str:
    """A row for each metric that says something: old, new, new over old, and whether that is more than noise."""
    rows = [["case", "target", "metric", "old", "new", "new / old", "beyond the spread"]]
    for each in found_difference.changes:
        shown = column(each.metric)
        if shown.better is not Better.NEITHER:
            old, new = each.old.medians[each.metric], each.new.medians[each.metric]
            over = f"{new / old:.2f}" if old else "-"
            rows.append(
                [each.new.case, each.new.target, shown.title, shown.show(old), shown.show(new), over, each.verdict]
            )
    lost = [f"{each.case} {each.target}: measured before, and failed now" for each in found_difference.lost]
    return "\n".join([aligned(rows), *lost])
