"""One exchange, from a request to its response, in an order that is the security of the whole.

Address, authenticate, route, authorize, then the body: nothing of a request is believed, and no byte of its body is
asked for, before it is known who sent it and that they may. The only place that turns errors into answers.
"""

import itertools
import secrets
import time
from dataclasses import dataclass
from functools import partial

import trio

from s3proxy.body import Origin
from s3proxy.gateway.authenticate import Authenticator
from s3proxy.gateway.authorize import authorize, authorize_source
from s3proxy.gateway.dispatch import dispatch
from s3proxy.gateway.pacing import Pacing
from s3proxy.gateway.recording import audit, detail_of, finished
from s3proxy.gateway.slow_answers import answer_in_time
from s3proxy.gateway.xml_body import receive_xml
from s3proxy.http1.messages import ConnectionLostError, Header, Request, Response, Sent
from s3proxy.http1.proxies import Proxies
from s3proxy.metrics.activity import Failure
from s3proxy.metrics.meters import Total
from s3proxy.metrics.work import Work
from s3proxy.s3 import model, responses
from s3proxy.s3.addressing import parse_address
from s3proxy.s3.cors import refuse_preflight
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.requests import BodyKind, RequestText, find_route, header_fields
from s3proxy.stores.base import ObjectStore, StoreUnavailableError
from s3proxy.telemetry import Access, AccessLog, AuditLog, current_client, current_request, log_error

_COPYING = (model.CopyObject, model.UploadPartCopy)
_SLOW = (model.CompleteMultipartUpload, *_COPYING)
_CLIENT_GONE = 499  # nginx's status for what was never answered; only ever in the access log

_COPIES = frozenset({"CopyObject", "UploadPartCopy"})  # which have a source, and that may be what is missing

_TOTALS: dict[Origin | None, Total] = {"local": Total.LOCAL_BYTES, "store": Total.STORE_BYTES}

# What clients ask in the course of things, and what nobody needs to read about.
_ORDINARY = frozenset({404, 412, 416})

_OWN_FAULTS = frozenset({500, 503})

