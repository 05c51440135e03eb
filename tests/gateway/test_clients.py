"""Who is named in the log and takes turns: the client, not the balancer in between, nor whoever it names itself."""

import io
from pathlib import Path

import pytest
import trio

from s3proxy.gateway.authenticate import OpenAuthenticator
from s3proxy.gateway.exchange import Gateway, Settings
from s3proxy.http1.messages import EmptyBody, Header, Request, Response, Sent
from s3proxy.http1.proxies import Proxies
from s3proxy.stores.local.store import LocalStore
from s3proxy.telemetry import AccessLog, current_client
from tests.s3.incoming import Pieces

BALANCER, CLIENT, STRANGER = "192.0.2.1", "203.0.113.9", "198.51.100.7"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore.open(tmp_path, fsync=False)


async def named(store: LocalStore, peer: str, *headers: Header, proxies: Proxies | None) -> tuple[str, str]:
    """Whom the access log names, and who takes a turn at the store."""
    stream = io.StringIO()
    log = AccessLog(stream)
    async with trio.open_nursery() as jobs:
        gateway = Gateway(store, OpenAuthenticator("ann"), Settings(region="x", proxies=proxies), log, jobs=jobs)
        response = await gateway.answer(Request(b"GET", b"/", ((b"host", b"x"), *headers), EmptyBody(), peer))
        assert response.on_sent is not None
        response.on_sent(Sent(0, is_complete=True))
    await store.aclose()
    log.flush()
    return stream.getvalue().split(" ")[1], current_client.get().partition("@")[2]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        (BALANCER, b"10.0.0.1, 203.0.113.9", CLIENT),
        (STRANGER, b"203.0.113.9", STRANGER),
    ],
)
async def test_client_is_whom_a_trusted_balancer_names(
    store: LocalStore, peer: str, forwarded_for: bytes, client: str
) -> None:
    # RustFS CVE-2026-21862: X-Forwarded-For was believed of anybody.
    header = (b"x-forwarded-for", forwarded_for)
    assert await named(store, peer, header, proxies=Proxies([BALANCER])) == (client, client)


async def test_nobody_is_believed_where_no_balancer_is_configured(store: LocalStore) -> None:
    header = (b"x-forwarded-for", b"203.0.113.9")
    assert await named(store, BALANCER, header, proxies=None) == (BALANCER, BALANCER)


@pytest.mark.parametrize(
    ("peer", "forwarded_proto", "scheme"),
    [
        (BALANCER, b"https", b"https"),
        (BALANCER, b"ftp", b"http"),
        (STRANGER, b"https", b"http"),
    ],
)
async def test_location_of_an_upload_has_the_scheme_that_a_trusted_balancer_names(
    store: LocalStore, peer: str, forwarded_proto: bytes, scheme: bytes
) -> None:
    async with trio.open_nursery() as jobs:
        settings = Settings(region="x", proxies=Proxies([BALANCER]))
        gateway = Gateway(store, OpenAuthenticator("ann"), settings, AccessLog(None), jobs=jobs)

        async def ask(method: bytes, target: bytes, body: bytes = b"") -> Response:
            headers = ((b"host", b"s3.test"), (b"content-length", b"%d" % len(body)))
            forwarded = (b"x-forwarded-proto", forwarded_proto)
            return await gateway.answer(Request(method, target, (*headers, forwarded), Pieces(body), peer))

        await ask(b"PUT", b"/lake")
        upload = element("UploadId", (await ask(b"POST", b"/lake/key?uploads")).body)
        part = await ask(b"PUT", b"/lake/key?partNumber=1&uploadId=" + upload, b"data")
        etag = dict(part.headers)[b"etag"]
        listed = b"<Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>" % etag
        done = await ask(
            b"POST",
            b"/lake/key?uploadId=" + upload,
            b"<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % listed,
        )
    await store.aclose()
    assert element("Location", done.body) == b"%s://s3.test/lake/key" % scheme


def element(name: str, body: object) -> bytes:
    """The text of an element of an answer."""
    assert isinstance(body, bytes)
    return body.partition(f"<{name}>".encode())[2].partition(f"</{name}>".encode())[0]
