"""In what spans what is missing of an object is fetched."""

from collections.abc import Iterable
from itertools import pairwise

from s3proxy.cache.plan import Run
from s3proxy.s3.model import ByteRange


def fetch_spans(missing: Iterable[Run], block_size: int, max_bytes: int) -> list[ByteRange]:
    """Cut runs into spans of at most ``max_bytes``, or a block where that is more, at the borders of blocks."""
    step = max(max_bytes // block_size, 1) * block_size
    spans = []
    for start, stop in missing:
        borders = [start, *range((start // block_size) * block_size + step, stop, step), stop]
        spans += [ByteRange(here, there) for here, there in pairwise(borders)]
    return spans
