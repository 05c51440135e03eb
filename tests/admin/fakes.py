"""Caches in a dictionary, and a client that only remembers what it is told."""

from collections.abc import Generator, Sequence

import trio

from s3proxy.admin.caches import CachedBlock, Presence
from s3proxy.admin.command import CommandError
from s3proxy.admin.messages import CacheRequest, Counter, Message, Pin, TierUsage
from s3proxy.s3 import model

MIB = 2**20


class FakeCaches:
    """One memory tier of 1 MiB blocks; ``objects`` is what the store has, ``cached`` the blocks that are here."""

    def __init__(self, objects: dict[str, int] | None = None, *, size_bytes: int = 1024 * MIB) -> None:
        self.objects = dict(objects or {})
        self.cached: set[tuple[str, int]] = set()
        self.damaged: set[tuple[str, int]] = set()
        self.broken: dict[str, str] = {}
        self.pinned: list[Pin] = []
        self.fetched: list[tuple[str, int, int]] = []
        self.has_fetched = trio.Event()
        self.page_size = 2
        self.fetch_seconds = 0.0
        self.size_bytes = size_bytes

    def tiers(self) -> Sequence[TierUsage]:
        used = len(self.cached) * MIB
        return [
            TierUsage(
                tier="memory", directory="/cache", size_bytes=self.size_bytes, used_bytes=used, blocks=len(self.cached)
            )
        ]

    def counters(self) -> Sequence[Counter]:
        return [Counter(name="hits", value=7)]

    def blocks(self, bucket: str | None, prefix: str) -> Generator[CachedBlock, None, None]:
        for key, index in sorted(self.cached):
            if bucket in {None, "data"} and key.startswith(prefix):
                is_pinned = any(key.startswith(pin.prefix) for pin in self.pinned)
                yield CachedBlock(
                    tier="memory", name=f"{key}.{index}", bucket="data", key=key, index=index, bytes=MIB,
                    is_pinned=is_pinned,
                )  # fmt: skip

    def drop(self, block: CachedBlock) -> None:
        self.cached.discard((block.key, block.index))

    def verify(self, block: CachedBlock) -> bool:
        if (block.key, block.index) not in self.damaged:
            return True
        self.drop(block)
        return False

    def pins(self) -> Sequence[Pin]:
        return self.pinned

    def pin(self, pin: Pin) -> bool:
        if pin in self.pinned:
            return False
        self.pinned.append(pin)
        return True

    def unpin(self, pin: Pin) -> bool:
        if pin not in self.pinned:
            return False
        self.pinned.remove(pin)
        return True

    async def list_objects(self, bucket: str, prefix: str, after: str) -> model.ListPage:
        await trio.lowlevel.checkpoint()
        if bucket != "data":
            raise CommandError(f"there is no bucket {bucket}")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        page = [
            model.ListedObject(key=model.Key(key), size=self.objects[key], etag=model.ETag("e"), last_modified_ns=0)
            for key in keys[: self.page_size]
        ]
        is_truncated = len(keys) > self.page_size
        return model.ListPage(
            objects=tuple(page), common_prefixes=(), is_truncated=is_truncated,
            next_after=page[-1].key if is_truncated else "",
        )  # fmt: skip

    def presence(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[Presence]:
        return [
            Presence(present_bytes=here, cached={"memory": here})
            for here in (
                each.size - sum(span.length for span in spans)
                for each, spans in zip(objects, self.missing(bucket, objects), strict=True)
            )
        ]

    def missing(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[list[model.ByteRange]]:
        return [
            [
                model.ByteRange(start, min(start + MIB, each.size))
                for start in range(0, each.size, MIB)
                if (each.key, start // MIB) not in self.cached
            ]
            for each in objects
        ]

    async def fetch(self, bucket: str, listed: model.ListedObject, span: model.ByteRange) -> None:
        await trio.sleep(self.fetch_seconds)
        if listed.key in self.broken:
            raise CommandError(self.broken[listed.key])
        self.fetched.append((listed.key, span.start, span.stop))
        self.cached.add((listed.key, span.start // MIB))
        self.has_fetched.set()


class Told:
    """An ``Emit`` that keeps everything."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, *messages: Message) -> None:
        await trio.lowlevel.checkpoint()
        self.messages += messages


def request(
    bucket: str | None = "data", prefix: str = "", *, rate: float | None = None, jobs: int = 8, pinned: bool = False
) -> CacheRequest:
    return CacheRequest(bucket=bucket, prefix=prefix, rate=rate, jobs=jobs, pinned=pinned)
