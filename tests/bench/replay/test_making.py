"""Traces that are made up."""

from itertools import islice, pairwise

import pytest

from bench.replay.making import KINDS, queries


@pytest.mark.parametrize("kind", KINDS)
def test_trace_is_the_same_every_time_goes_on_in_time_and_stays_within_objects(kind: str) -> None:
    reads = list(islice(KINDS[kind](), 2000))
    assert reads == list(islice(KINDS[kind](), 2000))
    assert all(before.at < after.at for before, after in pairwise(reads))
    assert all(0 <= read.start < read.stop <= read.size for read in reads)
    sizes = {(read.key, read.size) for read in reads}
    assert len(sizes) == len({key for key, _ in sizes})


def test_queries_read_the_last_days_and_an_archive_only_once() -> None:
    asked = list(queries(120, 20))
    assert len(asked) == 122
    exports = [query for query in asked if query.files[0].startswith("archive/")]
    assert len({file for query in exports for file in query.files}) == sum(len(query.files) for query in exports)
    assert all(list(query.columns) == sorted(set(query.columns)) for query in asked)
