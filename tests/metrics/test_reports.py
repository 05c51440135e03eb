import os
from collections.abc import Iterator

import pytest

from s3proxy.metrics.reports import REPORT_BYTES, ReportBoard


@pytest.fixture
def board() -> Iterator[ReportBoard]:
    made = ReportBoard.create(2)
    yield made
    made.close()


def attach(board: ReportBoard, process: int) -> ReportBoard:
    return ReportBoard.attach(os.dup(board.fd), process)


def test_report_replaces_the_one_before(board: ReportBoard) -> None:
    board.publish(b"a long first report")
    board.publish(b"second")
    assert board.read_all() == [b"second"]


def test_everybody_reads_the_reports_of_all_processes(board: ReportBoard) -> None:
    workers = [attach(board, 0), attach(board, 1)]
    for number, worker in enumerate(workers):
        worker.publish(b"of %d" % number)
    assert [each.read_all() for each in (*workers, board)] == [[b"of 0", b"of 1"]] * 3
    for worker in workers:
        worker.close()


def test_report_stays_when_its_process_has_ended_until_the_next_one_publishes(board: ReportBoard) -> None:
    first = attach(board, 0)
    first.publish(b"last words")
    first.close()
    second = attach(board, 0)
    assert second.read_own() == b"last words"
    second.publish(b"new")
    second.close()
    assert board.read_all() == [b"new"]


def test_report_that_is_half_written_is_not_read(board: ReportBoard) -> None:
    board.publish(b"whole")
    os.pwrite(board.fd, b"torn", 2 * 65536 + 8)
    assert board.read_all() == []


@pytest.mark.parametrize("length", [0, 1, REPORT_BYTES])
def test_report_of_any_length_up_to_the_limit_is_read_as_it_was(board: ReportBoard, length: int) -> None:
    board.publish(b"x" * length)
    assert board.read_own() == b"x" * length


def test_report_beyond_the_limit_is_refused_and_leaves_the_one_before(board: ReportBoard) -> None:
    board.publish(b"before")
    with pytest.raises(ValueError, match="report of"):
        board.publish(b"x" * (REPORT_BYTES + 1))
    assert board.read_all() == [b"before"]


@pytest.mark.parametrize("process", [-1, 3])
def test_process_beyond_those_there_are_is_refused(board: ReportBoard, process: int) -> None:
    fd = os.dup(board.fd)
    with pytest.raises(ValueError, match="process"):
        ReportBoard.attach(fd, process)
    os.close(fd)


def test_private_board_takes_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    board = ReportBoard.private()
    board.publish(b"here")
    assert board.read_all() == [b"here"]
    assert os.listdir("/proc/self/fd") == before
    board.close()
