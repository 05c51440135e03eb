"""One request at a time, for what is not measured by throughput: preparing, checking, listing."""

import http.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from bench import BenchError
from bench.certificates import client_context
from bench.content import MIB, Thing, content, samples_of
from bench.requests import BUCKET, Endpoint, call_headers
from bench.signing import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD, Call, encode_query

_TIMEOUT_SECONDS = 120
_WHOLE_UP_TO = 64 * MIB
_NO_QUERY: Mapping[str, str] = {}
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole response."""

    status: int
    body: bytes
    etag: str = ""
    """With its quotes; empty where there was none."""


class Client:
    """A connection to one server. *Closes:* use ``connected``, which closes it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.connection = _connection(endpoint)

    def get(
        self, path: str, query: Mapping[str, str] = _NO_QUERY, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Response:
        """GET ``path``, which is encoded already."""
        path = f"{self._endpoint.base}{path}"
        call = Call(method="GET", path=path, query=query, headers=headers)
        target = f"{path}?{encode_query(query)}" if query else path
        self.connection.request("GET", target, headers=call_headers(self._endpoint, call))
        return self._response()

    def put(
        self,
        path: str,
        body: bytes | BinaryIO | Iterable[bytes] = b"",
        length: int = 0,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Response:
        """PUT ``length`` bytes to ``path``."""
        payload = UNSIGNED_PAYLOAD if length else EMPTY_PAYLOAD
        call = Call(method="PUT", path=path, query={}, headers=headers, payload=payload)
        return self.send(call, body if length else None, length)

    def send(self, call: Call, body: bytes | memoryview | BinaryIO | Iterable[bytes] | None, length: int) -> Response:
        """Any call that has a body of ``length`` bytes, or could have one."""
        call = replace(call, path=f"{self._endpoint.base}{call.path}")
        target = f"{call.path}?{encode_query(call.query)}" if call.query else call.path
        sent = {**call_headers(self._endpoint, call), "content-length": str(length)}
        self.connection.request(call.method, target, body=body, headers=sent)
        return self._response()

    def _response(self) -> Response:
        response = self.connection.getresponse()
        return Response(status=response.status, body=response.read(), etag=response.getheader("etag", ""))


def _connection(endpoint: Endpoint) -> http.client.HTTPConnection:
    if endpoint.trusted is None:
        return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=_TIMEOUT_SECONDS, blocksize=MIB)
    context = client_context(endpoint.trusted)
    return http.client.HTTPSConnection(
        endpoint.host, endpoint.port, timeout=_TIMEOUT_SECONDS, blocksize=MIB, context=context
    )


@contextmanager
def connected(endpoint: Endpoint) -> Iterator[Client]:
    """A client whose connection is closed at the end.

    Raises:
        BenchError: the connection broke, or what came was not HTTP.
    """
    client = Client(endpoint)
    try:
        yield client
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{endpoint.authority}: {type(error).__name__}: {error}") from error
    finally:
        client.connection.close()


def expect(response: Response, *statuses: int) -> Response:
    """The response, if its status is one of ``statuses``.

    Raises:
        BenchError: it is another.
    """
    if response.status not in statuses:
        raise BenchError(f"status {response.status} instead of {statuses}: {response.body[:400]!r}")
    return response


def check_objects(endpoint: Endpoint, objects: Iterable[Thing]) -> None:
    """Read objects and compare every byte; of those of more than 64 MiB only the ends and some places between.

    Raises:
        BenchError: one is missing or differs.
    """
    with connected(endpoint) as client:
        for each in objects:
            if each.size <= _WHOLE_UP_TO:
                _compare(each, 0, each.size, expect(client.get(f"/{BUCKET}/{each.key}"), 200).body)
                continue
            for start, stop in samples_of(each.size):
                ranged = {"range": f"bytes={start}-{stop - 1}"}
                _compare(each, start, stop, expect(client.get(f"/{BUCKET}/{each.key}", headers=ranged), 206).body)


def _compare(thing: Thing, start: int, stop: int, body: bytes) -> None:
    if len(body) != stop - start or any(
        body[place - start : place - start + MIB] != content(thing.number, place, min(place + MIB, stop))
        for place in range(start, stop, MIB)
    ):
        raise BenchError(f"{thing.key} does not hold what was written ({len(body)} bytes came)")
