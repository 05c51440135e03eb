"""``verify``: read blocks and compare them with their checksums."""

from contextlib import closing

import trio

from s3proxy.admin.caches import CachedBlock, Caches
from s3proxy.admin.command import Emit, next_batch, report_while
from s3proxy.admin.messages import CacheRequest, Failed, Progress, Verified
from s3proxy.pacing import Pace


async def verify(caches: Caches, request: CacheRequest, emit: Emit) -> None:
    """Verify the blocks of the prefix, or all; emit progress, each bad one, and ``Verified``."""
    pace = Pace(request.rate)
    verified = verified_bytes = bad = 0

    async def verify_one(block: CachedBlock) -> None:
        nonlocal verified, verified_bytes, bad
        await pace.wait_for(block.bytes)
        if not await trio.to_thread.run_sync(caches.verify, block):
            bad += 1
            name = f"s3://{block.bucket}/{block.key}"
            await emit(Failed(name=name, reason=f"block {block.index} in tier {block.tier} was damaged and is dropped"))
        verified += 1
        verified_bytes += block.bytes

    async def verify_each() -> None:
        with closing(caches.blocks(request.bucket, request.prefix)) as blocks:
            while batch := await next_batch(blocks):
                for block in batch:
                    await verify_one(block)

    await report_while(verify_each, emit, lambda: Progress(objects=verified, bytes=verified_bytes))
    await emit(Verified(blocks=verified, bytes=verified_bytes, bad=bad))
