"""What the node says about itself: the access log and the error log; and whom it is working for."""

import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TextIO

import trio

_FLUSH_SECONDS = 0.2
_MAX_LINES = 100_000  # about 20 MB; a log that nobody takes must not take the memory

current_client: ContextVar[str] = ContextVar("current_client", default="")
"""Who sent the request that this task works for; inherited by the tasks that it starts. Empty for the node itself."""

recent_errors: Final[deque[tuple[float, str]]] = deque(maxlen=50)
"""What ``log_error`` said last, and when, in seconds since 1970."""


@dataclass(slots=True, kw_only=True)
class Access:
    """One request as the access log tells it; filled in while the request goes through the gateway."""

    peer: str
    method: bytes
    target: bytes
    request_id: str
    started: float
    """``time.monotonic()`` at the start."""
    resource: str = "/"
    user: str = "-"
    operation: str = "-"
    error: str = "-"


class AccessLog:
    """One line a request, written in the background so that a slow log never holds up a response.

    Lines wait in memory for at most 0.2 s; when more than 100,000 wait, further ones are dropped and counted in the
    log itself. *Closes:* ``run`` writes what is left when it is cancelled; it does not close the stream.
    """

    def __init__(self, stream: TextIO | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lines: list[str] = []
        self._dropped = 0
        self._second = -1
        self._stamp = ""

    def write(self, access: Access, status: int, sent_bytes: int, *, is_complete: bool) -> None:
        """Take one finished request into the log."""
        if self._stream is None:
            return
        if len(self._lines) >= _MAX_LINES:
            self._dropped += 1
            return
        milliseconds = (self._clock() - access.started) * 1000
        self._lines.append(
            f"{self._now()} {access.peer} {_word(access.user)} {access.operation} {access.method.decode('latin-1')} "
            f"{_printable(access.target)} {status} {access.error} {sent_bytes}{'' if is_complete else ' broken-off'} "
            f"{milliseconds:.1f}ms {access.request_id}\n"
        )

    async def run(self) -> None:
        """Write the lines out until cancelled."""
        try:
            while True:
                await trio.sleep(_FLUSH_SECONDS)
                if self._lines:
                    await trio.to_thread.run_sync(self.flush)
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait. Blocks; a stream that refuses them loses them."""
        lines, self._lines = self._lines, []
        if self._dropped:
            lines.append(f"{self._now()} access log: {self._dropped} lines dropped, the log is too slow\n")
            self._dropped = 0
        if self._stream is not None and lines:
            with suppress(OSError, ValueError):
                self._stream.write("".join(lines))
                self._stream.flush()

    def _now(self) -> str:
        milliseconds = time.time_ns() // 1_000_000
        second = milliseconds // 1000
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{milliseconds % 1000:03d}Z"


def log_error(message: str, error: BaseException | None = None) -> None:
    """Say on standard error what an operator should know, with the traceback of ``error`` behind it."""
    recent_errors.append((time.time_ns() / 1e9, message))
    trace = "" if error is None else "".join(traceback.format_exception(error))
    with suppress(OSError, ValueError):
        sys.stderr.write(f"s3proxy: {message}\n{trace}")
        sys.stderr.flush()


def _word(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c != " " else "_" for c in name)


def _printable(target: bytes) -> str:
    # The query of a presigned URL carries a signature that is as good as a key while it lasts: never log it.
    path, mark, query = target.partition(b"?")
    shown = path.decode("latin-1") + ("?" + _without_secrets(query.decode("latin-1")) if mark else "")
    return shown if shown.isascii() and shown.isprintable() and " " not in shown else ascii(shown).replace(" ", "\\x20")


_SECRET_PARAMETERS = ("x-amz-signature", "x-amz-credential", "x-amz-security-token", "signature", "awsaccesskeyid")


def _without_secrets(query: str) -> str:
    fields = query.split("&")
    if len(query) > 2048:
        return "..."
    return "&".join(
        f"{name}=..." if name.lower() in _SECRET_PARAMETERS else field
        for field, name in ((field, field.partition("=")[0]) for field in fields)
    )
