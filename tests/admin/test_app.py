import io
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
import trio
from hypercorn.typing import ASGIReceiveEvent, ASGISendEvent, HTTPResponseStartEvent, HTTPScope
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.admin.answers import Answer, Request, of_text
from s3proxy.admin.app import AdminApp, Route
from s3proxy.admin.command import Command, CommandError, Emit
from s3proxy.admin.guard import Guard
from s3proxy.admin.messages import CacheRequest, Pin, Refused, Shown
from s3proxy.admin.routes import command_routes
from s3proxy.telemetry import AuditLog, current_client


class Exchange:
    """One request to the app and what it answers."""

    def __init__(self, app: AdminApp) -> None:
        self._app = app
        self._give, self._take = trio.open_memory_channel[ASGIReceiveEvent](10)
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.is_whole = False

    async def ask(self, path: str, body: bytes = b"{}", *, method: str = "POST") -> list[dict[str, Any]]:
        await self._exchange(path, body, method, ())
        return [json.loads(line) for line in self.body.splitlines() if line]

    async def get(self, path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> bytes:
        await self._exchange(path, b"", method, headers)
        return self.body

    async def _exchange(self, target: str, body: bytes, method: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        path, _, query = target.partition("?")
        read = {"method": method, "path": path, "query_string": query.encode(), "headers": headers}
        scope = cast("HTTPScope", {"type": "http"} | read)  # all that it reads
        half = len(body) // 2
        self._give.send_nowait({"type": "http.request", "body": body[:half], "more_body": True})
        self._give.send_nowait({"type": "http.request", "body": body[half:], "more_body": False})
        await self._app(scope, self._take.receive, self._receive)
        assert self.is_whole

    def go_away(self) -> None:
        self._give.send_nowait({"type": "http.disconnect"})

    async def _receive(self, event: ASGISendEvent) -> None:
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = dict(event["headers"])
        elif event["type"] == "http.response.body":
            self.body += event["body"]
            self.is_whole = not event["more_body"]


def exchange(command: Command) -> Exchange:
    return Exchange(AdminApp(command_routes({"do": command})))


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


async def answer(request: Request) -> Answer:
    return of_text(f"{request.path} {request.query}")


def app(guard: Guard | None = None) -> Exchange:
    return Exchange(AdminApp({"/shown": Route(does=answer), "/open": Route(does=answer, is_open=True)}, guard))


async def test_app_gives_an_endpoint_its_query_decoded() -> None:
    assert await app().get("/shown?key=a%2Fb+c%C3%A9&prefix=") == "/shown {'key': 'a/b cé', 'prefix': ''}\n".encode()


async def test_app_lets_no_browser_keep_run_frame_or_guess_an_answer() -> None:
    client = app()
    await client.get("/shown")
    assert client.status == 200
    assert client.headers[b"cache-control"] == b"no-store"
    assert client.headers[b"x-content-type-options"] == b"nosniff"
    assert b"default-src 'none'" in client.headers[b"content-security-policy"]
    assert b"frame-ancestors 'none'" in client.headers[b"content-security-policy"]


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/nothing", "GET", 404),
        ("/assets/../app.py", "GET", 404),
        ("/shown", "POST", 405),
        ("/shown", "DELETE", 405),
        ("/shown?key=%FF", "GET", 400),
        (f"/shown?{'a=1&' * 100}", "GET", 400),
    ],
)
async def test_app_refuses_what_it_has_no_answer_to(target: str, method: str, status: int) -> None:
    client = app()
    assert json.loads(await client.get(target, method=method))["reason"]
    assert client.status == status


async def test_app_gives_the_page_to_everybody_and_the_rest_for_the_token() -> None:
    for target, status in (("/", 200), ("/assets/app.js", 200), ("/open", 200), ("/shown", 401)):
        client = app(Guard(token="t" * 16))
        await client.get(target)
        assert client.status == status, target
    client = app(Guard(token="t" * 16))
    await client.get("/shown", (b"authorization", b"Bearer " + b"t" * 16))
    assert client.status == 200


async def test_app_asks_the_guard_for_commands_too() -> None:
    client = Exchange(AdminApp(command_routes({"do": echo}), Guard(token="t" * 16)))
    assert "admin.token" in (await client.ask("/cache/do"))[0]["reason"]
    assert client.status == 401
    assert client.headers[b"www-authenticate"] == b"Bearer"


async def test_app_gives_up_an_endpoint_that_takes_too_long(autojump_clock: MockClock) -> None:
    async def ponder(request: Request) -> Answer:
        await trio.sleep(60)
        return of_text("late")

    client = Exchange(AdminApp({"/slow": Route(does=ponder)}))
    assert "8 seconds" in json.loads(await client.get("/slow"))["reason"]
    assert client.status == 503


async def test_app_gives_up_a_request_that_does_not_arrive(autojump_clock: MockClock) -> None:
    async def receive() -> ASGIReceiveEvent:
        await trio.sleep(1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    sent: list[ASGISendEvent] = []

    async def send(event: ASGISendEvent) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "POST", "path": "/cache/do", "query_string": b"", "headers": ()}
    await AdminApp(command_routes({"do": echo}))(cast("HTTPScope", scope), receive, send)
    assert cast("HTTPResponseStartEvent", sent[0])["status"] == 408


async def test_app_survives_an_endpoint_that_breaks_and_keeps_its_secret(capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(request: Request) -> Answer:
        raise RuntimeError("a secret detail")

    client = Exchange(AdminApp({"/broken": Route(does=fail)}))
    assert b"secret" not in await client.get("/broken")
    assert client.status == 500
    assert "a secret detail" in capsys.readouterr().err


# The audit log


@pytest.mark.parametrize(
    ("guard", "user"),
    [(None, "uid 7"), (Guard(token="t" * 16), "token")],
    ids=["unix", "token"],
)
async def test_command_is_in_the_audit_log_before_it_begins(guard: Guard | None, user: str) -> None:
    output = io.StringIO()
    seen: list[str] = []

    async def note(request: CacheRequest, emit: Emit) -> None:
        seen.append(output.getvalue())

    current_client.set("uid 7")
    client = Exchange(AdminApp(command_routes({"do": note}), guard, AuditLog(output)))
    headers = [(b"authorization", b"Bearer " + b"t" * 16)]
    await client._exchange("/cache/do", b'{"bucket": "b", "prefix": "p/\\n"}', "POST", headers)
    line = json.loads(seen[0])
    told = ("operation", "bucket", "prefix", "user", "peer")
    assert [line[name] for name in told] == ["admin /cache/do", "b", "p/\n", user, "uid 7"]
    assert "tttt" not in seen[0]


async def test_refused_command_is_in_the_audit_log_without_what_was_guessed() -> None:
    output = io.StringIO()
    client = Exchange(AdminApp(command_routes({"do": echo}), Guard(token="t" * 16), AuditLog(output)))
    await client._exchange("/cache/do", b"{}", "POST", [(b"authorization", b"Bearer " + b"x" * 16)])
    line = json.loads(output.getvalue())
    assert (line["operation"], line["user"], line["status"]) == ("admin /cache/do", None, 401)
    assert "xxxx" not in output.getvalue()
