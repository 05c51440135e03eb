"""Real readers: what each is asked to do over S3 is timed, and what it finds is compared with the same over files.

Each reads in a process of its own (``python -m bench.readers``), which has imported all that it needs, and has done the
work once over files, before its clock starts. Processes of one case start together and share the load's cores.
"""

import importlib.util
from typing import Final

from bench import BenchError

_PACKAGES: Final = {
    "pyarrow": ("pyarrow", "numpy"),
    "polars": ("polars",),
    "duckdb": ("duckdb", "duckdb_extension_httpfs"),
    "boto3": ("boto3",),
    "s3fs": ("s3fs",),
    "awscli": ("awscli",),
}
"""Reader -> what it needs; ``bench.readers.with_<reader>`` is how it reads."""

READERS: Final = tuple(_PACKAGES)


def reader_absence(reader: str) -> str | None:
    """Why a reader cannot run here, or None."""
    return absence(*_PACKAGES[reader])


def absence(*packages: str) -> str | None:
    """Which of the packages are not installed, as a sentence, or None."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"{' and '.join(missing)} is not installed: pip install 's3proxy[bench]'" if missing else None


def require(reason: str | None) -> None:
    """Go on where nothing is absent.

    Raises:
        BenchError: something is.
    """
    if reason:
        raise BenchError(reason)
