from collections.abc import AsyncIterator
from pathlib import Path

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
