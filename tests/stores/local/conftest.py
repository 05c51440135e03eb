import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from s3proxy.stores.local.store import LocalStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
async def store(root: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore.open(root, fsync=False)
    yield opened
    await opened.aclose()


@pytest.fixture
def without_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without extended attributes."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "getxattr", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)
