import os
from pathlib import Path

import pytest

from s3proxy.cache.atimes import set_atime


def test_access_time_is_set_and_modification_time_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.utime(path, ns=(1, 1_234_567_891))
    fd = os.open(path, os.O_RDONLY)
    set_atime(fd, 1_600_000_000_123_456_789)
    status = os.fstat(fd)
    os.close(fd)
    assert status.st_atime_ns == 1_600_000_000_123_456_789
    assert status.st_mtime_ns == 1_234_567_891


def test_closed_file_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        set_atime(-1, 0)
