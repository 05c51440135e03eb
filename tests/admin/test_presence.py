from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.admin.presence import BlockFile, Located, Run, fetch_spans, locate
from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion

UNIT = 4096
GEOMETRY = Geometry(block_size=4 * UNIT, unit_size=UNIT)


class FakeFile:
    def __init__(self, tier: "FakeTier", gaps: list[Run]) -> None:
        self._tier = tier
        self._gaps = gaps
        tier.open_files += 1

    def missing(self, start: int, stop: int) -> list[Run]:
        return self._gaps

    def release(self) -> None:
        self._tier.open_files -= 1


class FakeTier:
    """Has these units of an object."""

    def __init__(self, name: str, units: set[int]) -> None:
        self.name = name
        self.open_files = 0
        self._units = units

    def find(self, block: BlockId) -> BlockFile | None:
        first = block.index * 4
        units = range(first, first + GEOMETRY.unit_count(block.length))
        if not self._units & set(units):
            return None
        gaps = [
            ((unit - first) * UNIT, min((unit - first + 1) * UNIT, block.length))
            for unit in units
            if unit not in self._units
        ]
        return FakeFile(self, gaps)


def version(size: int) -> ObjectVersion:
    return ObjectVersion(store="s", bucket="b", key="k", token="t", size=size)


def test_locate_of_nothing_cached_misses_all_in_one_run() -> None:
    found = locate(version(10 * UNIT + 1), GEOMETRY, [FakeTier("memory", set())])
    assert found == Located(cached={"memory": 0}, missing=[(0, 10 * UNIT + 1)])


def test_locate_counts_each_tier_and_misses_only_what_is_in_none() -> None:
    tiers = [FakeTier("memory", {0, 1}), FakeTier("disk", {1, 2, 5})]
    found = locate(version(6 * UNIT), GEOMETRY, tiers)
    assert found == Located(cached={"memory": 2 * UNIT, "disk": 3 * UNIT}, missing=[(3 * UNIT, 5 * UNIT)])
    assert [tier.open_files for tier in tiers] == [0, 0]


def test_locate_of_an_empty_object_misses_nothing() -> None:
    assert locate(version(0), GEOMETRY, [FakeTier("memory", set())]) == Located(cached={"memory": 0}, missing=[])


@settings(max_examples=50)
@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)), st.integers(1, 20 * UNIT))
def test_locate_agrees_with_sets_of_units(one: set[int], other: set[int], size: int) -> None:
    found = locate(version(size), GEOMETRY, [FakeTier("one", one), FakeTier("other", other)])
    missed = {offset for start, stop in found.missing for offset in range(start, stop, UNIT)}
    assert {offset // UNIT for offset in missed} == set(range(GEOMETRY.unit_count(size))) - one - other
    assert all(before[1] < after[0] for before, after in zip(found.missing, found.missing[1:], strict=False))


def test_fetch_spans_are_cut_at_blocks() -> None:
    spans = fetch_spans([(5, 35), (100, 101)], 10, 20)
    assert [(span.start, span.stop) for span in spans] == [(5, 20), (20, 35), (100, 101)]


@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(1, 50), st.integers(1, 200))
def test_fetch_spans_cover_the_run_exactly(start: int, length: int, block_size: int, max_bytes: int) -> None:
    spans = fetch_spans([(start, start + length)], block_size, max_bytes)
    assert [span.start for span in spans] == [start, *(span.stop for span in spans[:-1])]
    assert spans[-1].stop == start + length
    assert all(0 < span.length <= max(max_bytes, block_size) for span in spans)
    assert all(span.stop % block_size == 0 for span in spans[:-1])
