from contextlib import closing

from s3proxy.admin.reload_progress import Progress, ProgressTeller, progress_on
from s3proxy.metrics.reports import ReportBoard


def test_progress_is_nothing_before_the_first_reload() -> None:
    assert progress_on(ReportBoard.private()) == Progress(begun=0, ended=0, processes=0, replaced=0, refusal="")


def test_progress_is_told_step_by_step() -> None:
    with closing(ReportBoard.create(0)) as board:
        teller = ProgressTeller(board=board)
        teller.begin(3)
        assert progress_on(board) == Progress(begun=1, processes=3)
        teller.count_replaced()
        assert progress_on(board) == Progress(begun=1, processes=3, replaced=1)
        teller.end("worker 1 died")
        assert progress_on(board) == Progress(begun=1, ended=1, processes=3, replaced=1, refusal="worker 1 died")
        teller.begin(3)
        assert progress_on(board) == Progress(begun=2, ended=1, processes=3)
        teller.end("")
        assert progress_on(board) == Progress(begun=2, ended=2, processes=3)


def test_refusal_of_any_length_is_told() -> None:
    with closing(ReportBoard.create(0)) as board:
        teller = ProgressTeller(board=board)
        teller.begin(1)
        teller.end("\N{SNOWMAN}" * 1_000_000)
        assert progress_on(board).refusal.startswith("\N{SNOWMAN}")
