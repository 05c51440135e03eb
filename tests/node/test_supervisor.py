"""Supervisors with real workers, in this process; tests/integration/test_workers.py sees them from outside."""

import importlib.util
import os
import signal
from dataclasses import replace
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


async def test_reload_that_one_process_cannot_follow_is_taken_back_from_those_that_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path / "root", server={"listen": "127.0.0.1:0"}, admin={"listen": ""})
    changed = replace(config, server=replace(config.server, region="eu-1"))
    with made(config, 2) as commons, trio.fail_after(60):
        async with listening(config) as sockets, trio.open_nursery() as nursery:
            node = Supervisor(config, commons, sockets, workers=2, reread=lambda: changed)
            nursery.start_soon(node.run)
            await seen(capsys, "ready on")
            before = commons.pulse.serving()
            node._posts[1].module = "tests.node.dying"
            os.kill(os.getpid(), signal.SIGHUP)
            await seen(capsys, "reload refused: worker 1 ended with code 7; going on as before")
            after = commons.pulse.serving()
            assert after[1] == before[1]
            assert after[0] not in (before[0], None)
            assert node._config is config
            os.kill(os.getpid(), signal.SIGTERM)


async def seen(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Wait until the supervisor has said something."""
    while words not in capsys.readouterr().err:  # noqa: ASYNC110 (a text has no event)
        await trio.sleep(0.05)


async def test_admin_process_that_cannot_be_kept_does_not_end_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "_ADMIN", "tests.node.dying")
    config = configured(
        tmp_path / "root",
        server={"listen": "127.0.0.1:0"},
        admin={"listen": "127.0.0.1:0", "socket": str(tmp_path / "admin.sock")},
    )
    with made(config, 1) as commons, trio.fail_after(60):
        async with listening(config) as sockets, trio.open_nursery() as nursery:
            nursery.start_soon(Supervisor(config, commons, sockets, workers=1).run)
            await seen(capsys, "ready on")
            await trio.sleep(2)  # which is time for more failures than a worker may have
            assert commons.pulse.serving()[0] is not None
            os.kill(os.getpid(), signal.SIGTERM)
