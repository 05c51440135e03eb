"""The audit log: who did what to which bucket and key, one line of JSON for each change and each refusal.

A line is written before the client can know of the change: ``record`` returns when the operating system has it, and
only then the answer's head goes out (of a copy or a completion that takes more than five seconds, the end of the
answer). So whatever was acknowledged has its line, also after a kill -9; after a power failure as far as the file
system kept it, for nothing is synced. Requests that wait at the same time share one write.

A log that cannot be written harms no request. Lines that it refuses go to standard error instead; one that hangs holds
requests up once, for 5 s, and until it goes on again lines wait in memory.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import trio

from s3proxy.telemetry.events import log_error, write_line
from s3proxy.telemetry.lines import Lines, Output
from s3proxy.telemetry.text import quoted, stamp

_PATIENCE_SECONDS: Final = 5.0
_MOST_VALUE: Final = 256
_WHOLE: Final = frozenset({"key", "source", "prefix"})

Entry = Mapping[str, str | int | None]
"""What is told; its names become those of the line."""


class AuditLog:
    """The lines of one process. *Closes:* ``run`` writes what is left; it does not close the output.

    Args:
        output: where to; None for nowhere.
        worker: whose lines these are.
    """

    def __init__(self, output: Output | None, *, worker: int = 0) -> None:
        self.is_on: Final = output is not None
        self._lines: Final = Lines(output, "audit")
        self._worker = worker
        self._wake = trio.Event()
        self._written = trio.Event()
        self._is_hanging = False
        self._is_running = False

    def note(self, *entries: Entry) -> None:
        """Tell what changed nothing, such as a refusal; it is written soon."""
        if not self.is_on:
            return
        for entry in entries:
            self._lines.put(_render(entry, self._worker))
        if self._is_running:
            self._wake.set()
        else:  # before the first request, or behind the last
            self._write(self._lines.take())

    async def record(self, *entries: Entry) -> None:
        """Tell of a change, and return when it is written. A caller who is cancelled meanwhile still waits."""
        self.note(*entries)
        if not self.is_on or not self._is_running or self._is_hanging:
            return
        written = self._written
        with trio.move_on_after(_PATIENCE_SECONDS, shield=True):
            await written.wait()
        if not written.is_set() and not self._is_hanging:
            self._is_hanging = True
            log_error(f"the audit log has not taken a line for {_PATIENCE_SECONDS:.0f} s; requests go on without it")

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled."""
        self._is_running = True
        task_status.started()
        try:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                written, self._written = self._written, trio.Event()
                with trio.CancelScope(shield=True):  # what was taken is written
                    await trio.to_thread.run_sync(self._write, self._lines.take())
                self._is_hanging = False
                written.set()
        finally:
            self._is_running = False
            self._write(self._lines.take())
            self._written.set()

    def _write(self, lines: Sequence[str]) -> None:
        if not self._lines.write(lines):
            for line in lines:
                write_line(line)


def _render(entry: Entry, worker: int) -> str:
    pairs = [f'{{"time":"{stamp()}","worker":{worker}']
    for name, value in entry.items():
        if isinstance(value, str):
            shown = quoted(value) if name in _WHOLE else quoted(value, _MOST_VALUE)
        else:
            shown = json.dumps(value)
        pairs.append(f'"{name}":{shown}')
    return ",".join(pairs) + "}\n"
