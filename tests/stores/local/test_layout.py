import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from s3proxy.stores.local.layout import RootError, open_layout
from tests.stores.local.leftovers import open_descriptors

HIDDEN = {"tmp", "uploads", "buckets", "locks", "metadata"}


def test_open_layout_makes_what_is_missing(root: Path) -> None:
    for _ in range(2):
        layout = open_layout(root, read_only=False)
        assert set(layout.hidden) == HIDDEN
        layout.close()
    assert {path.name for path in (root / ".s3proxy").iterdir()} == HIDDEN


def test_hidden_directory_is_closed_to_other_users(root: Path) -> None:
    open_layout(root, read_only=False).close()
    assert (root / ".s3proxy").stat().st_mode & 0o777 == 0o700


def test_open_layout_for_reading_makes_nothing(root: Path) -> None:
    layout = open_layout(root, read_only=True)
    assert layout.hidden == {}
    layout.close()
    assert list(root.iterdir()) == []


def test_open_layout_of_a_missing_root_says_so(tmp_path: Path) -> None:
    for read_only in (True, False):
        with pytest.raises(RootError, match="does not exist"):
            open_layout(tmp_path / "missing", read_only=read_only)


def test_open_layout_of_a_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(RootError, match="not a directory"):
        open_layout(path, read_only=False)


def test_open_layout_of_a_read_only_file_system_names_the_option(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    before = open_descriptors()
    open_layout(root, read_only=False).close()
    for call in ("utime", "mkdir"):
        monkeypatch.setattr(os, call, refuse)
        with pytest.raises(RootError, match=r"cannot be written: Read-only file system; .* set read_only"):
            open_layout(root, read_only=False)
    assert open_descriptors() == before


def test_open_layout_does_not_follow_a_link_for_the_hidden_directory(root: Path, tmp_path: Path) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg: a link would put the hidden files wherever it points.
    (tmp_path / "elsewhere").mkdir()
    (root / ".s3proxy").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RootError):
        open_layout(root, read_only=False)
    assert list((tmp_path / "elsewhere").iterdir()) == []
