import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """pytest's own directory, removed at once: its removal recurses, and keys may lie a thousand directories deep."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path], check=True)
