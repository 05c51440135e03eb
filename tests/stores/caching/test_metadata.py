import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from s3proxy.cache.shared import SharedWords
from s3proxy.s3.model import Bucket, ETag, Key, ObjectInfo, ObjectMetadata, Part
from s3proxy.stores.caching.metadata import Asking, Entries, Entry
from tests.stores.caching.fakes import Clock

PLACE = (Bucket("bucket"), Key("key"))
INFO = ObjectInfo(size=7, etag=ETag("one"), last_modified_ns=10**9, metadata=ObjectMetadata())
TWO = replace(INFO, etag=ETag("two"))


@pytest.fixture
def words() -> Iterator[SharedWords]:
    made = SharedWords.create(1)
    yield made
    made.close()


def entries_of(words: SharedWords, clock: Clock, ttl: float = 10.0, max_bytes: int = 1 << 20) -> Entries:
    return Entries("store", words, None, ttl_seconds=ttl, clock=clock, max_bytes=max_bytes)


def keep(
    entries: Entries, info: ObjectInfo = INFO, asking: Asking | None = None, place: tuple[Bucket, Key] = PLACE
) -> Entry:
    asking = asking or entries.ask(place)
    entry = entries.make(place, asking, info, is_complete=True)
    entries.keep(asking, entry)
    return entry


def test_entry_counts_for_its_time_to_live(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock)
    assert entries.find(PLACE) is None
    entry = keep(entries)
    for seconds in (0.0, 9.9):
        clock.now = 1000.0 + seconds
        assert entries.find(PLACE) is entry
    clock.now = 1010.0
    assert entries.find(PLACE) is None
    assert entries.is_known(PLACE)


def test_time_to_live_begins_when_the_store_is_asked(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock)
    asking = entries.ask(PLACE)
    clock.now += 9.0
    keep(entries, asking=asking)
    clock.now += 1.0
    assert entries.find(PLACE) is None


@pytest.mark.parametrize(("ttl", "is_found"), [(0.0, False), (math.inf, True)])
def test_time_to_live_of_nothing_or_for_ever(ttl: float, is_found: bool, words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock, ttl)
    keep(entries)
    assert (entries.find(PLACE) is not None) is is_found
    clock.now += 1e12
    assert (entries.find(PLACE) is not None) is is_found


@pytest.mark.parametrize("bumps", [(True, False), (False, True), (True, True)])
def test_entry_asked_for_before_the_end_of_a_write_does_not_count(
    bumps: tuple[bool, bool], words: SharedWords, clock: Clock
) -> None:
    entries = entries_of(words, clock, math.inf)
    asking = entries.ask(PLACE)
    if bumps[0]:
        words.bump(*PLACE)
    entry = entries.make(PLACE, asking, INFO, is_complete=True)
    entries.keep(asking, entry)
    if bumps[1]:
        words.bump(*PLACE)
    assert entries.find(PLACE) is None
    assert not entries.is_known(PLACE)
    keep(entries)
    assert entries.find(PLACE) is not None


def test_deletion_of_a_bucket_ends_the_entries_of_its_keys(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock, math.inf)
    keep(entries)
    words.bump_bucket(PLACE[0])
    assert entries.find(PLACE) is None


def test_same_version_is_the_same_object(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock)
    first = keep(entries)
    clock.now += 20.0
    again = keep(entries, replace(INFO, tag_count=1))
    assert again.version is first.version
    for other in (replace(INFO, etag=ETag("two")), replace(INFO, last_modified_ns=2 * 10**9), replace(INFO, size=8)):
        assert entries.make(PLACE, entries.ask(PLACE), other, is_complete=True).version != first.version


def test_change_that_one_worker_notices_ends_the_entries_of_all(words: SharedWords, clock: Clock) -> None:
    entries, others = entries_of(words, clock, math.inf), entries_of(words, clock, math.inf)
    keep(others)
    keep(entries)
    keep(entries, TWO)
    assert others.find(PLACE) is None
    assert entries.find(PLACE) is None  # nobody knows whether a write came between
    keep(entries, TWO)
    assert entries.find(PLACE) is not None


def test_forgotten_version_is_forgotten_by_all_workers(words: SharedWords, clock: Clock) -> None:
    entries, others = entries_of(words, clock, math.inf), entries_of(words, clock, math.inf)
    keep(others)
    gone = keep(entries)
    entries.forget(gone)
    assert others.find(PLACE) is entries.find(PLACE) is None
    newer = keep(entries, TWO)
    entries.forget(gone)  # once more, by another reader of the old version
    assert entries.find(PLACE) is newer


def test_answer_is_good_for_who_arrived_in_time(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock)
    asking = entries.ask(PLACE)
    clock.now += 9.0
    assert entries.answers(PLACE, asking, entries.ask(PLACE))
    clock.now += 1.0
    assert not entries.answers(PLACE, asking, entries.ask(PLACE))
    assert not entries.answers(PLACE, None, entries.ask(PLACE))


def test_answer_from_before_a_write_is_not_good(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock)
    asking = entries.ask(PLACE)
    words.bump(*PLACE)
    assert not entries.answers(PLACE, asking, entries.ask(PLACE))


def test_entries_take_no_more_than_their_room(words: SharedWords, clock: Clock) -> None:
    entries = entries_of(words, clock, max_bytes=10_000)
    places = [(PLACE[0], Key(f"{number}")) for number in range(100)]
    for place in places:
        keep(entries, place=place)
    assert sum(entries.find(place) is not None for place in places) == 6
    parts = (Part(number=1, size=1, etag=ETag("x"), last_modified_ns=0),) * 1000
    keep(entries, replace(INFO, parts=parts))
    assert entries.find(PLACE) is None
    long = replace(INFO, metadata=ObjectMetadata(user={"a": "b" * 9000}))
    keep(entries, long)
    assert entries.find(PLACE) is None
