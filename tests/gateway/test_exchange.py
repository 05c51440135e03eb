"""The order of an exchange, and how it ends; what operations answer is tested over real sockets."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from s3proxy.gateway.authenticate import SignatureAuthenticator, User
from s3proxy.gateway.exchange import Gateway, Settings
from s3proxy.http1.messages import ConnectionLostError, EmptyBody, Header, Request, RequestBody, Response, Sent
from s3proxy.metrics.meters import Total
from s3proxy.metrics.work import Work
from s3proxy.s3 import model
from s3proxy.s3.payload import parse_payload
from s3proxy.s3.sigv4 import Credentials, sign
from s3proxy.stores.base import OpenObject, StoreUnavailableError
from s3proxy.stores.local.failures import s3_error_of
from s3proxy.stores.local.store import LocalStore
from s3proxy.telemetry import AccessLog

NOW = 1_700_000_000.0
ANN = User(model.Owner("ann", "ann"), "AKANN", "the secret of ann")
BOB = User(model.Owner("bob", "bob"), "AKBOB", "the secret of bob")


class Untouchable(RequestBody):
    """A body that must not be asked for."""

    length: int | None = 3

    async def receive_into(self, buffer: memoryview) -> int:
        raise AssertionError("the body was asked for")


class Lost(RequestBody):
    """A body whose sender has gone."""

    length: int | None = 3

    async def receive_into(self, buffer: memoryview) -> int:
        raise ConnectionLostError("gone")


class Node:
    """A gateway over a directory, with its log."""

    def __init__(self, store: LocalStore, jobs: trio.Nursery) -> None:
        self.log = io.StringIO()
        self._access_log = AccessLog(self.log)
        self.work = Work()
        self.gateway = Gateway(
            store,
            SignatureAuthenticator([ANN, BOB], clock=lambda: NOW),
            Settings(region="eu-north-1", domains=(b"s3.example.com",)),
            self._access_log,
            jobs=jobs,
            work=self.work,
        )

    async def ask(
        self,
        method: bytes,
        target: bytes,
        *headers: Header,
        user: User | None = ANN,
        body: RequestBody | None = None,
        body_bytes: int = 0,
    ) -> Response:
        """Ask as ``user``, and let the response be sent."""
        whole = [(b"host", b"localhost"), *headers]
        if body is not None:
            whole.append((b"content-length", b"%d" % (body.length or 0)))
        if user is not None:
            credentials = Credentials(access_key=user.access_key, secret_key=user.secret_key, region="us-east-1")
            payload = parse_payload(b"UNSIGNED-PAYLOAD")
            whole = sign(method, target, whole, credentials=credentials, payload=payload, now=NOW)
        response = await self.gateway.answer(Request(method, target, tuple(whole), body or EmptyBody(), "192.0.2.1"))
        assert response.on_sent is not None
        response.on_sent(Sent(len(response.body) if isinstance(response.body, bytes) else body_bytes, is_complete=True))
        return response

    def lines(self) -> list[str]:
        """The access log so far."""
        self._access_log.flush()
        return self.log.getvalue().splitlines()


class BrokenStore(LocalStore):
    """Fails when an object is read."""

    failure: Exception

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        raise self.failure


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    store = LocalStore.open(tmp_path, fsync=False)
    async with trio.open_nursery() as jobs:
        yield Node(store, jobs)
    await store.aclose()


async def read_from_broken(root: Path, failure: Exception) -> Response:
    """What is answered when reading an object fails so."""
    store = BrokenStore.open(root, fsync=False)
    store.failure = failure
    async with trio.open_nursery() as jobs:
        node = Node(store, jobs)
        await node.ask(b"PUT", b"/photos")
        response = await node.ask(b"GET", b"/photos/cat.jpg")
    await store.aclose()
    return response


def code_of(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


async def test_body_is_not_asked_for_before_the_signature_holds(node: Node) -> None:
    forger = User(ANN.owner, "AKANN", "a guess")
    response = await node.ask(b"PUT", b"/photos/cat.jpg", user=forger, body=Untouchable())
    assert (response.status, code_of(response)) == (403, "SignatureDoesNotMatch")


async def test_body_is_not_asked_for_before_access_is_granted(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    for target in (b"/photos/cat.jpg", b"/photos?tagging"):
        for user in (BOB, None):
            response = await node.ask(b"PUT", target, user=user, body=Untouchable())
            assert (response.status, code_of(response)) == (403, "AccessDenied")


async def test_body_is_not_asked_for_where_the_head_is_refused(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    response = await node.ask(b"PUT", b"/photos/cat.jpg", (b"content-md5", b"nonsense"), body=Untouchable())
    assert (response.status, code_of(response)) == (400, "InvalidDigest")


async def test_operation_that_does_not_exist_is_not_told_to_a_stranger(node: Node) -> None:
    response = await node.ask(b"PUT", b"/photos?lifecycle", user=User(ANN.owner, "AKANN", "a guess"))
    assert code_of(response) == "SignatureDoesNotMatch"


async def test_every_answer_carries_the_ids_that_its_document_names(node: Node) -> None:
    response = await node.ask(b"GET", b"/nowhere/key")
    headers = dict(response.headers)
    assert isinstance(response.body, bytes)
    assert b"<RequestId>" + headers[b"x-amz-request-id"] + b"</RequestId>" in response.body
    assert b"<HostId>" + headers[b"x-amz-id-2"] + b"</HostId>" in response.body
    assert b"<Resource>/nowhere/key</Resource>" in response.body


async def test_bug_answers_500_without_telling_the_client_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    response = await read_from_broken(tmp_path, ZeroDivisionError("an inner matter"))
    assert (response.status, code_of(response)) == (500, "InternalError")
    assert b"inner matter" not in bytes(response.body if isinstance(response.body, bytes) else b"")
    assert "ZeroDivisionError: an inner matter" in capsys.readouterr().err


async def test_disk_that_fails_is_told_to_the_operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failure = s3_error_of(OSError(5, "Input/output error"))
    failure.__cause__ = OSError(5, "Input/output error")
    response = await read_from_broken(tmp_path, failure)
    assert (response.status, code_of(response)) == (500, "InternalError")
    assert "Input/output error" in capsys.readouterr().err


async def test_store_that_cannot_be_reached_answers_503(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    response = await read_from_broken(tmp_path, StoreUnavailableError("no answer"))
    assert (response.status, code_of(response)) == (503, "SlowDown")
    assert "no answer" in capsys.readouterr().err


async def test_each_request_is_one_line_of_the_log(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    await node.ask(b"GET", b"/photos/cat.jpg")
    created, missing = node.lines()
    assert " 192.0.2.1 ann CreateBucket PUT /photos 200 - 0 " in created
    assert " 192.0.2.1 ann GetObject GET /photos/cat.jpg 404 NoSuchKey " in missing


async def test_client_that_goes_away_while_it_sends_is_logged(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    with pytest.raises(ConnectionLostError):
        await node.ask(b"PUT", b"/photos/cat.jpg", body=Lost())
    assert " PutObject PUT /photos/cat.jpg 499 - 0 broken-off " in node.lines()[-1]


async def test_bucket_may_be_named_by_the_host(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    response = await node.gateway.answer(
        Request(b"GET", b"/cat.jpg", ((b"host", b"photos.s3.example.com"),), EmptyBody(), "192.0.2.1")
    )
    assert isinstance(response.body, bytes)
    assert b"<Resource>/photos/cat.jpg</Resource>" in response.body


async def test_location_is_the_configured_region(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    response = await node.ask(b"GET", b"/photos?location")
    assert isinstance(response.body, bytes)
    assert b">eu-north-1<" in response.body


@pytest.mark.parametrize(
    ("status", "code"), [(400, "InvalidRequest"), (408, "RequestTimeout"), (431, "RequestHeaderSectionTooLarge")]
)
async def test_what_never_became_a_request_is_answered_in_s3_form(node: Node, status: int, code: str) -> None:
    response = node.gateway.error_response(status, "The reason.")
    assert (response.status, code_of(response)) == (status, code)
    assert b"x-amz-request-id" in dict(response.headers)


# What is told of the work


def counted(node: Node) -> dict[str, dict[int, int]]:
    """Requests by operation and status."""
    node.work.settle()
    return {name: reading.statuses for name, reading in node.work.meters.read().operations.items()}


async def test_requests_are_counted_by_operation_and_status(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    await node.ask(b"GET", b"/photos/cat.jpg")
    await node.ask(b"GET", b"/photos/cat.jpg", user=None)
    await node.ask(b"GET", b"/photos/cat.jpg", user=User(ANN.owner, "AKANN", "a guess"))
    assert counted(node) == {"CreateBucket": {200: 1}, "GetObject": {404: 1, 403: 1}, "unknown": {403: 1}}
    assert node.work.in_flight == 0


async def test_request_is_in_flight_until_its_answer_was_sent(node: Node) -> None:
    request = Request(b"GET", b"/", ((b"host", b"localhost"),), EmptyBody(), "192.0.2.1")
    response = await node.gateway.answer(request)
    assert node.work.in_flight == 1
    assert response.on_sent is not None
    response.on_sent(Sent(0, is_complete=True))
    assert node.work.in_flight == 0


async def test_request_whose_client_goes_is_counted_as_such(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    with pytest.raises(ConnectionLostError):
        await node.ask(b"PUT", b"/photos/cat.jpg", body=Lost())
    assert counted(node)["PutObject"] == {499: 1}
    assert node.work.in_flight == 0


async def test_what_never_became_a_request_is_counted_apart(node: Node) -> None:
    node.gateway.error_response(400, "The head is malformed.")
    node.gateway.error_response(503, "There are too many connections.")  # counted where it is refused
    assert node.work.meters.read().totals[Total.REQUESTS_REFUSED] == 1
    assert counted(node) == {}


async def test_bytes_of_a_local_store_are_counted_as_such(node: Node, tmp_path: Path) -> None:
    await node.ask(b"PUT", b"/photos")
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    response = await node.ask(b"GET", b"/photos/cat.jpg", body_bytes=4)
    assert response.status == 200
    counted(node)
    assert node.work.meters.read().totals[Total.LOCAL_BYTES] == 4


async def test_failure_is_remembered_in_words_but_not_what_clients_ask_in_the_course_of_things(node: Node) -> None:
    await node.ask(b"PUT", b"/photos")
    await node.ask(b"GET", b"/photos/missing")
    await node.ask(b"GET", b"/photos/cat.jpg", user=None)
    (error,) = json.loads(node.work.activity.report())["errors"]
    assert error["at"] > NOW
    assert {name: error[name] for name in ("code", "status", "operation", "resource")} == {
        "code": "AccessDenied",
        "status": 403,
        "operation": "GetObject",
        "resource": "/photos/cat.jpg",
    }
    assert error["message"] == "Access Denied"
    assert error["request_id"] in node.lines()[-1]


async def test_no_secret_of_a_presigned_query_is_reported(node: Node) -> None:
    secret = b"5e" * 32
    query = b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKANN%2F20231114%2Feu%2Fs3%2Faws4_request"
    query += b"&X-Amz-Date=20231114T221320Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    query += b"&X-Amz-Security-Token=" + secret + b"&X-Amz-Signature=" + secret
    response = await node.ask(b"GET", b"/photos/cat.jpg?" + query, user=None)
    assert response.status in {400, 403}
    report = node.work.activity.report()
    assert b"/photos/cat.jpg" in report
    assert secret not in report
    assert b"X-Amz-Signature=" not in report
