from s3proxy.admin.messages import Pin, PinChanged
from s3proxy.admin.pins import pin, unpin
from tests.admin.fakes import FakeCaches, Told, request


async def test_pin_keeps_the_prefix_and_says_whether_it_was_kept_already() -> None:
    caches, told = FakeCaches(), Told()
    await pin(caches, request(prefix="a/"), told)
    await pin(caches, request(prefix="a/"), told)
    assert caches.pinned == [Pin(bucket="data", prefix="a/")]
    assert told.messages == [
        PinChanged(bucket="data", prefix="a/", is_pinned=True, is_changed=True),
        PinChanged(bucket="data", prefix="a/", is_pinned=True, is_changed=False),
    ]


async def test_unpin_takes_back_this_pin_only() -> None:
    caches, told = FakeCaches(), Told()
    caches.pinned = [Pin(bucket="data", prefix="a/"), Pin(bucket="data", prefix="a/b/")]
    await unpin(caches, request(prefix="a/"), told)
    await unpin(caches, request(prefix="a/"), told)
    assert caches.pinned == [Pin(bucket="data", prefix="a/b/")]
    assert told.messages == [
        PinChanged(bucket="data", prefix="a/", is_pinned=False, is_changed=True),
        PinChanged(bucket="data", prefix="a/", is_pinned=False, is_changed=False),
    ]
