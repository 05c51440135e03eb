"""What the commands say, put where it belongs: results on standard output, progress and failures on standard error."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from s3proxy.admin.messages import (
    BucketUsage,
    Counter,
    Failed,
    Message,
    ObjectPresence,
    Pin,
    Progress,
    Result,
    TierUsage,
    TooSmall,
    encode,
)
from s3proxy.commands import wording

_PLAIN_SECONDS = 10.0
_WORDS = {"load": ("loaded", "objects"), "free": ("freed", "blocks"), "verify": ("verified", "blocks")}


class ProgressView(Protocol):
    """Where progress is shown."""

    def update(self, progress: Progress) -> None:
        """Show how far it is."""
        ...

    def say(self, line: str) -> None:
        """A line that stays, above what changes."""
        ...


class _Quiet:
    def update(self, progress: Progress) -> None:
        pass

    def say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")


class _Lines(_Quiet):
    """For logs: a line every ten seconds, none for what is done before that."""

    def __init__(self, words: wording.ProgressWords) -> None:
        self._words = words
        self._next = time.monotonic() + _PLAIN_SECONDS

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        line = self._words.tell(progress, now)
        if now >= self._next:
            self._next = now + _PLAIN_SECONDS
            self.say(line)


class _Terminal:
    """A bar that moves."""

    def __init__(self, words: wording.ProgressWords, bar: Bar) -> None:
        self._words = words
        self._bar = bar
        self._task = bar.add_task("", total=None, words="")

    def update(self, progress: Progress) -> None:
        # Objects count as well as bytes, so that the bar of a million empty ones moves too.
        total = progress.total_bytes + progress.total_objects if progress.is_counted else None
        words = self._words.tell(progress, time.monotonic())
        self._bar.update(self._task, completed=progress.bytes + progress.objects, total=total, words=words)

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_view(command: str, *, quiet: bool) -> Iterator[ProgressView]:
    """A bar on a terminal, lines elsewhere, nothing when ``quiet`` or when the command takes no time."""
    if quiet or command not in _WORDS:
        yield _Quiet()
        return
    words = wording.ProgressWords(*_WORDS[command])
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(words)
        return
    columns = (BarColumn(bar_width=12), TextColumn("{task.fields[words]}", markup=False))
    with Bar(*columns, console=console, transient=True) as bar:
        yield _Terminal(words, bar)


def show_work(messages: Iterable[Message], view: ProgressView) -> Result | None:
    """Show a command that works. Returns its result, or None when the messages ended without."""
    for message in messages:
        match message:
            case Progress():
                view.update(message)
            case Failed():
                view.say(wording.tell_failure(message))
            case TooSmall():
                view.say(wording.tell_too_small(message))
            case TierUsage() | Pin() | BucketUsage() | Counter() | ObjectPresence():
                pass
            case _:
                return message
    return None


def show_status(messages: Iterable[Message]) -> Result | None:
    """Show ``status`` in tables, the rows of objects as they come. Returns as ``show_work``."""
    tiers: list[TierUsage] = []
    pins: list[Pin] = []
    buckets: list[BucketUsage] = []
    counters: list[Counter] = []
    is_first = True
    for message in messages:
        match message:
            case TierUsage():
                tiers.append(message)
            case Pin():
                pins.append(message)
            case BucketUsage():
                buckets.append(message)
            case Counter():
                counters.append(message)
            case ObjectPresence():
                if is_first:
                    sys.stdout.write(f"{wording.presence_header(message.cached)}\n")
                    is_first = False
                sys.stdout.write(f"{wording.tell_presence(message)}\n")
            case Progress() | Failed() | TooSmall():
                pass
            case _:
                if tiers:
                    sys.stdout.write(f"{wording.tell_caches(tiers, pins, buckets, counters)}\n")
                return message
    return None


def show_json(messages: Iterable[Message]) -> Result | None:
    """Show the messages as the JSON lines that they came as. Returns as ``show_work``."""
    for message in messages:
        sys.stdout.write(encode(message).decode("ascii"))
        if isinstance(message, Result):
            return message
    return None
