"""A bucket against its reference, on any keys that S3 allows."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import BucketMachine, SharedBucketMachine
from tests.server import Server, remove_deep, started

SETTINGS = settings(
    max_examples=10, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("model")
    with started(base / "root", base / "scratch", settings={"store": {"min_part_size": 0}}) as server:
        yield server
    remove_deep(base)


def test_bucket_used_through_s3_agrees_with_the_reference(server: Server) -> None:
    machine = type("Machine", (BucketMachine,), {"server": server})
    run_state_machine_as_test(machine, settings=SETTINGS)


def test_bucket_shared_with_file_system_programs_agrees_with_the_reference(server: Server) -> None:
    machine = type("Machine", (SharedBucketMachine,), {"server": server})
    run_state_machine_as_test(machine, settings=SETTINGS)
