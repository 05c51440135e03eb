"""HTTP/1.1 from the client's side, as bytes: whatever a test wants to say, it can say here, right or wrong."""

import re
import select
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

HOST = b"s3.test"
TIMEOUT_SECONDS = 20.0
"""No answer may take so long, on a busy machine either: a hang fails the test by name."""

_HEAD_END = b"\r\n\r\n"
_BUFFER = 256 * 1024

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be signed and sent; names of headers in the case in which they are sent."""

    method: bytes
    target: bytes
    headers: Headers = ((b"host", HOST),)
    body: bytes = b""

    def having(self, *headers: tuple[bytes, bytes]) -> "Call":
        """This call with further headers."""
        return replace(self, headers=(*self.headers, *headers))

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def render(self) -> bytes:
        """As sent. Only what must be there and is not is added: a Content-Length where there is a body."""
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target)]
        lines += [b"%b: %b" % header for header in self.headers]
        is_framed = self.header(b"content-length") is not None or self.header(b"transfer-encoding") is not None
        if not is_framed and (self.body or self.method in {b"PUT", b"POST"}):
            lines.append(b"content-length: %d" % len(self.body))
        return b"\r\n".join(lines) + _HEAD_END + self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, whole."""

    status: int
    headers: Headers
    body: bytes
    interim: int = 0
    """How many 1xx answers came before it."""

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def code(self) -> str | None:
        """The error code in the document, if there is one."""
        match = re.search(rb"<Code>([A-Za-z0-9]+)</Code>", self.body)
        return match[1].decode() if match else None

    def text(self, element: str) -> str:
        """The text of the first ``element``."""
        match = re.search(rf"<{element}>(.*?)</{element}>".encode(), self.body, re.DOTALL)
        assert match is not None, self.body
        return match[1].decode()


class NoAnswerError(Exception):
    """The server closed or reset the connection where an answer was due."""


class Connection:
    """One connection. *Closes:* use it in a ``with``."""

    def __init__(self, port: int, *, timeout: float = TIMEOUT_SECONDS, source: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0) if source else None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all, as far as the server takes it: one that has answered already may have closed."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def end_sending(self) -> None:
        """Half-close: the server sees the end of what comes from here."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def ask(self, call: Call) -> Answer:
        """Send one request and receive its answer."""
        self.send(call.render())
        return self.receive(call.method)

    def receive(self, method: bytes = b"GET") -> Answer:
        """Receive the answer to a request of ``method``.

        Raises:
            NoAnswerError: the connection ended before its last byte.
            TimeoutError: nothing came for ``timeout`` seconds.
        """
        interim = 0
        while True:
            head = self._until(_HEAD_END)
            lines = head[: -len(_HEAD_END)].split(b"\r\n")
            match = re.fullmatch(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\x20-\x7e]*", lines[0])
            assert match is not None, lines[0]
            status = int(match[1])
            if status >= 200:
                break
            interim += 1
        headers = tuple([self._field(line) for line in lines[1:]])
        has_body = method != b"HEAD" and status not in {204, 304}
        return Answer(status, headers, self._body(dict(headers)) if has_body else b"", interim)

    def has_ended(self) -> bool:
        """Whether the server has closed the connection by now, or said something unasked; does not wait for it."""
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        return bool(ready.poll(0))

    def is_ended(self) -> bool:
        """Whether the server closes the connection and sends nothing more; waits for it."""
        try:
            return not self._data and not self._socket.recv(1)
        except ConnectionResetError:
            return True

    def receive_some(self, count: int) -> int:
        """Receive at least ``count`` raw bytes, and forget them."""
        while len(self._data) < count:
            self._more()
        received, self._data = len(self._data), b""
        return received

    @staticmethod
    def _field(line: bytes) -> tuple[bytes, bytes]:
        match = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)", line)
        assert match is not None, line
        return match[1].lower(), match[2].rstrip()

    def _body(self, headers: dict[bytes, bytes]) -> bytes:
        if b"content-length" in headers:
            return self._exactly(int(headers[b"content-length"]))
        if headers.get(b"transfer-encoding") != b"chunked":
            return self._to_end()
        pieces = []
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            pieces.append(self._exactly(size + 2)[:-2])
        self._until(b"\r\n")
        return b"".join(pieces)

    def _until(self, mark: bytes) -> bytes:
        while (end := self._data.find(mark)) < 0:
            self._more()
        end += len(mark)
        found, self._data = self._data[:end], self._data[end:]
        return found

    def _exactly(self, count: int) -> bytes:
        pieces, missing = [self._data], count - len(self._data)
        while missing > 0:
            pieces.append(self._received())
            missing -= len(pieces[-1])
        data = b"".join(pieces)
        self._data = data[count:]
        return data[:count]

    def _to_end(self) -> bytes:
        while True:
            try:
                self._more()
            except NoAnswerError:
                break
        data, self._data = self._data, b""
        return data

    def _more(self) -> None:
        self._data += self._received()

    def _received(self) -> bytes:
        try:
            data = self._socket.recv(_BUFFER)
        except ConnectionResetError as error:
            raise NoAnswerError from error
        if not data:
            raise NoAnswerError
        return data


def ask(port: int, call: Call) -> Answer:
    """Send one request over a connection of its own."""
    with Connection(port) as connection:
        return connection.ask(call)


def ask_all(port: int, calls: Iterable[Call], *, batch: int = 32) -> list[Answer]:
    """Send many requests, pipelined while the server keeps the connection, in order."""
    waiting = list(calls)
    answers: list[Answer] = []
    while len(answers) < len(waiting):
        before = len(answers)
        try:
            with Connection(port) as connection:
                while todo := waiting[len(answers) : len(answers) + batch]:
                    connection.send(b"".join([call.render() for call in todo]))
                    answers += [connection.receive(call.method) for call in todo[:1]]
                    for call in todo[1:]:
                        answers.append(connection.receive(call.method))
        except NoAnswerError:
            assert len(answers) > before, f"no answer to {waiting[before]}"
    return answers
