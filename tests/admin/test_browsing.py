import json
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from s3proxy.admin.answers import RefusedError, Request
from s3proxy.admin.browsing import Browser, Held
from s3proxy.s3 import model

MIB = 2**20


class FakeStorage:
    """One bucket of some objects; the memory tier has the first block of each."""

    block_size = 4 * MIB

    def __init__(self) -> None:
        self.sizes = {"a": 6 * MIB}
        self.queries: list[model.ListQuery] = []
        self.directories: tuple[str, ...] = ()
        self.next_after = ""
        self.seconds = 0.0
        self.names = ["cached", "other"]

    async def list_buckets(self) -> Sequence[str]:
        await trio.sleep(self.seconds)
        return self.names

    def is_cached(self, bucket: str) -> bool:
        return bucket == "cached"

    async def list_page(self, bucket: str, query: model.ListQuery) -> model.ListPage:
        self.queries.append(query)
        return model.ListPage(
            objects=tuple(self.listed(key) for key in self.sizes),
            common_prefixes=self.directories,
            is_truncated=bool(self.next_after),
            next_after=self.next_after,
        )

    async def find(self, bucket: str, key: str) -> model.ListedObject:
        return self.listed(key)

    async def held_of_each(
        self, bucket: str, objects: Sequence[model.ListedObject], most_looks: int
    ) -> list[Held | None]:
        return [None if each.size > most_looks * self.block_size else {"memory": 1, "disk": 2} for each in objects]

    async def held_by_block(self, bucket: str, listed: model.ListedObject, most_looks: int) -> list[Held]:
        count = min(-(-listed.size // self.block_size), most_looks)
        return [{"memory": MIB}, *({} for _ in range(count - 1))]

    def listed(self, key: str) -> model.ListedObject:
        return model.ListedObject(
            key=model.Key(key), size=self.sizes[key], etag=model.ETag("e"), last_modified_ns=1_500_000_000
        )


async def ask(storage: FakeStorage, name: str, **query: str) -> dict[str, Any]:
    answer = await getattr(Browser(storage), name)(Request(method="GET", path=f"/{name}", query=query))
    content: dict[str, Any] = json.loads(answer.body)
    return content


async def test_buckets_are_told_with_whether_they_are_cached() -> None:
    content = await ask(FakeStorage(), "buckets")
    assert content["buckets"] == [{"name": "cached", "is_cached": True}, {"name": "other", "is_cached": False}]
    assert not content["is_truncated"]


async def test_very_many_buckets_are_cut_off() -> None:
    storage = FakeStorage()
    storage.names = [f"b{number}" for number in range(5_000)]
    content = await ask(storage, "buckets")
    assert (len(content["buckets"]), content["is_truncated"]) == (1_000, True)


async def test_objects_are_told_with_what_the_tiers_have_of_them() -> None:
    storage = FakeStorage()
    storage.directories = ("p/d/",)
    content = await ask(storage, "objects", bucket="cached", prefix="p/")
    assert content == {
        "bucket": "cached",
        "prefix": "p/",
        "directories": ["p/d/"],
        "objects": [{"key": "a", "size": 6 * MIB, "etag": "e", "modified_at": 1.5, "memory_bytes": 1, "disk_bytes": 2}],
        "after": None,
    }
    assert storage.queries == [model.ListQuery(prefix="p/", delimiter="/", max_keys=200)]


@pytest.mark.parametrize(("after", "is_prefix"), [("p/x", False), ("p/d/", True), ("p/", False)])
async def test_objects_go_on_after_the_last_name_of_a_page(after: str, is_prefix: bool) -> None:
    storage = FakeStorage()
    storage.next_after = "p/y"
    content = await ask(storage, "objects", bucket="cached", prefix="p/", after=after)
    assert content["after"] == "p/y"
    assert (storage.queries[0].after, storage.queries[0].after_is_prefix) == (after, is_prefix)


async def test_object_too_large_to_look_for_is_told_as_unknown() -> None:
    storage = FakeStorage()
    storage.sizes = {"huge": 5 * 2**40}
    (listed,) = (await ask(storage, "objects", bucket="cached"))["objects"]
    assert (listed["memory_bytes"], listed["disk_bytes"]) == (None, None)


async def test_blocks_are_told_in_order() -> None:
    content = await ask(FakeStorage(), "blocks", bucket="cached", key="a")
    assert content == {
        "bucket": "cached",
        "key": "a",
        "size": 6 * MIB,
        "etag": "e",
        "block_size": 4 * MIB,
        "blocks": [[MIB, 0], [0, 0]],
        "is_truncated": False,
    }


async def test_blocks_of_a_huge_object_are_cut_off() -> None:
    storage = FakeStorage()
    storage.sizes = {"huge": 5 * 2**40}
    content = await ask(storage, "blocks", bucket="cached", key="huge")
    assert (len(content["blocks"]), content["is_truncated"]) == (16_384, True)


@pytest.mark.parametrize(("name", "query"), [("objects", {}), ("blocks", {"bucket": "b"}), ("blocks", {"key": "k"})])
async def test_request_without_what_it_needs_is_refused(name: str, query: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="needs"):
        await ask(FakeStorage(), name, **query)


async def test_only_a_few_requests_are_answered_at_once(autojump_clock: MockClock) -> None:
    storage = FakeStorage()
    storage.seconds = 5
    browser = Browser(storage)
    refused = 0

    async def ask_once() -> None:
        nonlocal refused
        try:
            await browser.buckets(Request(method="GET", path="/buckets"))
        except RefusedError as error:
            refused += error.status == 503

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask_once)
    assert refused == 6
    await ask_once()
    assert refused == 6
