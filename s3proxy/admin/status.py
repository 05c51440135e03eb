"""``status``: the tiers, what was counted, what is pinned and what is cached of each bucket; or of each object."""

from contextlib import closing

import trio

from s3proxy.admin.caches import Caches
from s3proxy.admin.command import Emit, Listing, next_batch
from s3proxy.admin.messages import BucketUsage, CacheRequest, ObjectPresence, Shown


async def status(caches: Caches, request: CacheRequest, emit: Emit) -> None:
    """Show the whole cache, or with a bucket how much of each object below the prefix is cached; then ``Shown``."""
    if request.bucket is None:
        await _show_caches(caches, emit)
    else:
        await _show_objects(caches, request.bucket, request.prefix, emit)


async def _show_caches(caches: Caches, emit: Emit) -> None:
    await emit(*await trio.to_thread.run_sync(caches.tiers))
    await emit(*await trio.to_thread.run_sync(caches.pins))
    await emit(*await _usage_by_bucket(caches))
    await emit(*await trio.to_thread.run_sync(caches.counters), Shown())


async def _usage_by_bucket(caches: Caches) -> list[BucketUsage]:
    counts: dict[str, int] = {}
    cached: dict[str, dict[str, int]] = {}
    with closing(caches.blocks(None, "")) as blocks:
        while batch := await next_batch(blocks):
            for block in batch:
                counts[block.bucket] = counts.get(block.bucket, 0) + 1
                of_bucket = cached.setdefault(block.bucket, {})
                of_bucket[block.tier] = of_bucket.get(block.tier, 0) + block.bytes
    return [BucketUsage(bucket=name, blocks=counts[name], cached=cached[name]) for name in sorted(counts)]


async def _show_objects(caches: Caches, bucket: str, prefix: str, emit: Emit) -> None:
    listing = Listing(caches, bucket, prefix)
    objects = total_bytes = present_bytes = 0
    while page := await listing.next_page():
        found = await trio.to_thread.run_sync(caches.presence, bucket, page)
        objects += len(page)
        total_bytes += sum(each.size for each in page)
        present_bytes += sum(each.present_bytes for each in found)
        await emit(
            *(
                ObjectPresence(key=each.key, size=each.size, present_bytes=here.present_bytes, cached=here.cached)
                for each, here in zip(page, found, strict=True)
            )
        )
    await emit(Shown(objects=objects, total_bytes=total_bytes, present_bytes=present_bytes))
