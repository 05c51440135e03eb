import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.cache.range_locks import is_locked, try_lock, unlock

HOLDER = """
import os, sys, time
from s3proxy.cache.range_locks import try_lock
fd = os.open(sys.argv[1], os.O_RDWR)
assert try_lock(fd, 0, 10)
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two open files of one file."""
    path = tmp_path / "file"
    path.touch()
    fds = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    yield fds
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize(
    ("start", "stop", "free"), [(0, 10, True), (5, 11, False), (10, 20, False), (19, 30, False), (20, 21, True)]
)
def test_lock_excludes_ranges_that_overlap(two: tuple[int, int], start: int, stop: int, free: bool) -> None:
    first, second = two
    assert try_lock(first, 10, 20)
    assert is_locked(second, start, stop) is not free
    assert try_lock(second, start, stop) is free


def test_lock_does_not_exclude_its_own_open_file(two: tuple[int, int]) -> None:
    first, _ = two
    assert try_lock(first, 0, 10)
    assert not is_locked(first, 0, 10)
    assert try_lock(first, 5, 15)


def test_unlock_frees_a_part_of_the_range(two: tuple[int, int]) -> None:
    first, second = two
    assert try_lock(first, 0, 30)
    unlock(first, 10, 20)
    assert try_lock(second, 10, 20)
    assert not try_lock(second, 20, 21)


def test_is_locked_can_be_asked_through_a_file_open_for_reading(two: tuple[int, int]) -> None:
    first, _ = two
    assert try_lock(first, 0, 10)
    reader = os.open(f"/proc/self/fd/{first}", os.O_RDONLY)
    try:
        assert is_locked(reader, 0, 1)
        assert not is_locked(reader, 10, 11)
    finally:
        os.close(reader)


def test_lock_ends_when_its_process_is_killed(two: tuple[int, int], tmp_path: Path) -> None:
    first, _ = two
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        assert not try_lock(first, 0, 1)
        holder.kill()
        holder.wait()
        assert try_lock(first, 0, 1)
