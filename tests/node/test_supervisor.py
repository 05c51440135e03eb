"""Supervisors with real workers, in this process; tests/integration/test_workers.py sees them from outside."""

import importlib.util
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from s3proxy.config import Config
from s3proxy.node import posts, supervisor
from s3proxy.node.commons import made
from s3proxy.node.failures import StartError, first_failure
from s3proxy.node.listening import listening
from s3proxy.node.posts import Post
from s3proxy.node.pulse import Loss
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
    monkeypatch.setattr(posts, "WORKER_MODULE", "tests.node.dying")
    said = await failure_of(tmp_path / "root")
    assert "died 5 times in a row, each time within 30 seconds of its start; the last one ended with code 7" in said
    assert capsys.readouterr().err.count("before it was ready; trying again") >= 4


@pytest.mark.parametrize("module", [posts.WORKER_MODULE, posts.ADMIN_MODULE])
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


async def seen(capture: pytest.CaptureFixture[str], words: str, *, times: int = 1) -> str:
    """Wait until the supervisor has said something so often; what it has said since it was last waited for."""
    said = ""
    while (said := said + capture.readouterr().err).count(words) < times:  # noqa: ASYNC110 (a text has no event)
        await trio.sleep(0.05)
    return said


async def test_admin_process_that_cannot_be_kept_does_not_end_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(posts, "ADMIN_MODULE", "tests.node.dying")
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


async def test_worker_that_hangs_says_where_and_is_replaced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = configured(
        tmp_path / "root", server={"listen": "127.0.0.1:0", "worker_timeout_seconds": 2}, admin={"listen": ""}
    )
    with made(config, 2) as commons, trio.fail_after(60):
        async with listening(config) as sockets, trio.open_nursery() as nursery:
            node = Supervisor(config, commons, sockets, workers=2)
            node._posts[1].module = "tests.node.hanging"
            nursery.start_soon(node.run)
            await seen(capfd, "ready on")
            node._posts[1].module = posts.WORKER_MODULE
            other, hanging = commons.pulse.serving()[0], commons.pulse.serving()[1]
            said = await seen(capfd, "starting another")
            assert "hanging.py" in said  # where it was
            assert "worker 1 was killed, for its event loop stood still for" in said
            while commons.pulse.serving()[1] in (hanging, None):  # noqa: ASYNC110 (another process's end)
                await trio.sleep(0.05)
            assert commons.pulse.serving()[0] == other
            assert commons.pulse.losses() == {Loss.DIED: 0, Loss.HUNG: 1}
            os.kill(os.getpid(), signal.SIGTERM)


async def test_worker_that_dies_again_and_again_ends_the_node_when_the_others_have_finished_their_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.001)
    config = configured(tmp_path / "root", server={"listen": "127.0.0.1:0"}, admin={"listen": ""})
    (tmp_path / "root" / "lake").mkdir()
    failures: list[str] = []

    async def run(node: Supervisor) -> None:
        try:
            await node.run()
        except StartError as failure:
            failures.append(str(failure))

    with made(config, 1) as commons, trio.fail_after(60):
        async with listening(config) as sockets, trio.open_nursery() as nursery:
            port = sockets.data[0].getsockname()[1]
            node = Supervisor(config, commons, sockets, workers=1)
            nursery.start_soon(run, node)
            await seen(capsys, "ready on")
            client = await trio.open_tcp_stream("127.0.0.1", port)
            await client.send_all(b"PUT /lake/key HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
            await trio.sleep(0.5)  # for the worker to have it
            nursery.start_soon(node._fill, dying_post(node))
            await seen(capsys, "trying again", times=5)
            await trio.sleep(0.5)
            assert failures == []
            await client.send_all(b"half")
            assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")
            await client.aclose()
    assert len(failures) == 1
    assert failures[0].startswith("worker 1 died 5 times in a row")
    assert (tmp_path / "root" / "lake" / "key").read_bytes() == b"halfhalf"


def dying_post(node: Supervisor) -> Post:
    """One beside those of a node of one worker, whose process never gets ready."""
    post = Post(number=1, name="worker 1", module="tests.node.dying", is_vital=True)
    for row in (1, 3):
        post.rows[0].send_nowait(row)
    node._posts.append(post)
    return post


async def test_worker_that_dies_while_the_one_before_it_still_drains_is_replaced_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path / "root", server={"listen": "127.0.0.1:0"}, admin={"listen": ""})
    (tmp_path / "root" / "lake").mkdir()
    with made(config, 1) as commons, trio.fail_after(60):
        async with listening(config) as sockets, trio.open_nursery() as nursery:
            nursery.start_soon(Supervisor(config, commons, sockets, workers=1).run)
            await seen(capsys, "ready on")
            client = await trio.open_tcp_stream("127.0.0.1", sockets.data[0].getsockname()[1])
            await client.send_all(b"PUT /lake/key HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
            await trio.sleep(0.5)  # for the worker to have it
            os.kill(os.getpid(), signal.SIGUSR2)
            await seen(capsys, "reloaded")
            second = commons.pulse.serving()[0]
            assert second is not None
            os.kill(second, signal.SIGKILL)
            with trio.fail_after(10):  # less than drain_seconds
                while commons.pulse.serving()[0] in (second, None):  # noqa: ASYNC110 (another process's end)
                    await trio.sleep(0.05)
            await client.send_all(b"half")
            assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")
            await client.aclose()
            os.kill(os.getpid(), signal.SIGTERM)
