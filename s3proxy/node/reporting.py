"""What a worker tells the other processes of its node once a second: how busy it is now, and what it remembers."""

from typing import Final

import trio

from s3proxy.http1.server import HttpServer
from s3proxy.metrics.activity import Failure
from s3proxy.metrics.meters import Gauge, Total
from s3proxy.metrics.reports import ReportBoard
from s3proxy.metrics.work import Work
from s3proxy.telemetry import recent_errors

_INTERVAL_SECONDS: Final = 1.0


async def report_work(work: Work, server: HttpServer, board: ReportBoard) -> None:
    """Tell it until cancelled, and once more then.

    Args:
        work: of this worker, with its meters.
        server: whose connections are told of.
        board: where what is remembered is published.
    """
    work.activity.recall(board.read_own())
    told = dict.fromkeys((Total.CONNECTIONS_ACCEPTED, Total.CONNECTIONS_REFUSED), 0)
    try:
        while True:
            _tell(work, server, told)
            board.publish(work.activity.report(_failures_of_node()))
            await trio.sleep(_INTERVAL_SECONDS)
    finally:
        _tell(work, server, told)


def _tell(work: Work, server: HttpServer, told: dict[Total, int]) -> None:
    work.settle()
    meters = work.meters
    meters.set(Gauge.CONNECTIONS_OPEN, server.connections)
    meters.set(Gauge.CONNECTIONS_IDLE, server.idle)
    meters.set(Gauge.REQUESTS_IN_FLIGHT, work.in_flight)
    for total, count in ((Total.CONNECTIONS_ACCEPTED, server.accepted), (Total.CONNECTIONS_REFUSED, server.refused)):
        meters.add(total, count - told[total])
        told[total] = count


def _failures_of_node() -> list[Failure]:
    """What went wrong beside the requests."""
    return [Failure(at=at, message=message) for at, message in recent_errors]
