"""Copying blocks between tiers: what is there of them, by the kernel, as it is.

The bytes are not verified on the way, for the entries that prove them go with them: whoever reads the copy finds out.
"""

import errno
import os
import time

from s3proxy.cache.atimes import set_atime
from s3proxy.cache.block_file import Block
from s3proxy.cache.failures import DamagedBlockError
from s3proxy.cache.tier import Tier


def copy_block(name: str, source: Tier, target: Tier) -> bool:
    """Have what is there of a block in another tier too, which is told how it was used here.

    Returns:
        Whether it is there now. False when nothing of it is here.

    Raises:
        TierFullError: the other tier has no room.
        CacheIOError: it cannot be read or written, or is damaged.
    """
    block = source.find_named(name)
    if block is None:
        return False
    try:
        header, runs = block.snapshot()
        if not runs:
            return False
        if not _has(target, name, runs):
            size = len(header) + sum(stop - start for start, stop in runs)
            before = source.policy.standing(os.fstat(block.fd).st_atime_ns)
            atime_ns = target.policy.joining(name, time.time_ns(), before)
            target.adopt(name, size, lambda fd: _copy(block, header, runs, fd, atime_ns))
        return True
    finally:
        block.release()


def _has(tier: Tier, name: str, runs: list[tuple[int, int]]) -> bool:
    try:
        block = tier.find_named(name)
    except DamagedBlockError:
        return False
    if block is None:
        return False
    try:
        return all(block.present_until(start, stop) == stop for start, stop in runs)
    finally:
        block.release()


def _copy(block: Block, header: bytes, runs: list[tuple[int, int]], fd: int, atime_ns: int) -> None:
    for start, stop in runs:
        _send(block.fd, fd, block.data_offset + start, block.data_offset + stop)
    os.pwrite(fd, header, 0)
    set_atime(fd, atime_ns)


def _send(source_fd: int, target_fd: int, start: int, stop: int) -> None:
    os.lseek(target_fd, start, os.SEEK_SET)
    while start < stop:
        count = os.sendfile(target_fd, source_fd, start, stop - start)
        if not count:
            raise OSError(errno.EIO, "a block ends before its units do")
        start += count
