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
# Of an upload to Ceph all parts but the last have 5 MiB; those of the longest keys it cannot complete.
_CEPH = {"most_parts": 1, "refused": frozenset("\0"), "longest_key": 900}
SETTINGS = settings(
    max_examples=10, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@pytest.fixture(scope="module")
def server(node_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if node_kind == "moto":
        pytest.skip("moto takes some keys for paths, and cannot be tried with any")
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


@pytest.mark.timeout(600)  # over Ceph some hundred requests take long
def test_bucket_used_through_s3_agrees_with_the_reference(node_kind: str, server: Server) -> None:
    limits = _CEPH if node_kind == "ceph" else {}
    machine = type("Machine", (BucketMachine,), {"server": server, **limits})
    run_state_machine_as_test(machine, settings=SETTINGS)


@pytest.mark.usefixtures("root")
def test_bucket_shared_with_file_system_programs_agrees_with_the_reference(server: Server) -> None:
    machine = type("Machine", (SharedBucketMachine,), {"server": server})
    run_state_machine_as_test(machine, settings=SETTINGS)
