"""The block files of the tiers, by what they are blocks of, in the names of the under-store. Blocks the thread."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from s3proxy.admin.command import CommandError
from s3proxy.admin.messages import Counter, TierUsage
from s3proxy.cache import counters
from s3proxy.cache.blocks import BlockId
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFile:
    """A block, the tier that has it, and the bytes that it takes there."""

    tier: Tier
    block: BlockId
    allocated: int


def usage_of(tier: Tier) -> TierUsage:
    """How full a tier is; its blocks are counted.

    Raises:
        CommandError: its directory cannot be read.
    """
    try:
        blocks = sum(1 for _ in tier.scan())
    except CacheIOError as error:
        raise CommandError(str(error)) from error
    return TierUsage(
        tier=tier.name,
        directory=str(tier.directory),
        size_bytes=tier.usage.size_bytes,
        used_bytes=tier.usage.used_bytes(),
        blocks=blocks,
    )


def counted(shared: SharedWords) -> list[Counter]:
    """What the workers of the node counted, by name."""
    return [Counter(name=each.name.lower(), value=shared.total(each)) for each in counters.Counter]


def block_files(tiers: Sequence[Tier]) -> Generator[BlockFile, None, None]:
    """Every block of every tier; what comes, goes or is no block meanwhile is left out.

    Raises:
        CommandError: a directory cannot be read.
    """
    try:
        for tier in tiers:
            for entry in tier.scan():
                block = tier.identify(entry.name)
                if block is not None and block.name == entry.name:
                    yield BlockFile(tier=tier, block=block, allocated=entry.allocated)
    except CacheIOError as error:
        raise CommandError(str(error)) from error


def remove(tier: Tier, name: str) -> None:
    """Remove a block, which may be gone already.

    Raises:
        CommandError: it cannot be removed.
    """
    try:
        tier.remove(name)
    except CacheIOError as error:
        raise CommandError(str(error)) from error


def is_sound(tier: Tier, block: BlockId) -> bool:
    """Read what is filled of a block and compare it with its checksums; drop it when that fails.

    A block that is gone by now is sound; one whose header is damaged was dropped by looking for it.

    Raises:
        CommandError: it cannot be opened.
    """
    try:
        found = tier.find(block)
    except CacheIOError as error:
        raise CommandError(str(error)) from error
    if found is None:
        return True
    try:
        place = 0
        for start, stop in [*found.missing(0, found.length), (found.length, found.length)]:
            if place < start and not found.verify(place, start):
                tier.drop(block.name, found)
                return False
            place = stop
        return True
    finally:
        found.release()
