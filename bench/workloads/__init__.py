"""The workloads, one file for each kind of work; each has ``cases()``."""

from bench.cases import Case
from bench.workloads import get, listing, memory, put, ranges


def all_cases() -> list[Case]:
    """Every case, in the order in which they run."""
    return [case for workload in (get, ranges, put, listing, memory) for case in workload.cases()]
