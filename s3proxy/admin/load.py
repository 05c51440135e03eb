"""``load``: fetch what is missing of every object below a prefix.

It keeps no state between runs: what is cached already is what an earlier run has done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3proxy.admin.caches import Caches
from s3proxy.admin.command import CommandError, Emit, Listing, needed_bucket, report_while
from s3proxy.admin.messages import CacheRequest, Failed, Loaded, Progress, TooSmall
from s3proxy.pacing import Pace
from s3proxy.s3.model import ByteRange, ListedObject


async def load(caches: Caches, request: CacheRequest, emit: Emit) -> None:
    """Load, and emit progress, what failed, and ``Loaded``."""
    loading = _Loading(caches, request, emit)
    await report_while(loading.run, emit, loading.progress)
    await emit(loading.result())


@dataclass(slots=True, kw_only=True)
class _Pending:
    """An object of which something is missing."""

    listed: ListedObject
    missing_spans: int
    is_failed: bool = False


class _Loading:
    """One run: a task lists, ``jobs`` tasks fetch, and one more lists ahead of them so that the totals are known.

    The unit of work is a span and not an object, so that one huge object is fetched by all the jobs too.
    """

    def __init__(self, caches: Caches, request: CacheRequest, emit: Emit) -> None:
        self._caches = caches
        self._bucket = needed_bucket(request)
        self._prefix = request.prefix
        self._jobs = request.jobs
        self._emit = emit
        self._pace = Pace(request.rate)
        self._objects = self._bytes = self._fetched_bytes = self._failed = 0
        self._total_objects = self._total_bytes = 0
        self._is_counted = False

    def progress(self) -> Progress:
        return Progress(
            objects=self._objects,
            bytes=self._bytes,
            fetched_bytes=self._fetched_bytes,
            total_objects=self._total_objects,
            total_bytes=self._total_bytes,
            is_counted=self._is_counted,
        )

    def result(self) -> Loaded:
        return Loaded(objects=self._objects, bytes=self._bytes, fetched_bytes=self._fetched_bytes, failed=self._failed)

    async def run(self) -> None:
        refusals: list[CommandError] = []
        give, take = trio.open_memory_channel[tuple[_Pending, ByteRange]](0)
        async with trio.open_nursery() as nursery:

            async def unless_refused(work: Callable[[], Awaitable[None]]) -> None:
                try:
                    await work()
                except CommandError as error:
                    refusals.append(error)  # raised below, where no nursery makes a group of it
                    nursery.cancel_scope.cancel()

            nursery.start_soon(unless_refused, self._count)
            nursery.start_soon(unless_refused, partial(self._find_missing, give))
            for _ in range(self._jobs):
                nursery.start_soon(self._fetch_each, take)
        if refusals:
            raise refusals[0]

    async def _count(self) -> None:
        listing = Listing(self._caches, self._bucket, self._prefix)
        while page := await listing.next_page():
            self._total_objects += len(page)
            self._total_bytes += sum(each.size for each in page)
        self._is_counted = True
        tiers = await trio.to_thread.run_sync(self._caches.tiers)
        size_bytes = sum(tier.size_bytes for tier in tiers)
        if self._total_bytes > size_bytes:
            await self._emit(TooSmall(size_bytes=size_bytes, total_bytes=self._total_bytes))

    async def _find_missing(self, give: trio.MemorySendChannel[tuple[_Pending, ByteRange]]) -> None:
        listing = Listing(self._caches, self._bucket, self._prefix)
        async with give:
            while page := await listing.next_page():
                found = await trio.to_thread.run_sync(self._caches.missing, self._bucket, page)
                for listed, spans in zip(page, found, strict=True):
                    self._bytes += listed.size - sum(span.length for span in spans)
                    self._objects += not spans
                    pending = _Pending(listed=listed, missing_spans=len(spans))
                    for span in spans:
                        await give.send((pending, span))

    async def _fetch_each(self, take: trio.MemoryReceiveChannel[tuple[_Pending, ByteRange]]) -> None:
        async for pending, span in take:
            if not pending.is_failed:
                await self._fetch(pending, span)
            pending.missing_spans -= 1
            self._objects += not pending.missing_spans

    async def _fetch(self, pending: _Pending, span: ByteRange) -> None:
        await self._pace.wait_for(span.length)
        try:
            await self._caches.fetch(self._bucket, pending.listed, span)
        except CommandError as error:
            if not pending.is_failed:  # by another job
                pending.is_failed = True
                self._failed += 1
                await self._emit(Failed(name=f"s3://{self._bucket}/{pending.listed.key}", reason=str(error)))
            return
        self._bytes += span.length
        self._fetched_bytes += span.length
