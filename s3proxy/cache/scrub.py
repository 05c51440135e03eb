"""Reading all blocks of a tier slowly, to find damage before a reader does."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError, DamagedBlockError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed:
    """What a scrub found."""

    blocks: int = 0
    bytes: int = 0
    bad: int = 0


def scrub(tier: Tier, *, shared: SharedWords, bytes_per_second: int, wait: Callable[[float], bool]) -> Scrubbed:
    """Verify every block of a tier once; drop and count those that are damaged. Blocks the thread for long.

    Args:
        tier: which.
        shared: words of the node, where it counts.
        bytes_per_second: how fast to read, on average since the beginning.
        wait: waits for so many seconds, at most; true when the scrub is to stop, as ``threading.Event.wait``.

    Returns:
        What was found, up to where it stopped.

    Raises:
        CacheIOError: the directory cannot be read.
    """
    began = time.monotonic()
    blocks = count = bad = 0
    for entry in list(tier.scan()):
        if wait(max(0.0, began + count / bytes_per_second - time.monotonic())):
            break
        try:
            bad += not verify_block(tier, entry.name)
        except CacheIOError:
            continue  # whoever needs it finds out
        blocks += 1
        count += entry.allocated
        shared.add(Counter.SCRUBBED_BLOCKS)
    return Scrubbed(blocks=blocks, bytes=count, bad=bad)


def verify_block(tier: Tier, name: str) -> bool:
    """Whether a block is sound as far as it is there, or is gone; a damaged one is dropped and counted.

    Raises:
        CacheIOError: it cannot be opened.
    """
    try:
        block = tier.find_named(name)
    except DamagedBlockError:
        return False
    if block is None:
        return True
    try:
        _, runs = block.snapshot()
        is_sound = all(block.verify(start, stop) for start, stop in runs)
        if not is_sound:
            tier.drop(name, block)
        return is_sound
    finally:
        block.release()
