"""What a process tells the others of its node once a second: how busy it is now, and what it remembers."""

from typing import Final, Never

import trio

from s3proxy.http1.server import HttpServer
from s3proxy.metrics.activity import Activity, Failure
from s3proxy.metrics.meters import Gauge, Total
from s3proxy.metrics.reports import ReportBoard
from s3proxy.metrics.work import Work
from s3proxy.telemetry import recent_errors

_INTERVAL_SECONDS: Final = 1.0


async def report_work(work: Work, server: HttpServer, board: ReportBoard) -> None:
    """Tell what a worker does until cancelled, and once more then.

    Args:
        work: of this worker, with its meters.
        server: whose connections are told of.
        board: where what is remembered is published.
    """
    work.activity.recall(board.read_own())
    told = dict.fromkeys(_counted(server), 0)
    try:
        while True:
            _tell(work, server, told)
            _publish(work.activity, board)
            await trio.sleep(_INTERVAL_SECONDS)
    finally:
        _tell(work, server, told)
        _publish(work.activity, board)


async def report_failures(board: ReportBoard) -> Never:
    """Tell until cancelled what goes wrong in a process that serves nothing."""
    activity = Activity()
    activity.recall(board.read_own())
    while True:
        _publish(activity, board)
        await trio.sleep(_INTERVAL_SECONDS)


def _tell(work: Work, server: HttpServer, told: dict[Total, int]) -> None:
    work.settle()
    meters = work.meters
    meters.set(Gauge.CONNECTIONS_OPEN, server.connections)
    meters.set(Gauge.CONNECTIONS_IDLE, server.idle)
    meters.set(Gauge.REQUESTS_IN_FLIGHT, work.in_flight)
    for total, count in _counted(server).items():
        meters.add(total, count - told[total])
        told[total] = count


def _counted(server: HttpServer) -> dict[Total, int]:
    return {
        Total.CONNECTIONS_ACCEPTED: server.accepted,
        Total.CONNECTIONS_REFUSED: server.refused,
        Total.HANDSHAKES_FAILED: server.failed_handshakes,
    }


def _publish(activity: Activity, board: ReportBoard) -> None:
    beside_requests = [Failure(at=at, message=message) for at, message in recent_errors]
    board.publish(activity.report(beside_requests))
