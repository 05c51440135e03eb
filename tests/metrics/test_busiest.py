import random

from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.metrics.busiest import BusiestObjects, split_resource
from tests.metrics.asking import Clock


def test_busiest_objects_come_first_with_their_requests_and_bytes() -> None:
    busiest = BusiestObjects(Clock())
    for resource, times in (("/b/seldom", 1), ("/b/often", 3), ("/b/never", 0), ("/b/twice", 2)):
        for _ in range(times):
            busiest.count(resource, 10)
    assert busiest.top(2) == [
        {"bucket": "b", "key": "often", "requests": 3, "bytes": 30},
        {"bucket": "b", "key": "twice", "requests": 2, "bytes": 20},
    ]


def test_buckets_are_no_objects() -> None:
    busiest = BusiestObjects(Clock())
    for resource in ("/", "/b", "/b/", "/b/a/c"):
        busiest.count(resource, 0)
    assert [(entry["bucket"], entry["key"]) for entry in busiest.top(9)] == [("b", "a/c")]


def test_busy_object_is_found_among_many_that_are_asked_for_once() -> None:
    busiest = BusiestObjects(Clock())
    for number in range(20_000):
        busiest.count(f"/b/once{number}", 1)
        if number % 100 == 0:
            busiest.count("/b/busy", 1)
    first = busiest.top(1)[0]
    assert first["key"] == "busy"
    assert 100 <= first["requests"] <= 200


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_no_object_is_told_to_be_asked_for_more_than_it_was(seed: int) -> None:
    chance = random.Random(seed)
    busiest = BusiestObjects(Clock())
    true: dict[str, int] = {}
    for _ in range(5000):
        key = str(int(chance.paretovariate(0.3)) % 3000)
        true[key] = true.get(key, 0) + 1
        busiest.count(f"/b/{key}", 1)
    for entry in busiest.top(50):
        assert 0 < entry["requests"] <= true[entry["key"]]
        assert entry["bytes"] <= true[entry["key"]]


def test_memory_is_bounded_however_many_objects_are_asked_for() -> None:
    busiest = BusiestObjects(Clock())
    for number in range(10_000):
        busiest.count(f"/b/{number}", 1)
    assert len(busiest.top(100_000)) <= 1024


def test_what_was_asked_more_than_an_hour_ago_is_forgotten() -> None:
    clock = Clock()
    busiest = BusiestObjects(clock)
    busiest.count("/b/old", 1)
    clock.now += 1800
    assert [entry["key"] for entry in busiest.top(9)] == ["old"]
    busiest.count("/b/new", 1)
    assert {entry["key"] for entry in busiest.top(9)} == {"old", "new"}
    clock.now += 1800
    assert [entry["key"] for entry in busiest.top(9)] == ["new"]


def test_key_of_a_resource_keeps_its_slashes() -> None:
    assert split_resource("/b//k/") == ("b", "/k/")
