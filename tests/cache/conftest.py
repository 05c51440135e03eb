import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import prepare_directory
from tests.cache.making import GEOMETRY, open_tier


@pytest.fixture
def shared() -> Iterator[SharedWords]:
    words = SharedWords.create(2)
    yield words
    words.close()


@pytest.fixture(params=["/dev/shm", None], ids=["tmpfs", "disk"])
def tier_directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory that is ready for a tier, on each kind of file system."""
    if request.param is not None and not os.access(request.param, os.W_OK):
        pytest.skip(f"{request.param} is not writable here")
    directory = Path(tempfile.mkdtemp(dir=request.param or tmp_path)) / "tier"
    lock_fd = prepare_directory(directory, GEOMETRY)
    yield directory
    os.close(lock_fd)
    shutil.rmtree(directory.parent)


@pytest.fixture
def tier(tier_directory: Path, shared: SharedWords) -> Iterator[Tier]:
    opened = open_tier(tier_directory, shared)
    yield opened
    opened.close()


@pytest.fixture
def lower(tmp_path: Path, shared: SharedWords) -> Iterator[Tier]:
    """A second tier, below ``tier``."""
    directory = tmp_path / "lower"
    lock_fd = prepare_directory(directory, GEOMETRY)
    opened = open_tier(directory, shared, number=1, name="disk")
    yield opened
    opened.close()
    os.close(lock_fd)