# What http1 answers on its own, in S3's words.
_CODES_BY_STATUS = {
    400: ErrorCode.INVALID_REQUEST,
    408: ErrorCode.REQUEST_TIMEOUT,
    414: ErrorCode.INVALID_URI,
    431: ErrorCode.REQUEST_HEADER_SECTION_TOO_LARGE,
    501: ErrorCode.NOT_IMPLEMENTED,
    503: ErrorCode.SERVICE_UNAVAILABLE,
    505: ErrorCode.HTTP_VERSION_NOT_SUPPORTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a gateway says and listens to."""

    region: str
    domains: tuple[bytes, ...] = ()
    """For virtual-host addressing; lower case."""
    host_id: str = secrets.token_hex(16)
    """What tells this node from others in x-amz-id-2; the same for all its workers."""
    pacing: Pacing | None = None
    """How fast bodies are sent at most."""
    proxies: Proxies | None = None
    """Whose X-Forwarded-For and X-Forwarded-Proto are believed; nobody's when None."""
    audit_log: AuditLog | None = None
    """Told of changes before they are acknowledged, and of refusals."""


def _missing_name(code: ErrorCode, access: Access) -> dict[str, str]:
    """What is not there, by the name that the client has for it: the store behind may have another."""
    bucket, _, key = access.resource[1:].partition("/")
    if code is ErrorCode.NO_SUCH_KEY and access.operation not in _COPIES:
        return {"Key": key}
    if code is ErrorCode.NO_SUCH_BUCKET and access.operation not in _COPIES:
        return {"BucketName": bucket}
    return {}


class Gateway:
    """Answers requests from one store.

    Args:
        store: where the objects are; the caller closes it after the last request.
        authenticator: decides who sent a request.
        settings: see there.
        access_log: told about every request.
        jobs: a nursery that outlives the requests, for work that goes on when its client has gone.
        work: told what there was to do; None for nobody.
    """

    def __init__(
        self,
        store: ObjectStore,
        authenticator: Authenticator,
        settings: Settings,
        access_log: AccessLog,
        *,
        jobs: trio.Nursery,
        work: Work | None = None,
    ) -> None:
        self._store = store
        self._authenticator = authenticator
        self._settings = settings
        self._region = settings.region
        self._access_log = access_log
        self._audit_log = settings.audit_log or AuditLog(None)
        self._jobs = jobs
        self._work = work or Work()
        self._host_id = settings.host_id
        self._host_id_header: Header = (b"x-amz-id-2", self._host_id.encode())
        self._request_ids = itertools.count(secrets.randbits(56) << 4)

    async def answer(self, request: Request) -> Response:
        """Answer one request, errors included.

        Raises:
            ConnectionLostError: the client went away while it sent the body.
        """
        peer = request.peer
        if self._settings.proxies is not None:
            request, peer = _as_sent(request, self._settings.proxies)
        access = Access(
            peer=peer,
            method=request.method,
            target=request.target,
            request_id=f"{next(self._request_ids):016X}",
            started=time.monotonic(),
        )
        current_request.set(access.request_id)
        self._work.begin()
        try:
            response = await self._serve(request, access)
        except ConnectionLostError:
            await self._audit(access, _CLIENT_GONE)
            self._finish(request, access, Response(_CLIENT_GONE, []), None, Sent(0, is_complete=False))
            raise
        except Exception as error:
            response = self._error(error, access)
        if self._audit_log.is_on and not access.is_going_on:
            await audit(self._audit_log, access, response.status)
        source = None if isinstance(response.body, bytes) else _TOTALS.get(response.body.origin)
        if self._settings.pacing is not None:
            self._settings.pacing.slow_down(response)
        response.headers.append((b"x-amz-request-id", access.request_id.encode()))
        response.headers.append(self._host_id_header)
        response.on_sent = partial(self._finish, request, access, response, source)
        return response

    def _finish(self, request: Request, access: Access, response: Response, source: Total | None, sent: Sent) -> None:
        if self._access_log.wants_detail:
            detail = partial(detail_of, access, finished(request, response))
            self._access_log.write(
                access, response.status, sent.body_bytes, is_complete=sent.is_complete, detail=detail
            )
        else:
            self._access_log.write(access, response.status, sent.body_bytes, is_complete=sent.is_complete)
        received = request.body.received_bytes
        self._work.finish(access, response.status, response.begun_at, sent.body_bytes, received, source)

    async def _audit(self, access: Access, status: int) -> None:
        if self._audit_log.is_on:
            await audit(self._audit_log, access, status)

    def error_response(self, status: int, reason: str) -> Response:
        """The answer to what never became a request, or broke the handling of one."""
        code = _CODES_BY_STATUS.get(status, ErrorCode.INTERNAL_ERROR)
        request_id = f"{next(self._request_ids):016X}"
        if status not in _OWN_FAULTS:
            self._work.meters.add(Total.REQUESTS_REFUSED)
        response = responses.error(
            S3Error(code, reason), is_head=False, resource="/", request_id=request_id, host_id=self._host_id
        )
        response.status = status
        response.headers += [(b"x-amz-request-id", request_id.encode()), self._host_id_header]
        return response

    async def _serve(self, request: Request, access: Access) -> Response:
        address = parse_address(request.target, request.header(b"host"), self._settings.domains)
        access.resource = address.resource
        if request.method == b"OPTIONS":
            raise refuse_preflight(header_fields(request.headers))
        verified = self._authenticator.authenticate(request, address)
        if verified.user is not None:
            access.user = verified.user.display_name
        current_client.set(
            f"{access.user}@{access.peer}"
        )  # a user on one machine: balancers share a peer, teams a user
        fields = header_fields(verified.request.headers)
        route = find_route(request.method, address, fields)
        access.operation = route.operation.__name__
        objects = await authorize(verified, route.operation, self._store)
        if route.body is BodyKind.NONE and verified.payload.mode.is_streaming:
            raise S3Error(ErrorCode.INVALID_REQUEST, f"{route.operation.__name__} takes no aws-chunked body.")
        xml = await receive_xml(verified, route) if route.body is BodyKind.XML else b""
        operation = route.parse(RequestText(address, fields, xml))
        if isinstance(operation, _COPYING):
            access.source = f"/{operation.source.bucket}/{operation.source.key}"
            operation = await authorize_source(verified, operation, self._store)
        if not isinstance(operation, _SLOW):
            return await dispatch(self._store, objects, self._region, verified, operation, outcomes=access.outcomes)

        access.is_going_on = True

        async def work() -> Response:
            try:
                response = await dispatch(
                    self._store, objects, self._region, verified, operation, outcomes=access.outcomes
                )
            except Exception as error:
                response = self._error(error, access)
            await self._audit(access, response.status)
            return response

        return await answer_in_time(self._jobs, work)

    def _error(self, error: Exception, access: Access) -> Response:
        failure = self._failure(error, access)
        access.error = failure.code.wire_name
        if failure.code.status not in _ORDINARY:
            self._remember(failure, access)
        return responses.error(
            failure,
            is_head=access.method == b"HEAD",
            resource=access.resource,
            request_id=access.request_id,
            host_id=self._host_id,
        )

    def _remember(self, failure: S3Error, access: Access) -> None:
        self._work.activity.note_failure(
            Failure(
                at=time.time_ns() / 1e9,
                message=failure.message,
                code=failure.code.wire_name,
                status=failure.code.status,
                operation=access.operation,
                resource=access.resource,
                request_id=access.request_id,
            )
        )

    def _failure(self, error: Exception, access: Access) -> S3Error:
        about = {"operation": access.operation, "resource": access.resource}
        if isinstance(error, S3Error):
            if error.code.status >= 500 and error.__cause__ is not None:
                log_error(f"{error}: {error.__cause__!r}", **about)
            error.detail = {**error.detail, **_missing_name(error.code, access)}
            return error
        if isinstance(error, StoreUnavailableError):
            log_error(f"the store is unavailable: {error}", **about)
            return S3Error(ErrorCode.SLOW_DOWN)
        log_error("internal error", error, **about)
        return S3Error(ErrorCode.INTERNAL_ERROR)


def _as_sent(request: Request, proxies: Proxies) -> tuple[Request, str]:
    """A request with the scheme that the client used, where a balancer ends TLS; and the client's address."""
    forwarded_for = (value for name, value in request.headers if name == b"x-forwarded-for")
    client = proxies.client_of(request.peer, forwarded_for)
    scheme = proxies.scheme_of(request.peer, request.scheme, request.header(b"x-forwarded-proto"))
    return request if scheme == request.scheme else request._replace(scheme=scheme), client
