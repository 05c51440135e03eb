"""``free``: drop the blocks of a prefix. The objects stay where they are, and are fetched again when they are read."""

from collections.abc import Sequence
from contextlib import closing

import trio

from s3proxy.admin.caches import CachedBlock, Caches
from s3proxy.admin.command import Emit, needed_bucket, next_batch, report_while
from s3proxy.admin.messages import CacheRequest, Freed, Progress


async def free(caches: Caches, request: CacheRequest, emit: Emit) -> None:
    """Drop every version's blocks, pinned ones only when asked; emit progress and ``Freed``."""
    bucket = needed_bucket(request)
    freed_blocks = freed_bytes = pinned_blocks = 0

    async def drop_each() -> None:
        nonlocal freed_blocks, freed_bytes, pinned_blocks
        with closing(caches.blocks(bucket, request.prefix)) as blocks:
            while batch := await next_batch(blocks):
                free_ones = [each for each in batch if request.pinned or not each.is_pinned]
                pinned_blocks += len(batch) - len(free_ones)
                await trio.to_thread.run_sync(_drop, caches, free_ones)
                freed_blocks += len(free_ones)
                freed_bytes += sum(each.bytes for each in free_ones)

    await report_while(drop_each, emit, lambda: Progress(objects=freed_blocks, bytes=freed_bytes))
    await emit(Freed(blocks=freed_blocks, bytes=freed_bytes, pinned_blocks=pinned_blocks))


def _drop(caches: Caches, blocks: Sequence[CachedBlock]) -> None:
    for each in blocks:
        caches.drop(each)
