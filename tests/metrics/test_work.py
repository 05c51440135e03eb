import time

import pytest

from s3proxy.metrics.meters import Total
from s3proxy.metrics.work import Work
from tests.metrics.asking import Told


def finish(work: Work, operation: str = "GetObject", source: Total | None = None) -> None:
    told = Told(operation=operation, started=time.monotonic() - 2)
    work.finish(told, 200, told.started + 1, 100, 5, source)


def test_request_is_in_flight_until_it_is_finished() -> None:
    work = Work()
    work.begin()
    work.begin()
    finish(work)
    assert work.in_flight == 1


def test_durations_are_counted_from_the_start_of_the_request() -> None:
    work = Work()
    finish(work)
    work.settle()
    reading = work.meters.read().operations["GetObject"]
    assert reading.latency.seconds == pytest.approx(2, abs=0.2)
    assert reading.first_byte.seconds == pytest.approx(1, abs=0.01)
    assert (reading.sent, reading.received) == (100, 5)


def test_answer_that_never_began_has_its_end_for_its_first_byte() -> None:
    work = Work()
    work.finish(Told(started=time.monotonic() - 2), 499, None, 0, 0, None)
    work.settle()
    reading = work.meters.read().operations["GetObject"]
    assert reading.first_byte == reading.latency


def test_bytes_are_counted_by_their_source_too() -> None:
    work = Work()
    finish(work, source=Total.LOCAL_BYTES)
    finish(work)
    work.settle()
    assert work.meters.read().totals[Total.LOCAL_BYTES] == 100


def test_request_whose_operation_is_not_known_is_counted_all_the_same() -> None:
    work = Work()
    finish(work, "-")
    work.settle()
    assert work.meters.read().operations["unknown"].statuses == {200: 1}


def test_requests_are_counted_once_and_without_being_told_to_when_they_are_many() -> None:
    work = Work()
    for _ in range(300):
        finish(work)
    assert work.meters.read().operations["GetObject"].statuses == {200: 256}
    work.settle()
    work.settle()
    assert work.meters.read().operations["GetObject"].statuses == {200: 300}
    assert b'"requests": 300' in work.activity.report()
