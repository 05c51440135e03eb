"""What the kernel says of a process."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = resource.getpagesize()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUse:
    """What a process uses."""

    cpu_seconds: float
    """Since its start, in user and system mode."""
    rss_bytes: int
    """Resident memory; what is shared counts for each process."""
    descriptors: int
    """Open ones."""


def birth_of(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None when there is none. With the pid it names a process."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def use_of(pid: int) -> ProcessUse | None:
    """What the process uses; None when it has ended or is another user's."""
    fields = _stat(pid)
    try:
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    if not fields:
        return None
    return ProcessUse(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
        descriptors=descriptors,
    )


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) stat from the third on: the second is the name, with anything in it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
