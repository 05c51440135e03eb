"""One request to the store and its answer: signed, sent, repeated where that is safe, refusals translated.

Rules: what may have been acted on is repeated only where doing it twice is the same; nothing is repeated once a byte of
a body was taken or given out; no redirect is followed (rclone CVE-2026-71310).
"""

import itertools
import random
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Protocol, TypeVar

import trio

from s3proxy.http1.client import ClientResponse, NotSentError
from s3proxy.http1.messages import ConnectionLostError, Header
from s3proxy.s3.client.answers import MAX_DOCUMENT_BYTES, MalformedAnswerError
from s3proxy.s3.client.failures import MAX_ERROR_BYTES, Failure, parse_failure
from s3proxy.s3.client.request import StoreRequest
from s3proxy.s3.payload import EMPTY_PAYLOAD, Payload, PayloadMode
from s3proxy.s3.sigv4 import sign
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.s3.connections import Connections
from s3proxy.stores.s3.credentials import CredentialsProvider
from s3proxy.stores.s3.uploading import Upload

_FIRST_PAUSE_SECONDS: Final = 0.1
_MOST_PAUSE_SECONDS: Final = 3.0

_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_PASSING_NAMES = frozenset({"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling"})
_UNDONE_STATUSES = frozenset({429, 503})  # which say that the request was turned away
_EXPIRED_NAMES = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
# About the credentials of this gateway. A client that were told so would look for the fault in its own.
_CREDENTIAL_NAMES = frozenset({
    "AuthorizationHeaderMalformed",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
})  # fmt: skip
_REGION_STATUSES = frozenset({301, 307, 400})

_is_error_document = re.compile(rb"\s*(?:<\?xml[^>]*\?>)?\s*<Error[\s>]").match

# No proxy in between shall compress what is stored as it is.
_UNSIGNED_HEADERS: tuple[Header, ...] = ((b"accept-encoding", b"identity"),)

T = TypeVar("T")
Slot = AbstractAsyncContextManager[object]


class BucketUnusableError(StoreUnavailableError):
    """This one bucket cannot be used, through no fault of the client's; others can."""


class Limiter(Protocol):
    """Bounds the requests in flight."""

    def slot(self) -> Slot:
        """Hold one place from here until the body of the answer is closed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the store may take, in seconds."""

    deadline: float = 20.0
    """For a request, its turn and its repetitions, up to the head of the answer."""

    answer: float = 10.0
    """For one attempt."""

    slow_answer: float = 600.0
    """For what copies or joins objects within the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, received whole."""

    status: int
    headers: tuple[Header, ...]
    length: int | None
    body: bytes


class OpenAnswer:
    """An answer of which the body is still to come.

    *Closes:* the receiver calls ``aclose`` on every path; idempotent, never raises.
    """

    __slots__ = ("_response", "_slot", "headers", "length", "read", "receive_into", "status")

    def __init__(self, response: ClientResponse, slot: Slot | None) -> None:
        self.status = response.status
        self.headers = response.headers
        self.length = response.length
        self.read = response.read
        self.receive_into = response.receive_into
        self._response = response
        self._slot = slot

    async def aclose(self) -> None:
        """Close the response and give its slot back."""
        await self._response.aclose()
        slot, self._slot = self._slot, None
        await _leave(slot)


async def _leave(slot: Slot | None) -> None:
    if slot is not None:
        with trio.CancelScope(shield=True):
            await slot.__aexit__(None, None, None)


class _PassingError(Exception):
    """The same request may succeed later."""

    def __init__(self, message: str, *, is_undone: bool) -> None:
        super().__init__(message)
        self.is_undone = is_undone
        """The store surely acted on nothing."""


