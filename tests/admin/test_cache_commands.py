from s3proxy.admin.cache_commands import cache_commands
from s3proxy.admin.messages import Pin
from tests.admin.fakes import FakeCaches, Told, request


async def test_cache_commands_work_on_the_caches_that_were_given() -> None:
    caches = FakeCaches()
    commands = cache_commands(caches)
    assert set(commands) == {"status", "load", "free", "pin", "unpin", "verify"}
    await commands["pin"](request(prefix="a"), Told())
    assert caches.pinned == [Pin(bucket="data", prefix="a")]
