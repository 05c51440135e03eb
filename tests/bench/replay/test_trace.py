"""Reads from access logs."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import BenchError
from bench.replay.trace import Read, parse_line, read_trace, write_trace
from s3proxy.telemetry import Access, AccessLog, Detail

LINE = {
    "time": "2026-01-01T00:00:10.000+00:00", "operation": "GetObject", "bucket": "b", "key": "k/é", "status": 206,
    "size": 100, "start": 10, "length": 20, "etag": "e", "seconds": 2.5, "sent_bytes": 20, "is_complete": True,
}  # fmt: skip


def line(**changes: object) -> str:
    return json.dumps(LINE | changes)


def test_line_is_a_read_that_began_before_it_was_logged() -> None:
    expected = Read(at=1767225607.5, bucket="b", key="k/é", etag="e", size=100, start=10, stop=30)
    assert parse_line(line()) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "HeadObject"},
        {"operation": None},
        {"status": 304},
        {"status": 416},
        {"etag": None},
        {"size": None, "start": None, "length": None},
        {"length": 0},
        {"is_complete": False, "sent_bytes": 0},
    ],
)
def test_line_of_anything_else_is_passed_over(changes: dict[str, object]) -> None:
    assert parse_line(line(**changes)) is None


def test_read_that_broke_off_ends_where_it_did() -> None:
    read = parse_line(line(is_complete=False, sent_bytes=7))
    assert read is not None
    assert (read.start, read.stop) == (10, 17)


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T00:00:00Z peer - GetObject GET /b/k 200\n", line(length=91), line(start=-1), line(size="1"),
     line(time=5), line(seconds="1"), "[]", "{}"],
)  # fmt: skip
def test_log_that_is_none_is_refused_with_file_and_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(f"{line()}\n{text}\n")
    with pytest.raises(BenchError, match=r"access\.log: line 2 is none"):
        read_trace([path])


def test_log_without_a_read_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(BenchError, match="no read"):
        read_trace([tmp_path / "empty"])
    with pytest.raises(BenchError, match="nowhere"):
        read_trace([tmp_path / "nowhere"])


def test_compressed_log_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    write_trace(path, [read for read in [parse_line(line())] * 50 if read])
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(BenchError, match="cut"):
        read_trace([path])


def test_logs_of_several_workers_are_put_in_order(tmp_path: Path) -> None:
    for number, seconds in enumerate((1, 9, 5)):
        (tmp_path / str(number)).write_text(line(seconds=seconds) + "\n")
    reads = read_trace([tmp_path / str(number) for number in range(3)])
    assert [read.at for read in reads] == [1767225601.0, 1767225605.0, 1767225609.0]


READS = st.builds(
    lambda at, key, start, length, rest: Read(
        at=1e9 + at / 1000, bucket="b", key=key, etag="e", size=start + length + rest, start=start, stop=start + length
    ),
    st.integers(0, 10**9), st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 1 << 40),
    st.integers(1, 1 << 40), st.integers(0, 3),
)  # fmt: skip


@given(reads=st.lists(READS, min_size=1, max_size=5))
def test_written_trace_reads_as_it_was(reads: list[Read], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.gz"
    assert write_trace(path, reads) == len(reads)
    assert read_trace([path]) == sorted(reads, key=lambda read: read.at)


def test_line_that_the_server_writes_is_understood(tmp_path: Path) -> None:
    access = Access(
        peer="127.0.0.1", method=b"GET", target=b"/b/k", request_id="1", started=5.0, resource="/b/k",
        operation="GetObject",
    )  # fmt: skip
    with (tmp_path / "log").open("w") as file:
        log = AccessLog(file, is_json=True, clock=lambda: 6.0)
        log.write(access, 206, 20, is_complete=True, detail=lambda: Detail(etag="e", size=100, start=10, length=20))
        log.flush()
    (read,) = read_trace([tmp_path / "log"])
    assert (read.bucket, read.key, read.etag, read.size, read.start, read.stop) == ("b", "k", "e", 100, 10, 30)
