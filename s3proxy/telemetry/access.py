"""The access log: one line for each request that was answered, or that broke off.

As JSON a line holds what a trace for a cache needs: ``operation``, ``bucket``, ``key``, the object's ``size`` and
``etag``, and of what was asked ``start`` and ``length``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import trio

from s3proxy.telemetry.lines import Lines, Output
from s3proxy.telemetry.text import MOST_LINE_BYTES, quoted, shown_target, stamp, word

_FLUSH_SECONDS = 0.2
_MOST_PATH: Final = 1024
_MOST_NAME: Final = 128
_MOST_AGENT: Final = 256

_BATCH: Final = 64
"""So many lines are made at once, which takes half the time: code and words stay close to the processor."""


@dataclass(slots=True, kw_only=True)
class Access:
    """One request as the logs tell it; filled in while the request goes through the gateway."""

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
    source: str = ""
    """Of a copy: ``/bucket/key``."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Of a request for several keys: key -> error code, or ``-``."""
    is_going_on: bool = False
    """Its outcome is known only after its answer has begun."""


class Detail(NamedTuple):  # which is made in half the time of a frozen dataclass
    """What only the JSON form tells."""

    agent: str = ""
    received_bytes: int = 0
    first_byte_at: float | None = None
    """``time.monotonic()``"""
    etag: str = ""
    size: int | None = None
    """Of the object that was read or written; None where there is none."""
    start: int | None = None
    length: int | None = None
    """The range of it that was asked for."""


_NO_DETAIL: Final = Detail()
_Outcome = tuple[int, int, float, bool]  # nanoseconds since 1970, bytes sent, seconds, whether that was all
_Finished = tuple[Access, int, _Outcome, Callable[[], Detail] | None]


class AccessLog:
    """One line a request, written in the background so that a slow log never holds up a response.

    Lines wait in memory for 0.2 s at most, and 16 MiB of them at most. *Closes:* ``run`` writes what is left when it is
    cancelled; it does not close the output.

    Args:
        output: where to; None for nowhere.
        is_json: the form.
        worker: whose requests these are.
        clock: that of ``Access.started``.
    """

    def __init__(
        self,
        output: Output | None,
        *,
        is_json: bool = False,
        worker: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines: Final = Lines(output, "access")
        self._is_on = output is not None
        self.wants_detail: Final = is_json and output is not None
        """Whether ``write`` has a use for it."""
        self._worker = worker
        self._clock = clock
        self._finished: list[_Finished] = []

    def write(
        self,
        access: Access,
        status: int,
        sent_bytes: int,
        *,
        is_complete: bool,
        detail: Callable[[], Detail] | None = None,
    ) -> None:
        """Take one finished request into the log; ``detail`` is asked for when its line is made."""
        if not self._is_on:
            return
        outcome = (time.time_ns(), sent_bytes, self._clock() - access.started, is_complete)
        self._finished.append((access, status, outcome, detail))
        if len(self._finished) >= _BATCH:
            self._settle()

    def _settle(self) -> None:
        for access, status, outcome, detail in self._finished:
            if self.wants_detail:
                line = self._json_line(access, status, outcome, detail)
            else:
                line = _as_console(access, status, outcome)
            self._lines.put(line)
        self._finished.clear()

    def _json_line(self, access: Access, status: int, outcome: _Outcome, detail: Callable[[], Detail] | None) -> str:
        line = _as_json(access, status, outcome, detail() if detail else _NO_DETAIL, self._worker)
        if len(line) > MOST_LINE_BYTES:  # a key of strange characters: it goes before path and agent
            line = _as_json(replace(access, target=b"..."), status, outcome, _NO_DETAIL, self._worker)
        return line

    async def run(self) -> None:
        """Write the lines out until cancelled."""
        try:
            while True:
                await trio.sleep(_FLUSH_SECONDS)
                self._settle()
                if lines := self._lines.take():
                    with trio.CancelScope(shield=True):  # what was taken is written
                        await trio.to_thread.run_sync(self._lines.write, lines)
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait. Blocks; an output that refuses them loses them."""
        self._settle()
        self._lines.write(self._lines.take())


def _as_console(access: Access, status: int, outcome: _Outcome) -> str:
    at, sent_bytes, seconds, is_complete = outcome
    return (
        f"{stamp(at)} {word(access.peer)} {word(access.user)} {access.operation} {access.method.decode('latin-1')} "
        f"{shown_target(access.target)} {status} {access.error} {sent_bytes}{'' if is_complete else ' broken-off'} "
        f"{seconds * 1000:.1f}ms {access.request_id}\n"
    )


def _as_json(access: Access, status: int, outcome: _Outcome, detail: Detail, worker: int) -> str:
    at, sent_bytes, seconds, is_complete = outcome
    bucket, _, key = access.resource[1:].partition("/")
    first_byte = "null" if detail.first_byte_at is None else f"{detail.first_byte_at - access.started:.6f}"
    return (
        f'{{"time":"{stamp(at)}","request_id":"{access.request_id}","worker":{worker},'
        f'"peer":{quoted(access.peer, _MOST_NAME)},"user":{_or_null(access.user)},'
        f'"operation":{_or_null(access.operation)},"bucket":{quoted(bucket)},"key":{quoted(key)},'
        f'"method":{quoted(access.method.decode("latin-1"), _MOST_NAME)},'
        f'"path":{quoted(shown_target(access.target, _MOST_PATH))},"status":{status},"error":{_or_null(access.error)},'
        f'"received_bytes":{detail.received_bytes},"sent_bytes":{sent_bytes},'
        f'"is_complete":{"true" if is_complete else "false"},"seconds":{seconds:.6f},'
        f'"first_byte_seconds":{first_byte},"size":{_number(detail.size)},"start":{_number(detail.start)},'
        f'"length":{_number(detail.length)},"etag":{_or_null(detail.etag)},"user_agent":{_or_null(detail.agent)}'
        f"{_source(access.source)}}}\n"
    )


def _or_null(name: str) -> str:
    return "null" if name in {"", "-"} else quoted(name, _MOST_AGENT)


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _source(source: str) -> str:
    return f',"source":{quoted(source)}' if source else ""
