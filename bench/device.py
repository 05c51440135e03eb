"""How fast the file system makes things durable by itself: what no server on it can do faster."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.content import KIB, MIB

_SMALL: Final = bytes(4 * KIB)
_BLOCK: Final = bytes(MIB)
_LARGE_BLOCKS: Final = 64


def fsync_per_second(directory: Path, seconds: float = 0.3) -> float:
    """Files of 4 KiB made, written, synced and removed, one after the other."""
    path, count = directory / "fsync-probe", 0
    begin = time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        _write_synced(path, [_SMALL])
        path.unlink()
        count += 1
    return count / elapsed


def durable_files_per_second(directory: Path, writers: int = 16, seconds: float = 0.5) -> float:
    """Files of 4 KiB put in place for good, by so many writers at once, which the file system may serve together.

    What a PUT has to do and nothing else: write a file beside, sync it, give it its name in place of what has that,
    sync the directory. The writers are threads of this process; syncing lets the interpreter go, so that up to some ten
    thousand a second it is the device that is measured.
    """
    stop = threading.Event()
    counts = [0] * writers

    def write_often(number: int) -> None:
        while not stop.is_set():
            _put_in_place(Path(place) / f"{number}", descriptor)
            counts[number] += 1

    with TemporaryDirectory(dir=directory) as place, _opened(Path(place)) as descriptor:
        threads = [threading.Thread(target=write_often, args=(number,)) for number in range(writers)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        stop.wait(seconds)
        stop.set()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - begin
    return sum(counts) / elapsed


def synced_write_mb_per_second(directory: Path) -> float:
    """One file of 64 MiB written and synced."""
    path = directory / "write-probe"
    begin = time.perf_counter()
    _write_synced(path, [_BLOCK] * _LARGE_BLOCKS)
    elapsed = time.perf_counter() - begin
    path.unlink()
    return _LARGE_BLOCKS * MIB / 1e6 / elapsed


def _put_in_place(path: Path, directory_descriptor: int) -> None:
    beside = path.with_suffix(".new")
    _write_synced(beside, [_SMALL])
    beside.replace(path)
    os.fsync(directory_descriptor)


def _write_synced(path: Path, blocks: list[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        for block in blocks:
            file.write(block)
        os.fsync(file.fileno())


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
