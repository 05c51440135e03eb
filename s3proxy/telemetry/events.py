"""What the node has to say of itself, on standard error: each event is one write, and none ever waits.

On the console an event is a sentence, its fields in brackets, and indented below it the traceback; otherwise it is a
line of JSON with ``time``, ``level``, ``event``, the fields, and ``traceback``. Under systemd, console lines begin with
their priority instead of the time, which the journal has itself (sd-daemon(3)).

``auto`` takes the console's form for a terminal and for the journal, where people read, and JSON for files and pipes,
which are read by programs.
"""

import json
import logging
import os
import select
import stat
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal

from s3proxy.telemetry.context import current_request
from s3proxy.telemetry.text import MOST_LINE_BYTES, hide, printable, quoted, redacted, stamp

Format = Literal["auto", "json", "console"]
Level = Literal["error", "warning", "info"]

_PRIORITIES: Final[Mapping[Level, int]] = {"error": 3, "warning": 4, "info": 6}
_MOST_MESSAGE: Final = 1000
_MOST_FIELD: Final = 200
_MOST_TRACE: Final = 2600

recent_errors: Final[deque[tuple[float, str]]] = deque(maxlen=50)
"""What ``log_error`` said last, and when, in seconds since 1970."""


class _Manner:
    """How this process speaks."""

    def __init__(self) -> None:
        self.is_json = False
        self.is_journal = False
        self.labels: dict[str, object] = {}


_manner: Final = _Manner()


def set_manner(form: Format, *, secrets: Iterable[str] = (), **labels: object) -> None:
    """Decide how this process speaks from now on. Until then it does as on a console.

    Messages of libraries, warnings and what ends the process become events as well.

    Args:
        form: of events.
        secrets: that no event shall hold.
        labels: fields of every event, such as ``worker``.
    """
    hide(secrets)
    _manner.is_journal = is_journal(2)
    _manner.is_json = is_json(form, 2)
    _manner.labels = labels
    root = logging.getLogger()
    root.handlers = [_FromLibraries(logging.WARNING)]
    logging.captureWarnings(True)
    sys.excepthook = _log_crash


def is_json(form: Format, descriptor: int) -> bool:
    """Whether lines that go to ``descriptor`` are JSON."""
    if form == "auto":
        return not os.isatty(descriptor) and not is_journal(descriptor)
    return form == "json"


def is_journal(descriptor: int) -> bool:
    """Whether ``descriptor`` leads to systemd's journal.

    Source: systemd.exec(5), ``$JOURNAL_STREAM``.
    """
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and (device, inode) == (str(status.st_dev), str(status.st_ino))


def log_error(message: str, error: BaseException | None = None, /, **fields: object) -> None:
    """Say what an operator should know, with the traceback of ``error`` and what it is about in ``fields``."""
    recent_errors.append((time.time_ns() / 1e9, redacted(message)[:_MOST_MESSAGE]))
    _say("error", message, error, fields)


def log_info(message: str, **fields: object) -> None:
    """Say what went as it should."""
    _say("info", message, None, fields)


def announce_ready(message: str) -> None:
    """Say to who has started the node that it is there: on the console in just these words."""
    if _manner.is_json:
        _say("info", message, None, {})
    else:
        write_line(f"{printable(message)}\n")


def _say(level: Level, message: str, error: BaseException | None, fields: Mapping[str, object]) -> None:
    trace = "" if error is None else _shortened(redacted("".join(traceback.format_exception(error))))
    message = redacted(message)[:_MOST_MESSAGE]
    request = current_request.get()
    about = {**_manner.labels, **({"request_id": request} if request else {}), **fields}
    told = {name: value if isinstance(value, int | float) else redacted(str(value)) for name, value in about.items()}
    render = _as_json if _manner.is_json else _as_console
    text = render(level, message, trace, told)
    while len(text) > MOST_LINE_BYTES and trace:
        trace = trace[len(trace) // 4 :] if len(trace) > 200 else ""
        text = render(level, message, trace, told)
    write_line(text[: MOST_LINE_BYTES - 1].rstrip("\n") + "\n" if len(text) > MOST_LINE_BYTES else text)


def _shortened(trace: str) -> str:
    """The beginning and, mostly, the end, which says what happened and where."""
    if len(trace) <= _MOST_TRACE:
        return trace
    return f"{trace[:400]}\n  ...\n{trace[400 - _MOST_TRACE :]}"


def _as_json(level: Level, message: str, trace: str, fields: Mapping[str, object]) -> str:
    pairs = [f'{{"time":"{stamp()}","level":"{level}","event":{quoted(message, 2 * _MOST_MESSAGE)}']
    for name, value in fields.items():
        shown = quoted(value, _MOST_FIELD) if isinstance(value, str) else json.dumps(value)
        pairs.append(f"{quoted(name, _MOST_FIELD)}:{shown}")
    if trace:
        pairs.append(f'"traceback":{quoted(trace, 2 * _MOST_TRACE)}')
    return ",".join(pairs) + "}\n"


def _as_console(level: Level, message: str, trace: str, fields: Mapping[str, object]) -> str:
    about = " ".join(f"{name}={printable(str(value))[:_MOST_FIELD]}" for name, value in fields.items())
    start = f"<{_PRIORITIES[level]}>" if _manner.is_journal else ""
    time_or_nothing = "" if _manner.is_journal else f"{stamp()} "
    lines = [f"{time_or_nothing}{level}: {printable(message)}{f' ({about})' if about else ''}"]
    lines += (f"    {printable(line)}" for line in trace.splitlines())  # indented: none can pass for an event
    return "".join(f"{start}{line}\n" for line in lines)


def write_line(text: str) -> None:
    """Write whole lines to standard error, or lose them where nobody takes them."""
    with suppress(OSError, ValueError):
        if not _would_wait():
            sys.stderr.write(text)
            sys.stderr.flush()


def _would_wait() -> bool:
    """Whether nobody takes what is written: a reader that stands still must not stop whoever has something to say."""
    poll = select.poll()
    try:
        poll.register(sys.stderr.fileno(), select.POLLOUT)
    except (OSError, ValueError):  # no descriptor, so nothing to wait for
        return False
    return not poll.poll(0)


class _FromLibraries(logging.Handler):
    """Turns what libraries log into events."""

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        error = record.exc_info[1] if record.exc_info else None
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # wrong arguments for its format
            message = str(record.msg)
        _say(level, message, error, {"logger": record.name})


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log_error("the process ends", error)
