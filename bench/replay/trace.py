"""Reads as the access log of a node has them: a file of JSON lines, which may be compressed with gzip.

Of each line are needed ``time``, ``operation``, ``status``, ``bucket``, ``key``, ``etag``, ``size``, ``start`` and
``length``; of a line that a node wrote ``seconds``, ``sent_bytes`` and ``is_complete`` count too. Whatever is no answer
to GetObject with bytes is passed over.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from bench import BenchError

_GZIP: Final = b"\x1f\x8b"
_NEEDED: Final = ("bucket", "key", "etag", "size", "start", "length")

Value = str | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read of a range of an object: ``[start, stop)``, not empty."""

    at: float
    """Seconds since 1970, when the request came."""
    bucket: str
    key: str
    etag: str
    size: int
    start: int
    stop: int


def read_trace(paths: Iterable[Path]) -> list[Read]:
    """The reads of access logs, in the order in which they began.

    Raises:
        BenchError: a file cannot be read, is in the console's form, or none has a read.
    """
    reads: list[Read] = []
    for path in paths:
        try:
            with _opened(path) as lines:
                reads += _reads_in(lines)
        except (OSError, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
            raise BenchError(f"{path}: {error}") from error
        except ValueError as error:
            raise BenchError(f'{path}: {error}; a trace is an access log written with [log] format = "json"') from error
    if not reads:
        raise BenchError("no read of an object is in the trace")
    return sorted(reads, key=lambda read: read.at)


def write_trace(path: Path, reads: Iterable[Read]) -> int:
    """Write reads as a compressed access log; how many they were.

    Raises:
        BenchError: it cannot be written.
    """
    count = 0
    try:
        # Without name and time of the file, so that the same reads make the same bytes.
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
            for read in reads:
                file.write(_line_of(read).encode())
                count += 1
    except OSError as error:
        raise BenchError(f"{path}: {error}") from error
    return count


def _opened(path: Path) -> TextIO:
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    return gzip.open(path, "rt", encoding="utf-8") if is_compressed else path.open(encoding="utf-8")


def _reads_in(lines: Iterable[str]) -> Iterator[Read]:
    for number, line in enumerate(lines, 1):
        try:
            read = parse_line(line)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number} is none of an access log: {error}") from error
        if read is not None:
            yield read


def parse_line(line: str) -> Read | None:
    """The read that a line tells of; None for anything else.

    Raises:
        ValueError: it is no JSON, or what it says cannot be.
        TypeError: a value is of another type.
        KeyError: something is missing.
    """
    fields: Mapping[str, Value] = json.loads(line)
    if fields["operation"] != "GetObject" or fields["status"] not in {200, 206}:
        return None
    if any(fields[name] is None for name in _NEEDED):  # no ETag, no cache; a long line is cut
        return None
    start, length, size = (_count(fields, name) for name in ("start", "length", "size"))
    if not fields.get("is_complete", True):
        length = min(length, _count(fields, "sent_bytes"))
    if start + length > size:
        raise ValueError("a read beyond the end")
    if not length:
        return None
    return Read(
        at=_began_at(fields),
        bucket=str(fields["bucket"]),
        key=str(fields["key"]),
        etag=str(fields["etag"]),
        size=size,
        start=start,
        stop=start + length,
    )


def _count(fields: Mapping[str, Value], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}")
    return value


def _began_at(fields: Mapping[str, Value]) -> float:
    seconds = fields.get("seconds", 0.0)
    if not isinstance(seconds, float | int):
        raise TypeError(f"seconds is {seconds!r}")
    return datetime.fromisoformat(str(fields["time"])).timestamp() - seconds


def _line_of(read: Read) -> str:
    fields = {
        "time": datetime.fromtimestamp(read.at, UTC).isoformat(timespec="milliseconds"),
        "operation": "GetObject",
        "bucket": read.bucket,
        "key": read.key,
        "status": 206 if read.stop - read.start < read.size else 200,
        "size": read.size,
        "start": read.start,
        "length": read.stop - read.start,
        "etag": read.etag,
    }
    return json.dumps(fields, separators=(",", ":")) + "\n"
