"""HTTP/1.1 heads as the relay needs them: what is asked, where the body ends, and one header changed at a time."""

from dataclasses import dataclass, replace

import trio

_RECEIVE = 256 * 1024
_END = b"\r\n\r\n"

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers, their names as they came."""

    line: bytes
    headers: Headers

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header called ``name`` (lower case), or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def having(self, name: bytes, value: bytes | None) -> "Head":
        """This head with another value of that header, or without it."""
        rest = tuple([each for each in self.headers if each[0].lower() != name.lower()])
        return replace(self, headers=rest if value is None else (*rest, (name, value)))

    def render(self) -> bytes:
        """As it is sent."""
        return b"\r\n".join([self.line, *(b"%b: %b" % each for each in self.headers)]) + _END

    @property
    def method(self) -> bytes:
        """Of a request."""
        return self.line.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        """Of a request: path and query, as sent."""
        return self.line.split(b" ")[1]

    @property
    def path(self) -> str:
        """Of a request: its target without the query, still percent-encoded."""
        return self.target.split(b"?", 1)[0].decode("latin-1")

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.line.split(b" ", 2)[1])

    @property
    def is_chunked(self) -> bool:
        """Whether the body is in chunked transfer coding."""
        return (self.header(b"transfer-encoding") or b"").lower().endswith(b"chunked")

    @property
    def length(self) -> int | None:
        """The announced length of the body."""
        value = self.header(b"content-length")
        return None if value is None else int(value)


def parse_head(data: bytes) -> Head:
    """Read a head up to and without its empty line."""
    line, *rest = data.split(b"\r\n")
    pairs = [each.partition(b":") for each in rest]
    return Head(line, tuple([(name, value.strip()) for name, _, value in pairs]))


class Reader:
    """What arrives on a socket: heads, and between them so many bytes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._data = b""

    async def head(self) -> Head | None:
        """The next head, or None at the end."""
        data = await self.until(_END)
        return parse_head(data[: -len(_END)]) if data else None

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with ``mark``; nothing when the end comes first."""
        while (end := self._data.find(mark)) < 0:
            if not (more := await self._stream.receive_some(_RECEIVE)):
                return b""
            self._data += more
        end += len(mark)
        found, self._data = self._data[:end], self._data[end:]
        return found

    async def some(self, most: int) -> bytes:
        """At least one byte and at most so many; nothing at the end."""
        if not self._data:
            return bytes(await self._stream.receive_some(min(most, _RECEIVE)))
        found, self._data = self._data[:most], self._data[most:]
        return found
