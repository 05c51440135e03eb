from hypothesis import given
from hypothesis import strategies as st

from s3proxy.admin.fetch_spans import fetch_spans


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
