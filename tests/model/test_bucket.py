"""A bucket against its reference, on any keys that S3 allows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import BucketMachine, SharedBucketMachine
from tests.nodes import standing_on
from tests.server import Server, remove_deep, started

ANY_SIZE = {"min_part_size": 0}
_CHOOSY = {
    "moto": "some keys are taken for paths",
    "ceph": "NUL is answered with 400, U+FFFF in keys and prefixes with 500",
}
SETTINGS = settings(
    max_examples=10, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@pytest.fixture(scope="module")
def server(node_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if node_kind in _CHOOSY:
        pytest.skip(f"{_CHOOSY[node_kind]}, so {node_kind} cannot be tried with any key")
    base = tmp_path_factory.mktemp("model")
    with standing_on(node_kind, base, store_settings=ANY_SIZE) as under:
        node = under.settings(base) or {"store": ANY_SIZE}
        with started(base / "own", base / "scratch", settings=node) as server:
            yield server
    remove_deep(base)


@pytest.fixture
def root(server: Server) -> Path:
    """Where file-system programs find the buckets, where they do."""
    return server.root


def test_bucket_used_through_s3_agrees_with_the_reference(server: Server) -> None:
    machine = type("Machine", (BucketMachine,), {"server": server})
    run_state_machine_as_test(machine, settings=SETTINGS)


@pytest.mark.usefixtures("root")
def test_bucket_shared_with_file_system_programs_agrees_with_the_reference(server: Server) -> None:
    machine = type("Machine", (SharedBucketMachine,), {"server": server})
    run_state_machine_as_test(machine, settings=SETTINGS)
