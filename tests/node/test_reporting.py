"""What a worker tells the other processes of its node."""

import json
from types import SimpleNamespace

import pytest
import trio

from s3proxy import telemetry
from s3proxy.http1.messages import Request, Response
from s3proxy.http1.server import HttpServer
from s3proxy.metrics.activity import Activity, Failure
from s3proxy.metrics.meters import Gauge, Meters, Total
from s3proxy.metrics.reports import ReportBoard
from s3proxy.metrics.work import Work
from s3proxy.node.reporting import report_failures, report_work


class Worker:
    """A worker that does nothing but report."""

    def __init__(self, nursery: trio.Nursery) -> None:
        async def refuse(_: Request) -> Response:
            raise AssertionError("nobody asks")

        self.meters = Meters.private()
        self.board = ReportBoard.private()
        self.work = Work(self.meters)
        self.server = HttpServer(refuse, lambda *_: Response(500, []), observe=lambda *_: None)
        nursery.start_soon(report_work, self.work, self.server, self.board)

    def errors(self) -> list[str]:
        return [error["message"] for error in json.loads(self.board.read_own())["errors"]]


def answer_one(work: Work) -> None:
    work.begin()
    told = SimpleNamespace(peer="p", operation="GetObject", resource="/b/k", started=0.0)
    work.finish(told, 200, None, 10, 0, None)


async def test_what_was_counted_shows_within_a_second(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    worker = Worker(nursery)
    await trio.sleep(0.5)
    worker.work.begin()
    answer_one(worker.work)
    worker.server.accepted = 3
    worker.server.refused = 1
    worker.server.failed_handshakes = 2
    await trio.sleep(1)
    reading = worker.meters.read()
    assert reading.operations["GetObject"].statuses == {200: 1}
    assert reading.gauges[Gauge.REQUESTS_IN_FLIGHT] == 1
    assert (reading.totals[Total.CONNECTIONS_ACCEPTED], reading.totals[Total.CONNECTIONS_REFUSED]) == (3, 1)
    assert reading.totals[Total.HANDSHAKES_FAILED] == 2
    assert b'"key": "k"' in worker.board.read_own()


async def test_connections_are_added_to_what_a_worker_before_has_counted(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    worker = Worker(nursery)
    worker.meters.add(Total.CONNECTIONS_ACCEPTED, 100)
    await trio.sleep(0.5)
    for accepted in (1, 4):
        worker.server.accepted = accepted
        await trio.sleep(1)
    assert worker.meters.read().totals[Total.CONNECTIONS_ACCEPTED] == 104


async def test_worker_that_ends_counts_what_it_did_last(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        worker = Worker(nursery)
        await trio.sleep(0.5)
        answer_one(worker.work)
        nursery.cancel_scope.cancel()
    assert worker.meters.read().operations["GetObject"].statuses == {200: 1}


async def test_errors_of_the_log_are_reported_beside_those_of_requests(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.recent_errors.clear()
    worker = Worker(nursery)
    worker.work.activity.note_failure(Failure(at=0, message="of a request"))
    telemetry.log_error("of the node", ValueError("with a traceback"))
    await trio.sleep(1.5)
    assert worker.errors() == ["of the node", "of a request"]
    assert "with a traceback" in capsys.readouterr().err


async def test_last_words_of_a_worker_that_died_stay(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    telemetry.recent_errors.clear()
    dead = Activity()
    dead.note_failure(Failure(at=0, message="last words"))
    worker = Worker(nursery)
    worker.board.publish(dead.report())
    await trio.sleep(1.5)
    assert worker.errors() == ["last words"]


async def test_process_that_serves_nothing_reports_its_errors(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.recent_errors.clear()
    board = ReportBoard.private()
    nursery.start_soon(report_failures, board)
    await trio.sleep(0.5)
    telemetry.log_error("worker 1 was ended by signal 9; starting another")
    await trio.sleep(1)
    (error,) = json.loads(board.read_own())["errors"]
    assert error["message"] == "worker 1 was ended by signal 9; starting another"
