"""The workloads, one file for each kind of work; each has ``cases()``."""

from bench.cases import Case
from bench.workloads import (
    amplification,
    cached_ranges,
    cold,
    downloads,
    get,
    herd,
    listing,
    memory,
    mixed,
    multipart,
    parquet,
    put,
    ranges,
    sampling,
    scaling,
    scans,
    tpch,
    warm,
)

_WORKLOADS = (
    *(get, ranges, put, multipart, mixed, listing, memory),
    *(cold, warm, cached_ranges, herd, amplification, parquet, scaling),
    *(tpch, scans, sampling, downloads),
)


def all_cases() -> list[Case]:
    """Every case, in the order in which they run."""
    return [case for workload in _WORKLOADS for case in workload.cases()]
