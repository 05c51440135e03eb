import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from s3proxy.metrics.meters import Gauge, Meters, Total
from tests.metrics.asking import Told


@pytest.fixture
def meters() -> Iterator[Meters]:
    made = Meters.create(2)
    yield made
    made.close()


def attach(meters: Meters, process: int) -> Meters:
    return Meters.attach(os.dup(meters.fd), process)


def count(meters: Meters, operation: str = "GetObject", status: int = 200) -> None:
    meters.count_requests([(Told(operation=operation), status, 0.003, 0.001, 100, 7, None)])


def in_another_process(meters: Meters, process: int, statements: str) -> None:
    """Do something with meters in a process that ends with it."""
    program = f"from s3proxy.metrics.meters import *\nmeters = Meters.attach({meters.fd}, {process})\n{statements}"
    subprocess.run([sys.executable, "-c", program], pass_fds=[meters.fd], check=True)


def test_request_counts_by_operation_and_status(meters: Meters) -> None:
    count(meters)
    count(meters)
    count(meters, status=404)
    count(meters, "PutObject")
    operations = meters.read().operations
    assert {name: reading.statuses for name, reading in operations.items()} == {
        "GetObject": {200: 2, 404: 1},
        "PutObject": {200: 1},
    }


def test_request_counts_its_durations_and_bytes(meters: Meters) -> None:
    count(meters)
    count(meters)
    reading = meters.read().operations["GetObject"]
    assert reading.latency.count == 2
    assert reading.latency.seconds == pytest.approx(0.006)
    assert reading.first_byte.count == 2
    assert reading.first_byte.seconds == pytest.approx(0.002)
    assert (reading.sent, reading.received) == (200, 14)


def test_status_that_is_rare_counts_with_others_like_it(meters: Meters) -> None:
    count(meters, status=418)
    count(meters, status=226)
    assert meters.read().operations["GetObject"].statuses == {0: 2}


def test_operations_beyond_those_there_is_room_for_count_together(meters: Meters) -> None:
    for number in range(70):
        count(meters, f"Operation{number}")
    operations = meters.read().operations
    assert len(operations) == 64
    assert operations["other"].latency.count == 7


def test_counts_are_those_of_all_processes(meters: Meters) -> None:
    workers = [attach(meters, 0), attach(meters, 1)]
    for worker in (*workers, meters):
        count(worker)
        worker.add(Total.LOCAL_BYTES, 10)
        worker.set(Gauge.CONNECTIONS_OPEN, 2)
    for each in (*workers, meters):
        reading = each.read()
        assert reading.operations["GetObject"].statuses == {200: 3}
        assert reading.totals[Total.LOCAL_BYTES] == 30
        assert reading.gauges[Gauge.CONNECTIONS_OPEN] == 6
    for worker in workers:
        worker.close()


def test_processes_know_names_by_the_same_number(meters: Meters) -> None:
    in_another_process(meters, 0, "meters.store('far').count(1, is_error=True)\nmeters.store('near')")
    meters.store("near").count(0.25, is_error=False)
    meters.store("far").count(0.5, is_error=False)
    stores = meters.read().stores
    assert {name: (reading.latency.count, reading.errors) for name, reading in stores.items()} == {
        "far": (2, 1),
        "near": (1, 0),
    }


def test_store_is_known_before_it_was_asked(meters: Meters) -> None:
    meters.store("default")
    assert meters.read().stores["default"].latency.count == 0


def test_process_that_replaces_another_goes_on_from_its_counters_and_not_from_its_gauges(meters: Meters) -> None:
    said = "meters.add(Total.CONNECTIONS_ACCEPTED, 5)\nmeters.set(Gauge.CONNECTIONS_OPEN, 5)"
    in_another_process(meters, 0, said)
    worker = attach(meters, 0)
    worker.add(Total.CONNECTIONS_ACCEPTED)
    worker.set(Gauge.CONNECTIONS_OPEN, 1)
    reading = meters.read()
    worker.close()
    assert reading.totals[Total.CONNECTIONS_ACCEPTED] == 6
    assert reading.gauges[Gauge.CONNECTIONS_OPEN] == 1


def test_gauges_of_a_process_that_ended_count_nothing(meters: Meters) -> None:
    in_another_process(meters, 1, "meters.set(Gauge.CONNECTIONS_OPEN, 5)\nmeters.add(Total.CONNECTIONS_ACCEPTED, 5)")
    reading = meters.read()
    assert reading.gauges[Gauge.CONNECTIONS_OPEN] == 0
    assert reading.totals[Total.CONNECTIONS_ACCEPTED] == 5
    assert reading.pids == {2: os.getpid()}


@pytest.mark.parametrize("process", [-1, 3])
def test_process_beyond_those_there_are_is_refused(meters: Meters, process: int) -> None:
    fd = os.dup(meters.fd)
    with pytest.raises(ValueError, match="process"):
        Meters.attach(fd, process)
    os.close(fd)


def test_private_meters_take_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    meters = Meters.private()
    count(meters)
    assert meters.read().operations["GetObject"].statuses == {200: 1}
    assert os.listdir("/proc/self/fd") == before
    meters.close()
