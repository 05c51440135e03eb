"""Configurations for tests, checked as those of operators are."""

from pathlib import Path

from s3proxy.config import Config, check, parse

MIB = 2**20


def configured(root: Path, **tables: object) -> Config:
    """A configuration whose default store is ``root``, with further tables."""
    root.mkdir(exist_ok=True)
    config = parse({"store": {"root": str(root), "fsync": False}} | tables)
    check(config)
    return config


def tier(directory: Path, size: int = 64 * MIB) -> dict[str, object]:
    return {"directory": str(directory), "size": size}