class Exchange:
    """Asks the store.

    Args:
        connections: to it.
        credentials: who signs.
        patience: how long to wait.
        limiter: bounds what is in flight; None for no bound.
        clock_ns: nanoseconds since the epoch, for signatures.
        jitter: a number from 0 to 1, anew for each pause.
    """

    def __init__(
        self,
        connections: Connections,
        credentials: CredentialsProvider,
        *,
        patience: Patience,
        limiter: Limiter | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = connections.endpoint
        self._connections = connections
        self._credentials = credentials
        self._patience = patience
        self._limiter = limiter
        self._clock_ns = clock_ns
        self._jitter = jitter

    async def ask(
        self, request: StoreRequest, parse: Callable[[Answer], T], *, can_repeat: bool = True, is_slow: bool = False
    ) -> T:
        """Send a request whose answer is a document or nothing.

        Args:
            request: what to ask.
            parse: reads the answer; a MalformedAnswerError of it is the store's fault.
            can_repeat: doing it twice is the same as doing it once.
            is_slow: the store may take minutes, and may say 200 before it knows better.

        Raises:
            S3Error: the store refuses.
            StoreUnavailableError: it cannot be reached in time, or answers what is no answer.
        """
        seconds = self._patience.slow_answer if is_slow else self._patience.answer

        async def once(slot: Slot | None) -> Answer:
            with trio.move_on_after(seconds):
                return await self._receive(slot, request, request.body, may_be_error=is_slow)
            raise _PassingError(f"no answer within {seconds:g} s", is_undone=False)

        answer = await self._repeat(once, lambda passing: passing.is_undone or can_repeat)
        return _parsed(parse, answer)

    async def open(self, request: StoreRequest, parse: Callable[[OpenAnswer], T]) -> tuple[T, OpenAnswer]:
        """Send a request whose answer has an object's bytes.

        Returns:
            What ``parse`` made of the head, and the answer, which the caller closes.

        Raises:
            S3Error: like ``ask``, and so is StoreUnavailableError.
        """
        seconds = self._patience.answer

        async def once(slot: Slot | None) -> OpenAnswer:
            with trio.move_on_after(seconds):
                return await self._open(slot, request, request.body)
            raise _PassingError(f"no answer within {seconds:g} s", is_undone=False)

        answer = await self._repeat(once, lambda _: True)
        try:
            return _parsed(parse, answer), answer
        except BaseException:
            await answer.aclose()
            raise

    async def send(self, request: StoreRequest, upload: Upload, parse: Callable[[Answer], T]) -> T:
        """Send a request whose body comes from a client.

        Raises:
            S3Error: the store refuses, or the body is not what the client claimed: then nothing was stored.
            ConnectionLostError: the client went away.
            StoreUnavailableError: like ``ask``.
        """
        prepared = replace(request, headers=upload.headers_for(request.headers))

        async def once(slot: Slot | None) -> Answer:
            return await self._receive(slot, prepared, upload)

        answer = await self._repeat(once, lambda _: upload.is_untouched)
        if not upload.is_verified:
            raise StoreUnavailableError("the store reports a body stored before it had all of it")
        return _parsed(parse, answer)

    # What they are made of

    async def _repeat(
        self, once: Callable[[Slot | None], Awaitable[T]], may_repeat: Callable[[_PassingError], bool]
    ) -> T:
        """Do it until it succeeds or fails for good, with exponential backoff and full jitter in between.

        Args:
            once: does it; takes over the slot.
            may_repeat: whether it may be done again after such an error.
        """
        deadline = trio.current_time() + self._patience.deadline
        for number in itertools.count():
            try:
                return await once(await self._enter(deadline))
            except _PassingError as passing:
                pause = self._jitter() * min(_MOST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0**number)
                if not may_repeat(passing) or trio.current_time() + pause >= deadline:
                    raise StoreUnavailableError(f"{self._endpoint.host}: {passing}") from passing
            await trio.sleep(pause)
        raise AssertionError("unreachable")

    async def _enter(self, deadline: float) -> Slot | None:
        """Wait for a place among the requests in flight, which costs nothing of the time that the store has.

        Raises:
            StoreUnavailableError: there was none in time.
        """
        if self._limiter is None:
            return None
        slot = self._limiter.slot()
        with trio.move_on_at(deadline):
            await slot.__aenter__()
            return slot
        raise StoreUnavailableError(f"{self._endpoint.host}: too many requests are in flight to send another in time")

    async def _open(self, slot: Slot | None, request: StoreRequest, body: bytes | Upload) -> OpenAnswer:
        """Send a request once; the answer is one of success."""
        try:
            answer = OpenAnswer(await self._send(request, body), slot)
        except BaseException:
            await _leave(slot)
            raise
        if answer.status < 300:
            return answer
        try:
            failure = await _failure_of(answer)
        finally:
            await answer.aclose()
        raise self._refusal(request, failure)

    async def _send(self, request: StoreRequest, body: bytes | Upload) -> ClientResponse:
        place = self._endpoint.place_of(request)
        headers = [(b"host", place.authority), *request.headers]
        credentials = await self._credentials.current()
        if credentials is not None:
            payload = _payload_of(body) if isinstance(body, bytes) else body.payload
            now = self._clock_ns() / 1e9
            headers = sign(request.method, place.target, headers, credentials=credentials, payload=payload, now=now)
        headers += _UNSIGNED_HEADERS
        client = await self._connections.client_of(place.name)
        started = time.monotonic()
        is_error = True
        try:
            response = await client.request(request.method, place.target, headers, body)
            is_error = response.status in _PASSING_STATUSES
        except ConnectionLostError as error:
            if not isinstance(body, bytes) and error is body.client_failure:
                is_error = False
                raise
            raise _PassingError(str(error), is_undone=isinstance(error, NotSentError)) from error
        finally:  # also of an attempt that took too long
            self._connections.meter.count(time.monotonic() - started, is_error=is_error)
        return response

    async def _receive(
        self, slot: Slot | None, request: StoreRequest, body: bytes | Upload, *, may_be_error: bool = False
    ) -> Answer:
        """Send a request once, and receive all of the answer."""
        answer = await self._open(slot, request, body)
        try:
            document = await answer.read(MAX_DOCUMENT_BYTES)
        except ConnectionLostError as error:
            raise _PassingError(str(error), is_undone=False) from error
        finally:
            await answer.aclose()
        if may_be_error and _is_error_document(document) is not None:
            failure = parse_failure(500, answer.headers, document)
            raise self._refusal(request, replace(failure, status=failure.code.status))
        return Answer(status=answer.status, headers=answer.headers, length=answer.length, body=document)

    def _refusal(self, request: StoreRequest, failure: Failure) -> Exception:
        """What a refusal means to who asked."""
        said = f"{failure.status} {failure.name} {failure.message}".rstrip()
        if failure.name in _EXPIRED_NAMES:
            self._credentials.forget()
            return _PassingError(said, is_undone=True)
        if failure.region is not None and failure.status in _REGION_STATUSES:
            return BucketUnusableError(
                f"the bucket {request.bucket} is in the region {failure.region}, which is not the one that this store "
                f"is configured for: {said}"
            )
        if failure.status < 400:
            return StoreUnavailableError(f"the store redirects, which is not followed: {said}")
        if failure.name in _CREDENTIAL_NAMES:
            return StoreUnavailableError(f"the store refuses the credentials of this gateway: {said}")
        if failure.status in _PASSING_STATUSES or failure.name in _PASSING_NAMES:
            return _PassingError(said, is_undone=failure.status in _UNDONE_STATUSES)
        return failure.error()


def _payload_of(body: bytes) -> Payload:
    return Payload(PayloadMode.DIGEST, sha256(body).hexdigest().encode()) if body else EMPTY_PAYLOAD


async def _failure_of(answer: OpenAnswer) -> Failure:
    try:
        body = await answer.read(MAX_ERROR_BYTES)
    except ConnectionLostError:  # the status says enough
        body = b""
    return parse_failure(answer.status, answer.headers, body)


def _parsed(parse: Callable[..., T], answer: Answer | OpenAnswer) -> T:
    try:
        return parse(answer)
    except MalformedAnswerError as error:
        raise StoreUnavailableError(f"the store answers wrongly: {error}") from error
