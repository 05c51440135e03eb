"""``/buckets``, ``/objects`` and ``/blocks``: what is stored, and what of it lies in the tiers. All of it bounded."""

from collections.abc import Sequence
from typing import Final, Protocol

import trio

from s3proxy.admin.answers import Answer, Json, RefusedError, Request, of_json
from s3proxy.s3 import model

_PAGE: Final = 200
_MOST_BUCKETS: Final = 1_000
_MOST_AT_ONCE: Final = 4
_WAIT_SECONDS: Final = 2.0
"""For others to be done, before a request is turned away."""

MOST_LOOKS: Final = 16_384
"""Blocks that are looked for in one request: at 4 MiB, those of 64 GiB."""

Held = dict[str, int]
"""Tier -> bytes there."""


class Storage(Protocol):
    """The stores of a node as clients name what is in them, and its tiers. What cannot be done raises CommandError."""

    @property
    def block_size(self) -> int:
        """Of the cache."""
        ...

    async def list_buckets(self) -> Sequence[str]:
        """Their names, in order."""
        ...

    def is_cached(self, bucket: str) -> bool:
        """Whether it is read through the cache."""
        ...

    async def list_page(self, bucket: str, query: model.ListQuery) -> model.ListPage:
        """One page of keys."""
        ...

    async def find(self, bucket: str, key: str) -> model.ListedObject:
        """What is known of an object."""
        ...

    async def held_of_each(
        self, bucket: str, objects: Sequence[model.ListedObject], most_looks: int
    ) -> list[Held | None]:
        """What the tiers hold of each of these versions; None from where on too many blocks would be looked for."""
        ...

    async def held_by_block(self, bucket: str, listed: model.ListedObject, most_looks: int) -> list[Held]:
        """What the tiers hold of each of the first blocks of a version."""
        ...


class Browser:
    """Answers, a few requests at once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._turns = trio.Semaphore(_MOST_AT_ONCE)

    async def buckets(self, request: Request) -> Answer:
        """All buckets."""
        return await self._in_turn(self._buckets, request)

    async def objects(self, request: Request) -> Answer:
        """A page of what is below ``?bucket=&prefix=``, beginning ``&after=`` the last name of the one before."""
        return await self._in_turn(self._objects, request)

    async def blocks(self, request: Request) -> Answer:
        """What there is of the blocks of ``?bucket=&key=``."""
        return await self._in_turn(self._blocks, request)

    async def _in_turn(self, work: "_Work", request: Request) -> Answer:
        with trio.move_on_after(_WAIT_SECONDS) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            raise RefusedError(503, "others are being answered; ask again")
        try:
            return of_json(await work(request))
        finally:
            self._turns.release()

    async def _buckets(self, _: Request) -> Json:
        names = await self._storage.list_buckets()
        return {
            "buckets": [{"name": name, "is_cached": self._storage.is_cached(name)} for name in names[:_MOST_BUCKETS]],
            "is_truncated": len(names) > _MOST_BUCKETS,
        }

    async def _objects(self, request: Request) -> Json:
        bucket, prefix = request.needed("bucket"), request.query.get("prefix", "")
        after = request.query.get("after", "")
        query = model.ListQuery(
            prefix=prefix,
            delimiter="/",
            after=after,
            after_is_prefix=after.endswith("/") and after != prefix,  # the only key that is listed and ends so
            max_keys=_PAGE,
        )
        page = await self._storage.list_page(bucket, query)
        held = await self._storage.held_of_each(bucket, page.objects, MOST_LOOKS)
        return {
            "bucket": bucket,
            "prefix": prefix,
            "directories": list(page.common_prefixes),
            "objects": [_object(listed, each) for listed, each in zip(page.objects, held, strict=True)],
            "after": page.next_after if page.is_truncated else None,
        }

    async def _blocks(self, request: Request) -> Json:
        bucket, key = request.needed("bucket"), request.needed("key")
        found = await self._storage.find(bucket, key)
        block_size = self._storage.block_size
        blocks = await self._storage.held_by_block(bucket, found, MOST_LOOKS)
        return {
            "bucket": bucket,
            "key": key,
            "size": found.size,
            "etag": found.etag,
            "block_size": block_size,
            "blocks": [[each.get("memory", 0), each.get("disk", 0)] for each in blocks],
            "is_truncated": len(blocks) * block_size < found.size,
        }


class _Work(Protocol):
    async def __call__(self, request: Request, /) -> Json: ...


def _object(listed: model.ListedObject, held: Held | None) -> Json:
    return {
        "key": listed.key,
        "size": listed.size,
        "etag": listed.etag,
        "modified_at": listed.last_modified_ns / 1e9,
        "memory_bytes": None if held is None else held.get("memory", 0),
        "disk_bytes": None if held is None else held.get("disk", 0),
    }
