"""1, 4 and 16 pyarrow processes that scan the same table at once: two to three columns each, and three years of seven.

Each has one of a few choices of columns, so that some is asked for by several, and some not.
"""

from bench.cases import Case
from bench.readers.cases import Work, cases_of
from bench.readers.tpch import SCANS, tpch_names
from bench.workloads.tpch import PREFIX, make_tables

_CLIENTS = (1, 4, 16)


def cases() -> list[Case]:
    """One set of cases for each number of processes."""
    return [case for clients in _CLIENTS for case in cases_of(_work(clients))]


def _work(clients: int) -> Work:
    return Work(
        workload="scan",
        name=f"scan-{clients}",
        reader="pyarrow",
        task="scan",
        parts=[client % len(SCANS) for client in range(clients)],
        prefix=PREFIX,
        names=tpch_names(),
        make=make_tables,
    )
