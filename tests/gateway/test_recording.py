"""What the logs are told; each request goes through a whole gateway over a directory."""

import io
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import md5
from pathlib import Path

import pytest
import trio

from s3proxy.body import Body
from s3proxy.gateway.authenticate import OpenAuthenticator
from s3proxy.gateway.exchange import Gateway, Settings
from s3proxy.gateway.recording import audit, detail_of, finished
from s3proxy.http1.messages import EmptyBody, Header, Request, RequestBody, Response, Sent
from s3proxy.stores.local.store import LocalStore
from s3proxy.telemetry import Access, AccessLog, AuditLog

Line = dict[str, object]


class Arriving(RequestBody):
    """The body of a request."""

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._left = content

    async def receive_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        self.received_bytes += count
        return count


class Node:
    """A gateway with both logs."""

    def __init__(self, store: LocalStore, jobs: trio.Nursery) -> None:
        self._access, self._changes = io.StringIO(), io.StringIO()
        self._access_log = AccessLog(self._access, is_json=True)
        settings = Settings(region="x", audit_log=AuditLog(self._changes))
        self._gateway = Gateway(store, OpenAuthenticator("ann"), settings, self._access_log, jobs=jobs)

    async def ask(self, method: bytes, target: bytes, *headers: Header, content: bytes | None = None) -> Response:
        body = EmptyBody() if content is None else Arriving(content)
        whole = ((b"host", b"localhost"), (b"user-agent", b"curl/8"), *headers)
        if content is not None:
            whole += ((b"content-length", b"%d" % len(content)),)
        response = await self._gateway.answer(Request(method, target, whole, body, "192.0.2.1"))
        assert response.on_sent is not None
        if isinstance(response.body, Body):
            await response.body.aclose()
        response.on_sent(Sent(0, is_complete=True))
        return response

    def accesses(self) -> list[Line]:
        self._access_log.flush()
        return [json.loads(line) for line in self._access.getvalue().splitlines()]

    def changes(self) -> list[Line]:
        return [json.loads(line) for line in self._changes.getvalue().splitlines()]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    store = LocalStore.open(tmp_path, fsync=False)
    async with trio.open_nursery() as jobs:
        node = Node(store, jobs)
        await node.ask(b"PUT", b"/photos")
        await node.ask(b"PUT", b"/photos/a%20b", content=b"content")
        yield node
    await store.aclose()


def chosen(line: Line, *names: str) -> tuple[object, ...]:
    return tuple(line[name] for name in names)


TRACE = ("operation", "bucket", "key", "size", "start", "length")


async def test_access_of_a_write_tells_the_object_s_size_and_tag(node: Node) -> None:
    line = node.accesses()[-1]
    assert chosen(line, *TRACE) == ("PutObject", "photos", "a b", 7, None, None)
    assert chosen(line, "etag", "received_bytes", "user_agent") == ("9a0364b9e99bb480dd25e1f0284c8555", 7, "curl/8")


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(("asked", "span"), [(b"", (7, 0, 7)), (b"bytes=2-3", (7, 2, 2)), (b"bytes=-3", (7, 4, 3))])
async def test_access_of_a_read_tells_size_and_range(
    node: Node, method: bytes, asked: bytes, span: tuple[int, int, int]
) -> None:
    await node.ask(method, b"/photos/a%20b", *([(b"range", asked)] if asked else []))
    line = node.accesses()[-1]
    assert chosen(line, *TRACE)[1:] == ("photos", "a b", *span)
    assert line["etag"] == "9a0364b9e99bb480dd25e1f0284c8555"


@pytest.mark.parametrize("target", [b"/photos/absent", b"/photos", b"/"])
async def test_access_of_what_gives_no_object_tells_no_size(node: Node, target: bytes) -> None:
    await node.ask(b"GET", target)
    assert chosen(node.accesses()[-1], "size", "start", "length", "etag") == (None, None, None, None)


