import pytest

from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.pins import Pin
from s3proxy.node.names import Names, Place
from s3proxy.stores.routes import Mount, Routes
from tests.stores.fakes import MemoryStore

STORE = MemoryStore()


def mount(bucket: str, store: str, target_bucket: str = "", prefix: str = "") -> Mount:
    return Mount(bucket=bucket, store=STORE, store_name=store, target_bucket=target_bucket, prefix=prefix)


NAMES = Names(
    Routes(
        [
            mount("lake", "there", "deep", "raw/"),
            mount("all", "there", "deep"),
            mount("team-*", "there", prefix="t/"),
        ],
        mount("*", "here"),
    ),
    lambda name: f"{name} url",
)


def version(store: str, bucket: str, key: str) -> ObjectVersion:
    return ObjectVersion(store=store, bucket=bucket, key=key, token="1", size=1)


@pytest.mark.parametrize(
    ("bucket", "prefix", "place"),
    [
        ("lake", "a", Place(store="there url", bucket="deep", prefix="raw/a")),
        ("all", "", Place(store="there url", bucket="deep", prefix="")),
        ("team-1", "a", Place(store="there url", bucket="team-1", prefix="t/a")),
        ("pond", "a", Place(store="here url", bucket="pond", prefix="a")),
    ],
)
def test_place_is_where_the_blocks_are(bucket: str, prefix: str, place: Place) -> None:
    assert NAMES.place_of(bucket, prefix) == place


def test_place_holds_only_its_own_keys() -> None:
    place = NAMES.place_of("lake", "a/")
    assert place.holds(version("there url", "deep", "raw/a/b"))
    for other in (("here url", "deep", "raw/a/b"), ("there url", "lake", "raw/a/b"), ("there url", "deep", "a/b")):
        assert not place.holds(version(*other))


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (("there url", "deep", "raw/a"), ("lake", "a")),
        (("there url", "deep", "other/a"), ("all", "other/a")),
        (("there url", "team-1", "t/a"), ("team-1", "a")),
        (("here url", "pond", "a"), ("pond", "a")),
        (("gone url", "pond", "a"), ("pond", "a")),
        (("there url", "team-1", "elsewhere"), ("team-1", "elsewhere")),
    ],
)
def test_version_has_the_names_that_clients_use(names: tuple[str, str, str], seen: tuple[str, str]) -> None:
    assert NAMES.of_version(version(*names)) == seen


@pytest.mark.parametrize(
    ("bucket", "prefix"), [("lake", "a/"), ("all", "other"), ("team-1", "x"), ("pond", ""), ("lake", "")]
)
def test_pin_is_told_as_it_was_set(bucket: str, prefix: str) -> None:
    place = NAMES.place_of(bucket, prefix)
    pin = Pin(store=place.store, bucket=place.bucket, prefix=place.prefix)
    assert NAMES.of_pin(pin) == (bucket, prefix)


@pytest.mark.parametrize(
    ("store", "bucket"), [("gone url", "pond"), ("there other url", "deep"), ("here url", "team-1")]
)
def test_pin_of_a_bucket_that_is_of_another_store_now_has_no_name(store: str, bucket: str) -> None:
    assert NAMES.of_pin(Pin(store=store, bucket=bucket, prefix="raw/a")) is None
