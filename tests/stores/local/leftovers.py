"""What a test may have left behind."""

import os
from pathlib import Path


def temporaries(root: Path) -> list[str]:
    """Files being written, by any process."""
    return [str(path.relative_to(root)) for path in (root / ".s3proxy" / "tmp").glob("*/*")]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
