import json
from typing import Any, cast

import pytest
import trio
from hypercorn.typing import ASGIReceiveEvent, ASGISendEvent, HTTPScope
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.admin.app import AdminApp
from s3proxy.admin.command import Command, CommandError, Emit
from s3proxy.admin.messages import CacheRequest, Pin, Refused, Shown


class Exchange:
    """One request to the app and what it answers."""

    def __init__(self, app: AdminApp) -> None:
        self._app = app
        self._give, self._take = trio.open_memory_channel[ASGIReceiveEvent](10)
        self.status = 0
        self.body = b""
        self.is_whole = False

    async def ask(self, path: str, body: bytes = b"{}", *, method: str = "POST") -> list[dict[str, Any]]:
        scope = cast("HTTPScope", {"type": "http", "method": method, "path": path})  # all that it reads
        half = len(body) // 2
        self._give.send_nowait({"type": "http.request", "body": body[:half], "more_body": True})
        self._give.send_nowait({"type": "http.request", "body": body[half:], "more_body": False})
        await self._app(scope, self._take.receive, self._receive)
        assert self.is_whole
        return [json.loads(line) for line in self.body.splitlines() if line]

    def go_away(self) -> None:
        self._give.send_nowait({"type": "http.disconnect"})

    async def _receive(self, event: ASGISendEvent) -> None:
        if event["type"] == "http.response.start":
            self.status = event["status"]
        elif event["type"] == "http.response.body":
            self.body += event["body"]
            self.is_whole = not event["more_body"]


def exchange(command: Command) -> Exchange:
    return Exchange(AdminApp({"do": command}))


async def echo(request: CacheRequest, emit: Emit) -> None:
    await emit(Pin(bucket=request.bucket or "", prefix=request.prefix), Shown())


async def test_app_streams_what_the_command_emits() -> None:
    client = exchange(echo)
    lines = await client.ask("/cache/do", b'{"bucket": "b", "prefix": "p"}')
    assert client.status == 200
    assert [line["type"] for line in lines] == ["pin", "shown"]
    assert lines[0]["prefix"] == "p"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "/cache/other", b"{}", 404, "/cache/other: unknown"),
        ("POST", "/do", b"{}", 404, "unknown"),
        ("POST", "/other/do", b"{}", 404, "unknown"),
        ("GET", "/cache/do", b"", 405, "POST"),
        ("POST", "/cache/do", b"{", 400, "not JSON"),
        ("POST", "/cache/do", b'{"jobs": 0}', 400, "jobs"),
        ("POST", "/cache/do", b" " * 70_000, 413, "too long"),
    ],
)
async def test_app_refuses_what_is_no_command(method: str, path: str, body: bytes, status: int, reason: str) -> None:
    client = exchange(echo)
    lines = await client.ask(path, body, method=method)
    assert client.status == status
    assert lines[0]["type"] == "refused"
    assert reason in lines[0]["reason"]


async def test_app_tells_why_a_command_cannot_be_done() -> None:
    async def refuse(request: CacheRequest, emit: Emit) -> None:
        raise CommandError("there is no such bucket")

    assert await exchange(refuse).ask("/cache/do") == [{"type": "refused", "reason": "there is no such bucket"}]


async def test_app_survives_a_command_that_breaks_and_logs_it(capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(request: CacheRequest, emit: Emit) -> None:
        raise RuntimeError("a secret detail")

    lines = await exchange(fail).ask("/cache/do")
    assert lines[0]["type"] == "refused"
    assert "secret" not in lines[0]["reason"]
    assert "a secret detail" in capsys.readouterr().err


async def test_app_cancels_the_command_when_the_client_goes_away() -> None:
    ended = trio.Event()

    async def wait(request: CacheRequest, emit: Emit) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    client = exchange(wait)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.ask, "/cache/do")
            await wait_all_tasks_blocked()
            assert not ended.is_set()
            client.go_away()
    assert ended.is_set()


async def test_app_sends_something_while_a_command_is_silent(autojump_clock: MockClock) -> None:
    async def ponder(request: CacheRequest, emit: Emit) -> None:
        await trio.sleep(60)
        await emit(Refused(reason="no"))

    client = exchange(ponder)
    await client.ask("/cache/do")
    assert client.body.startswith(b"\n" * 11)
