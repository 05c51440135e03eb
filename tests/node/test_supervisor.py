"""Supervisors with real workers, in this process; tests/integration/test_workers.py sees them from outside."""

import importlib.util
from pathlib import Path

import pytest
import trio

from s3proxy.config import Config
from s3proxy.node import supervisor
from s3proxy.node.commons import made
from s3proxy.node.failures import StartError, first_failure
from s3proxy.node.listening import listening
from s3proxy.node.supervisor import Supervisor
from tests.node.configuring import configured
from tests.stores.local.leftovers import open_descriptors


def without_its_root(root: Path) -> Config:
    """What no worker can start with."""
    config = configured(root, server={"listen": "127.0.0.1:0"}, admin={"listen": ""})
    root.rmdir()
    return config


async def supervise(root: Path, *, workers: int = 2) -> None:
    """Run a supervisor until it fails."""
    config = without_its_root(root)
    with made(config, workers) as commons:
        with trio.fail_after(30):
            async with listening(config) as sockets:
                await Supervisor(config, commons, sockets, workers=workers).run()


async def failure_of(root: Path) -> str:
    """Why it failed; nothing is left open."""
    before = open_descriptors()
    failure = None
    try:
        await supervise(root)
    except* StartError as failures:
        failure = first_failure(failures)
    assert failure is not None
    assert open_descriptors() == before
    return str(failure)


async def test_worker_that_says_why_it_cannot_start_ends_the_node_at_once(tmp_path: Path) -> None:
    assert (
        await failure_of(tmp_path / "root")
        == f"store.root: {tmp_path / 'root'}: does not exist; make the directory first"
    )


async def test_worker_that_dies_at_its_start_again_and_again_ends_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "_WORKER", "tests.node.dying")
    said = await failure_of(tmp_path / "root")
    assert "died 5 times in a row, each time within 30 seconds of its start; the last one ended with code 7" in said
    assert capsys.readouterr().err.count("before it was ready; trying again") >= 4


@pytest.mark.parametrize("module", [supervisor._WORKER, supervisor._ADMIN])
def test_process_is_started_by_its_module(module: str) -> None:
    assert importlib.util.find_spec(module) is not None
