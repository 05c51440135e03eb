"""Putting pauses between the recorded queries."""

from bench.replay.making import BEGIN, PAUSE_SECONDS
from bench.replay.recording import spread
from bench.replay.trace import Read


def test_reads_of_each_query_keep_their_distances_and_come_a_pause_after_the_query_before() -> None:
    reads = [
        Read(at=at, bucket="b", key="k", etag="e", size=1, start=0, stop=1) for at in (100.25, 100.5, 101.5, 107.0)
    ]
    found = [read.at - BEGIN for read in spread(reads, [100.0, 101.0, 106.0])]
    assert found == [0.25, 0.5, PAUSE_SECONDS + 0.5, 2 * PAUSE_SECONDS + 1]
