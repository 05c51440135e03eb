import pytest

from s3proxy.admin.command import CommandError, Listing, needed_bucket, next_batch, report_while
from s3proxy.admin.messages import Progress
from tests.admin.fakes import FakeCaches, Told, request


def test_needed_bucket_that_is_missing_or_empty_is_refused() -> None:
    assert needed_bucket(request("data")) == "data"
    for bucket in (None, ""):
        with pytest.raises(CommandError):
            needed_bucket(request(bucket))


async def test_listing_goes_through_all_pages_and_stays_at_the_end() -> None:
    listing = Listing(FakeCaches({"a": 1, "b": 2, "c": 3}), "data", "")
    assert [each.key for each in await listing.next_page()] == ["a", "b"]
    assert [each.key for each in await listing.next_page()] == ["c"]
    assert await listing.next_page() == ()
    assert await listing.next_page() == ()


async def test_next_batch_is_empty_at_the_end() -> None:
    items = iter(range(65))
    assert await next_batch(items) == list(range(64))
    assert await next_batch(items) == [64]
    assert await next_batch(items) == []


async def test_report_while_ends_with_a_report() -> None:
    told = Told()

    async def work() -> None:
        await told(Progress(objects=1))

    await report_while(work, told, lambda: Progress(objects=2))
    assert told.messages == [Progress(objects=1), Progress(objects=2)]


async def test_report_while_raises_the_refusal_itself() -> None:
    async def work() -> None:
        raise CommandError("no")

    with pytest.raises(CommandError, match="no"):
        await report_while(work, Told(), Progress)
