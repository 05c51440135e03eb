import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.stores.local import staging
from s3proxy.stores.local.locks import try_lock
from s3proxy.stores.local.staging import Staging
from tests.stores.local.leftovers import open_descriptors


@pytest.fixture
def tmp_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def make_dead(tmp_path: Path) -> Path:
    """The directory of a process that died while it wrote."""
    path = tmp_path / "0123456789abcdef"
    (path / "1" / "deep").mkdir(parents=True)
    (path / "0").write_bytes(b"half")
    return path


def test_sweep_removes_what_the_dead_left(tmp_path: Path, tmp_fd: int) -> None:
    path = make_dead(tmp_path)
    mine = Staging(tmp_fd, sync=False)
    assert mine.sweep() == 1
    assert not path.exists()
    assert mine.sweep() == 0
    mine.close()


def test_sweep_spares_what_the_living_write(tmp_path: Path, tmp_fd: int) -> None:
    living, other = Staging(tmp_fd, sync=False), Staging(tmp_fd, sync=False)
    temporary = living.create()
    assert other.sweep() == living.sweep() == 0
    temporary.append(memoryview(b"data"))
    assert len(list(tmp_path.glob("*/*"))) == 1
    temporary.discard()
    living.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_sweep_steps_over_what_is_no_directory(tmp_path: Path, tmp_fd: int) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/")
    mine = Staging(tmp_fd, sync=False)
    assert mine.sweep() == 0
    mine.close()
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


def test_directory_swept_before_it_was_locked_is_made_again(
    tmp_path: Path, tmp_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def swept_first(fd: int, kind: int) -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            next(tmp_path.iterdir()).rmdir()
        return try_lock(fd, kind)

    monkeypatch.setattr(staging, "try_lock", swept_first)
    before = open_descriptors()
    mine = Staging(tmp_fd, sync=False)
    mine.create().discard()
    mine.close()
    assert calls == 2
    assert open_descriptors() == before


def test_discard_removes_the_file_once(tmp_path: Path, tmp_fd: int) -> None:
    mine = Staging(tmp_fd, sync=True)
    before = open_descriptors()
    temporary = mine.create()
    temporary.append(memoryview(b"data"))
    temporary.sync()
    temporary.discard()
    temporary.discard()
    assert list(tmp_path.glob("*/*")) == []
    assert open_descriptors() == before
    mine.close()


def test_published_file_survives_its_discard(tmp_path: Path, tmp_fd: int) -> None:
    mine = Staging(tmp_fd, sync=False)
    temporary = mine.create()
    temporary.append(memoryview(b"data"))
    os.rename(temporary.name, "published", src_dir_fd=temporary.dir_fd, dst_dir_fd=tmp_fd)
    temporary.published()
    temporary.discard()
    mine.close()
    assert (tmp_path / "published").read_bytes() == b"data"


def test_append_writes_all_and_begins_writing_back(tmp_path: Path, tmp_fd: int) -> None:
    mine = Staging(tmp_fd, sync=True)
    temporary = mine.create()
    data = bytes(range(256)) * (20 * 1024 * 4)
    for start in range(0, len(data), 1024 * 1024):
        temporary.append(memoryview(data)[start : start + 1024 * 1024])
    assert temporary.size == len(data)
    (path,) = tmp_path.glob("*/*")
    assert path.read_bytes() == data
    temporary.discard()
    mine.close()


def test_destroy_removes_a_directory_with_all_in_it(tmp_path: Path, tmp_fd: int) -> None:
    (tmp_path / "doomed" / "deep").mkdir(parents=True)
    (tmp_path / "doomed" / "link").symlink_to(tmp_path)
    mine = Staging(tmp_fd, sync=False)
    mine.destroy(tmp_fd, "doomed")
    assert not (tmp_path / "doomed").exists()
    with pytest.raises(FileNotFoundError):
        mine.destroy(tmp_fd, "doomed")
    mine.close()
