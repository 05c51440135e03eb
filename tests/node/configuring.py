"""Configurations for tests, checked as those of operators are, and the stores that they make."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from s3proxy.config import Config, check, parse
from s3proxy.node.commons import Seat, made
from s3proxy.node.stores import Stores
from tests.stores.local.leftovers import open_descriptors

MIB = 2**20


def configured(root: Path, **tables: object) -> Config:
    """A configuration whose default store is ``root``, with further tables."""
    root.mkdir(exist_ok=True)
    config = parse({"store": {"root": str(root), "fsync": False}} | tables)
    check(config)
    return config


def tier(directory: Path, size: int = 64 * MIB) -> dict[str, object]:
    return {"directory": str(directory), "size": size}


def all_tiers(tmp_path: Path) -> dict[str, object]:
    return {"memory_tier": tier(tmp_path / "memory"), "disk_tier": tier(tmp_path / "disk")}


@asynccontextmanager
async def opened(config: Config, *, worker: int = 0, workers: int = 1) -> AsyncIterator[Stores]:
    """The stores of one worker; nothing of them stays open."""
    before = open_descriptors()
    with made(config, workers) as commons:
        seat = Seat(
            worker=worker, workers=workers, sockets=(), shared=commons.shared, tiers=commons.tiers, table=commons.table
        )
        stores = None
        try:
            async with trio.open_nursery() as nursery:
                stores = await Stores.open(config, seat, nursery)
                yield stores
                nursery.cancel_scope.cancel()
        finally:
            if stores is not None:
                with trio.CancelScope(shield=True):
                    await stores.aclose()
    assert open_descriptors() == before
