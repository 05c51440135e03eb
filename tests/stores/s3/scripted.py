"""An S3 that answers exactly what a test says, and what it was asked."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5

from s3proxy.metrics.meters import StoreMeter
from s3proxy.s3.sigv4 import Credentials
from s3proxy.stores.s3.conditional import ConditionalWrites
from s3proxy.stores.s3.credentials import CredentialsProvider, FixedCredentials
from s3proxy.stores.s3.exchange import Limiter, Patience
from s3proxy.stores.s3.store import S3Store, Settings
from tests.http1.client.scripted import Peer, Received, serving

CREDENTIALS = Credentials(access_key="key", secret_key="secret", region="us-east-1")
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"
MODIFIED_NS = 784_111_777 * 10**9
QUICK = Patience(deadline=0.5, answer=0.3, slow_answer=0.5)

Answer = bytes


class Cut(bytes):
    """An answer after which the server closes."""

    __slots__ = ()


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """A response; ``headers`` may announce another length than that of ``body``."""
    fields = {"Content-Length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body


def refusal(status: int, code: str, extra: str = "") -> Answer:
    return answer(status, f"<Error><Code>{code}</Code><Message>so it is</Message>{extra}</Error>".encode())


def stored(data: bytes, headers: Mapping[str, str] | None = None, *, etag: str | None = None) -> Answer:
    """The answer to a GET of a whole object."""
    tag = f'"{md5(data, usedforsecurity=False).hexdigest() if etag is None else etag}"'
    return answer(200, data, {"ETag": tag, "Last-Modified": MODIFIED, **(headers or {})})


def described(size: int, headers: Mapping[str, str] | None = None, etag: str = "e") -> Answer:
    """The answer to a HEAD."""
    fields = {"Content-Length": str(size), "ETag": f'"{etag}"', "Last-Modified": MODIFIED, **(headers or {})}
    return answer(200, b"", fields)


def spanned(data: bytes, start: int, size: int, etag: str = "e") -> Answer:
    """The answer to a GET of a range."""
    content_range = f"bytes {start}-{start + len(data) - 1}/{size}"
    return answer(206, data, {"ETag": f'"{etag}"', "Last-Modified": MODIFIED, "Content-Range": content_range})


@dataclass(slots=True)
class Script:
    """Gives one answer after another, whatever connection the request comes by."""

    answers: list[Answer]
    requests: list[Received] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.request())
            given = self.answers.pop(0)
            await peer.send(given)
            if isinstance(given, Cut):
                return

    def asked(self) -> list[str]:
        """Method and target of each request."""
        return [f"{request.head.method.decode()} {request.head.target.decode()}" for request in self.requests]

    def header(self, name: str, number: int = -1) -> str | None:
        """A header of one of the requests."""
        headers = dict(self.requests[number].head.headers)
        value = headers.get(name.encode())
        return None if value is None else value.decode("latin-1")


@asynccontextmanager
async def s3_of(
    *answers: Answer,
    patience: Patience = QUICK,
    credentials: CredentialsProvider | None = None,
    limiter: Limiter | None = None,
    meter: StoreMeter | None = None,
    checksum_trailers: bool = False,
    conditional_writes: ConditionalWrites = "all",
    bucket_seconds: float = 5.0,
) -> AsyncIterator[tuple[S3Store, Script]]:
    """A store over a server that gives these answers; checks that no descriptor stays open."""
    script = Script(list(answers))
    async with serving(script) as served:
        settings = Settings(
            endpoint=f"http://127.0.0.1:{served.port}",
            patience=patience,
            checksum_trailers=checksum_trailers,
            conditional_writes=conditional_writes,
            bucket_seconds=bucket_seconds,
        )
        store = S3Store.open(
            settings,
            credentials=credentials or FixedCredentials(CREDENTIALS),
            limiter=limiter,
            meter=meter,
            jitter=lambda: 0.01,
        )
        yield store, script
        await store.aclose()
