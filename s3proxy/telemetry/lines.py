"""Lines that wait to be written: bounded, written whole, and never the reason that a request fails."""

import os
import stat
from collections.abc import Sequence
from typing import Final, Protocol

from s3proxy.telemetry.events import Format, is_json, log_error
from s3proxy.telemetry.text import MOST_LINE_BYTES, stamp

MOST_WAITING_BYTES: Final = 16 * 1024 * 1024
"""In each log of each process; a log that nobody takes must not take the memory."""

_MOST_FILE_WRITE: Final = 1024 * 1024


class Output(Protocol):
    """Takes text. Both methods raise OSError or ValueError when it does not."""

    def write(self, text: str, /) -> object:
        """Take whole lines."""
        ...

    def flush(self) -> object:
        """Keep nothing back."""
        ...


class LogFile:
    """A file, or standard error, that several processes append to without mixing their lines.

    Each write is of whole lines and appends: one call in a file, and no more than a pipe takes at once elsewhere. A
    write that a full disk cut short is ended with a line end before the next.

    Args:
        where: ``stderr``, or the path of a file that is made if it is not there.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, where: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.dup(2) if where == "stderr" else os.open(where, flags, 0o640)
        is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._most = _MOST_FILE_WRITE if is_file else MOST_LINE_BYTES
        self._is_torn = False

    def is_json(self, form: Format) -> bool:
        """Whether lines are JSON here; see ``events``."""
        return is_json(form, self._descriptor)

    def write(self, text: str) -> None:
        """Write whole lines. Blocks.

        Raises:
            OSError: not all could be written.
        """
        data = text.encode("ascii", "backslashreplace")
        start = 0
        while start < len(data):
            end = len(data) if len(data) - start <= self._most else data.rfind(b"\n", start, start + self._most) + 1
            self._write_once(data[start : end or len(data)])
            start = end or len(data)

    def _write_once(self, piece: bytes) -> None:
        if self._is_torn:
            piece = b"\n" + piece
        left = memoryview(piece)
        while left:
            written = os.write(self._descriptor, left)
            left = left[written:]
            self._is_torn = bool(left)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


class Lines:
    """What waits for one output. At most 16 MiB do; further lines are dropped and counted in the log itself.

    Args:
        output: where to; None for nowhere.
        name: of the log, for what is said when it cannot be written.
    """

    def __init__(self, output: Output | None, name: str) -> None:
        self._output = output
        self._name = name
        self._waiting: list[str] = []
        self._size = 0
        self._dropped = 0
        self._is_failing = False

    def put(self, line: str) -> None:
        """Let a line wait, its line end included."""
        size = len(line)
        if self._size + size > MOST_WAITING_BYTES:
            self._dropped += 1
            return
        self._size += size
        self._waiting.append(line)

    def take(self) -> Sequence[str]:
        """Take all that waits, to ``write`` it, maybe in a thread."""
        lines, self._waiting, self._size = self._waiting, [], 0
        return lines

    def write(self, lines: Sequence[str]) -> bool:
        """Write them; blocks.

        Returns:
            Whether they are written. When an output begins to refuse them it is said on standard error, once.
        """
        if self._output is None:
            return True
        try:
            self._tell_dropped()
            if lines:
                self._output.write("".join(lines))
                self._output.flush()
        except (OSError, ValueError) as error:
            if not self._is_failing:
                log_error(f"the {self._name} log cannot be written: {error}")
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    def _tell_dropped(self) -> None:
        if self._dropped and self._output is not None:
            self._output.write(f'{{"time":"{stamp()}","log":"{self._name}","dropped":{self._dropped}}}\n')
            self._dropped = 0
