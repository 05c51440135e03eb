import io
import json
import threading

import pytest
import trio
import trio.testing

from s3proxy.telemetry import AuditLog


class Slow(io.StringIO):
    """An output that takes nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.calls = 0

    def write(self, text: str, /) -> int:
        self.calls += 1
        assert self.go.wait(10)
        return super().write(text)


class Refusing(io.StringIO):
    """An output that takes nothing."""

    def write(self, text: str, /) -> int:
        raise OSError(28, "No space left on device")


def keys(output: io.StringIO) -> list[str]:
    return [json.loads(line)["key"] for line in output.getvalue().splitlines()]


async def test_record_returns_when_the_line_is_written() -> None:
    output = io.StringIO()
    log = AuditLog(output, worker=2)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        await log.record({"user": "ann", "key": "a\nb", "status": 200})
        (line,) = output.getvalue().splitlines()
        assert json.loads(line) | {"time": ""} == {"time": "", "worker": 2, "user": "ann", "key": "a\nb", "status": 200}
        nursery.cancel_scope.cancel()


async def test_records_that_wait_at_the_same_time_share_one_write() -> None:
    output = Slow()
    log = AuditLog(output)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        async with trio.open_nursery() as requests:
            requests.start_soon(log.record, {"key": "first"})
            await trio.testing.wait_all_tasks_blocked()
            for number in range(50):
                requests.start_soon(log.record, {"key": str(number)})
            await trio.testing.wait_all_tasks_blocked()
            output.go.set()
        nursery.cancel_scope.cancel()
    assert len(keys(output)) == 51
    assert output.calls == 2


async def test_record_waits_for_its_line_though_its_task_is_cancelled() -> None:
    output = io.StringIO()
    log = AuditLog(output)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        with trio.CancelScope() as scope:
            scope.cancel()
            await log.record({"key": "k"})
            assert keys(output) == ["k"]
        nursery.cancel_scope.cancel()


async def test_lines_that_the_log_refuses_go_to_standard_error_whole(capfd: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(Refusing())
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        await log.record({"key": "k" * 1000}, {"key": "other"})
        nursery.cancel_scope.cancel()
    mention, first, second = capfd.readouterr().err.splitlines()
    assert "the audit log cannot be written" in mention
    assert [json.loads(first)["key"], json.loads(second)["key"]] == ["k" * 1000, "other"]


async def test_log_that_hangs_holds_requests_up_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s3proxy.telemetry.audit._PATIENCE_SECONDS", 0.05)
    output = Slow()
    log = AuditLog(output)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        await log.record({"key": "waits"})
        with trio.fail_after(0.04):
            for _ in range(10):
                await log.record({"key": "does not"})
        assert capfd.readouterr().err.count("has not taken a line") == 1
        output.go.set()
        await trio.sleep(0.05)
        await log.record({"key": "waits again"})
        assert keys(output)[-1] == "waits again"
        nursery.cancel_scope.cancel()
    assert len(keys(output)) == 12


async def test_what_is_told_behind_the_end_is_written_at_once() -> None:
    output = io.StringIO()
    log = AuditLog(output)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        log.note({"key": "before"})
        nursery.cancel_scope.cancel()
    await log.record({"key": "behind"})
    assert keys(output) == ["before", "behind"]


async def test_log_that_is_off_takes_nothing() -> None:
    log = AuditLog(None)
    assert not log.is_on
    await log.record({"key": "k"})
