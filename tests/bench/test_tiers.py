"""Directories for what a cache keeps."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench import tiers
from bench.machine import file_system_of


@pytest.mark.parametrize("directory", [tiers.memory_directory, tiers.small_page_directory, tiers.disk_directory])
def test_directory_is_empty_and_gone_afterwards(
    directory: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    with directory(tmp_path) as path:
        assert list(path.iterdir()) == []
        (path / "block").write_bytes(b"x")
    assert not path.exists()


@pytest.mark.skipif(not tiers.may_mount(), reason="only root may mount file systems")
def test_memory_directory_of_root_is_a_file_system_of_its_own(tmp_path: Path) -> None:
    with tiers.memory_directory(tmp_path) as path:
        assert file_system_of(path, Path("/proc/self/mounts").read_text()) == "tmpfs"


def test_memory_directory_without_the_right_to_mount_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "may_mount", lambda: False)
    with tiers.memory_directory(tmp_path) as path:
        (path / "block").write_bytes(b"x")
    assert "shm" in tiers.memory_kind()
