"""Small tiers and blocks for the tests of the cache's files."""

import os
import random
from collections.abc import Iterable
from pathlib import Path

from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import BLOCKS
from s3proxy.cache.usage import TierUsage

UNIT = 4096
BLOCK = 8 * UNIT
GEOMETRY = Geometry(block_size=BLOCK, unit_size=UNIT)
WHOLE = ((0, BLOCK),)


def block_id(index: int = 0, *, key: str = "key", size: int = 100 * BLOCK, bucket: str = "bucket") -> BlockId:
    version = ObjectVersion(store="store", bucket=bucket, key=key, token='"etag"|1', size=size)
    return BlockId(version, index, GEOMETRY)


def content(block: BlockId) -> bytes:
    """The bytes of a block, different for each."""
    return random.Random(block.name).randbytes(block.length)


def open_tier(
    directory: Path, shared: SharedWords, *, number: int = 0, name: str = "memory", size_bytes: int = 100 * BLOCK
) -> Tier:
    """A tier below a prepared directory, its contents counted."""
    tier = Tier(name, directory, usage=TierUsage(shared, number, size_bytes), shared=shared)
    tier.recount()
    return tier


def fill(block: Block, data: bytes, runs: Iterable[tuple[int, int]] = WHOLE) -> None:
    """Claim and write these runs."""
    for start, stop in runs:
        claim = block.claim(start, min(stop, block.length))
        assert claim is not None
        block.write(start, memoryview(data)[start:stop])
        claim.release()


def put(tier: Tier, block: BlockId, runs: Iterable[tuple[int, int]] = WHOLE) -> None:
    """Have these runs of a block in a tier."""
    made = tier.make(block)
    fill(made, content(block), runs)
    made.release()


def path_of(tier: Tier, block: BlockId) -> Path:
    """The file of a block."""
    return tier.directory / BLOCKS / block.name


def set_atime(tier: Tier, block: BlockId, atime: int) -> None:
    """Make a block used last at ``atime`` seconds."""
    path = path_of(tier, block)
    os.utime(path, ns=(atime * 10**9, path.stat().st_mtime_ns))


def names(tier: Tier) -> set[str]:
    return {entry.name for entry in tier.scan()}