def test_detail_of_an_upload_in_chunks_has_the_size_within() -> None:
    access = Access(peer="", method=b"PUT", target=b"/b/k", request_id="R", started=0, operation="PutObject")
    headers = ((b"content-length", b"200"), (b"x-amz-decoded-content-length", b"100"))
    request = Request(b"PUT", b"/b/k", headers, Arriving(b"x" * 200), "")
    assert detail_of(access, finished(request, Response(200, [(b"etag", b'"a"')]))).size == 100


CHANGES: list[tuple[bytes, bytes, bytes | None, tuple[Header, ...], str]] = [
    (b"PUT", b"/other", None, (), "CreateBucket"),
    (b"PUT", b"/photos/k", b"x", (), "PutObject"),
    (b"PUT", b"/photos/k", None, ((b"x-amz-copy-source", b"/photos/a%20b"),), "CopyObject"),
    (b"DELETE", b"/photos/a%20b", None, (), "DeleteObject"),
    (b"PUT", b"/photos/a%20b?tagging", b"<Tagging><TagSet/></Tagging>", (), "PutObjectTagging"),
    (b"DELETE", b"/photos/a%20b?tagging", None, (), "DeleteObjectTagging"),
    (b"POST", b"/photos/k?uploads", None, (), "CreateMultipartUpload"),
]


@pytest.mark.parametrize(("method", "target", "content", "headers", "operation"), CHANGES)
async def test_change_is_in_the_audit_log_when_its_answer_begins(
    node: Node, method: bytes, target: bytes, content: bytes | None, headers: tuple[Header, ...], operation: str
) -> None:
    before = len(node.changes())
    response = await node.ask(method, target, *headers, content=content)
    assert response.status < 300
    (line,) = node.changes()[before:]
    assert chosen(line, "user", "peer", "operation", "status") == ("ann", "192.0.2.1", operation, response.status)
    assert line["bucket"] == target.decode()[1:].partition("/")[0]
    assert line["request_id"] == dict(response.headers)[b"x-amz-request-id"].decode()


async def test_copy_is_audited_once_with_its_source(node: Node) -> None:
    await node.ask(b"PUT", b"/photos/copy", (b"x-amz-copy-source", b"/photos/a%20b"))
    (line,) = [line for line in node.changes() if line["operation"] == "CopyObject"]
    assert chosen(line, "key", "source", "error") == ("copy", "/photos/a b", None)


async def test_every_key_of_delete_objects_has_a_line_of_its_own_with_its_outcome(node: Node) -> None:
    named = "<Object><Key>a b</Key><ETag>other</ETag></Object><Object><Key>none</Key></Object>"
    body = f"<Delete><Quiet>true</Quiet>{named}</Delete>".encode()
    digest = b64encode(md5(body, usedforsecurity=False).digest())
    await node.ask(b"POST", b"/photos?delete", (b"content-md5", digest), content=body)
    lines = [line for line in node.changes() if line["operation"] == "DeleteObjects"]
    assert {chosen(line, "key", "error") for line in lines} == {("a b", "PreconditionFailed"), ("none", None)}


@pytest.mark.parametrize("target", [b"/photos/a%20b", b"/photos", b"/", b"/photos/a%20b?tagging"])
async def test_read_is_not_audited(node: Node, target: bytes) -> None:
    before = node.changes()
    assert (await node.ask(b"GET", target)).status == 200
    assert node.changes() == before


async def test_change_that_failed_is_told_as_failed(node: Node) -> None:
    await node.ask(b"PUT", b"/photos/a%20b", (b"if-none-match", b"*"), content=b"x")
    assert chosen(node.changes()[-1], "operation", "key", "status", "error") == (
        "PutObject", "a b", 412, "PreconditionFailed",
    )  # fmt: skip


async def test_refusal_is_audited_whatever_was_asked_for() -> None:
    output = io.StringIO()
    refused = Access(
        peer="192.0.2.1", method=b"GET", target=b"/b/k", request_id="R", started=0, resource="/b/k", user="bob",
        operation="GetObject", error="AccessDenied",
    )  # fmt: skip
    await audit(AuditLog(output), refused, 403)
    line = json.loads(output.getvalue())
    assert chosen(line, "user", "operation", "bucket", "key", "status", "error") == (
        "bob", "GetObject", "b", "k", 403, "AccessDenied",
    )  # fmt: skip
