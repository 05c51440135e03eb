"""Processes that are no workers, and behave as bad ones may."""

import json
import os
from pathlib import Path

import pytest
import trio

from s3proxy.node import process as module
from s3proxy.node.process import Process

READY = "os.write(1, b'ready\\n'); "
WAIT = "sys.stdin.read()"


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("NOTIFY_SOCKET", "/absent")
    return Run(tmp_path)


class Run:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.process = Process(3, 7)

    async def __call__(self, program: str, seat: bytes = b"{}\n", descriptors: tuple[int, ...] = ()) -> None:
        (self._directory / "program_of_a_test.py").write_text(f"import json, os, sys, time\n{program}")
        await self.process.run("program_of_a_test", seat, descriptors)


async def test_process_that_is_ready_is_settled_and_runs_on_until_told_to_end(run: Run) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, f"sys.stdin.readline(); {READY}{WAIT}")
        with trio.fail_after(10):
            await run.process.settled.wait()
            assert run.process.is_ready
            assert not run.process.ended.is_set()
            run.process.tell_to_end()
            await run.process.ended.wait()
    assert run.process.reason == "was ended by signal 15"
    assert not run.process.has_done_as_told


async def test_process_may_say_again_and_again_that_another_would_be_better_off(run: Run) -> None:
    say = "os.write(1, b'outgrown\\n'); "
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, f"sys.stdin.readline(); {READY}time.sleep(0.1); {say * 20_000}{WAIT}")
        with trio.fail_after(20):
            await run.process.settled.wait()
            for _ in range(2):
                await run.process.outgrown.wait()
                run.process.outgrown = trio.Event()
            run.process.tell_to_end()
            await run.process.outgrown.wait()
            await run.process.ended.wait()


async def test_process_that_cannot_start_says_why(run: Run) -> None:
    await run("os.write(1, b'failed because\\n'); sys.exit(1)")
    assert (run.process.is_ready, run.process.reason) == (False, "failed: because")


async def test_process_that_ends_as_told_has_no_failure(run: Run) -> None:
    await run("pass")
    assert run.process.has_done_as_told
    assert run.process.reason == "ended with code 0"


async def test_process_that_dies_before_it_reads_its_seat_is_settled(run: Run) -> None:
    await run("sys.exit(7)", seat=b"x" * 10_000_000)
    assert run.process.settled.is_set()
    assert run.process.reason == "ended with code 7"


async def test_process_that_says_too_much_is_not_listened_to_for_ever(run: Run) -> None:
    await run("[os.write(1, bytes(4096)) for _ in range(16)]")
    assert not run.process.is_ready


async def test_process_that_is_killed_ends_for_the_reason_given(run: Run) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, "time.sleep(60)")
        while run.process.pid is None:  # noqa: ASYNC110 (it has no event)
            await trio.sleep(0.01)
        run.process.kill("was not ready in time")
    assert run.process.reason == "was not ready in time"


async def test_process_does_not_outlive_the_cancelled_task(run: Run) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, f"{READY}time.sleep(60)")
        await run.process.settled.wait()
        nursery.cancel_scope.cancel()
    assert run.process.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(run.process.pid, 0)


async def test_process_inherits_what_it_is_given_and_nothing_of_the_service_manager(run: Run, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    with (tmp_path / "given").open("w") as given:
        await run(
            f"open({str(seen)!r}, 'w').write(json.dumps([dict(os.environ), os.listdir('/proc/self/fd')]))",
            descriptors=(given.fileno(),),
        )
        environment, descriptors = json.loads(seen.read_text())
        assert str(given.fileno()) in descriptors
    assert "NOTIFY_SOCKET" not in environment
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(Path(module.__file__).parent.parent.parent)
