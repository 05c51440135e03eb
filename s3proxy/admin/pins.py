"""``pin`` and ``unpin``: prefixes whose blocks are never evicted. Neither loads anything."""

import trio

from s3proxy.admin.caches import Caches
from s3proxy.admin.command import Emit, needed_bucket
from s3proxy.admin.messages import CacheRequest, Pin, PinChanged


async def pin(caches: Caches, request: CacheRequest, emit: Emit) -> None:
    """Pin the prefix; emit ``PinChanged``."""
    wanted = Pin(bucket=needed_bucket(request), prefix=request.prefix)
    is_changed = await trio.to_thread.run_sync(caches.pin, wanted)
    await emit(PinChanged(bucket=wanted.bucket, prefix=wanted.prefix, is_pinned=True, is_changed=is_changed))


async def unpin(caches: Caches, request: CacheRequest, emit: Emit) -> None:
    """Take back exactly this pin, not those of longer or shorter prefixes; emit ``PinChanged``."""
    unwanted = Pin(bucket=needed_bucket(request), prefix=request.prefix)
    is_changed = await trio.to_thread.run_sync(caches.unpin, unwanted)
    await emit(PinChanged(bucket=unwanted.bucket, prefix=unwanted.prefix, is_pinned=False, is_changed=is_changed))
