import threading
from pathlib import Path

import pytest

from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.pins import Pin, Pins
from s3proxy.cache.tier_directory import PINS
from tests.cache.making import block_id

STORE = block_id(key="").version.store


def pin_of(bucket: str, prefix: str, store: str = STORE) -> Pin:
    return Pin(store=store, bucket=bucket, prefix=prefix)


@pytest.mark.parametrize(
    ("pin", "covers"),
    [
        (pin_of("bucket", ""), True),
        (pin_of("bucket", "a/"), True),
        (pin_of("bucket", "a/b"), True),
        (pin_of("bucket", "a/b/"), False),
        (pin_of("other", ""), False),
        (pin_of("bucket", "", store="another store"), False),
    ],
)
def test_pin_covers_the_keys_below_its_prefix(pin: Pin, covers: bool) -> None:
    assert pin.covers(block_id(key="a/b").version) is covers


def test_pins_stay_and_are_the_same_for_all(tier_directory: Path) -> None:
    pins = Pins(tier_directory)
    assert pins.all() == []
    assert pins.add(pin_of("bucket", "b\udcff"))
    assert pins.add(pin_of("bucket", "a"))
    assert not pins.add(pin_of("bucket", "a"))
    assert Pins(tier_directory).all() == [pin_of("bucket", "a"), pin_of("bucket", "b\udcff")]
    assert pins.remove(pin_of("bucket", "a"))
    assert not pins.remove(pin_of("bucket", "a"))
    assert Pins(tier_directory).all() == [pin_of("bucket", "b\udcff")]


@pytest.mark.parametrize("damaged", [b"", b"{", b"1", b"[1]", b'[["a"]]', b'[["bucket", "of no store"]]', b"\xff"])
def test_damaged_file_pins_nothing_and_is_replaced(tier_directory: Path, damaged: bytes) -> None:
    (tier_directory / PINS).write_bytes(damaged)
    pins = Pins(tier_directory)
    assert pins.all() == []
    assert pins.add(pin_of("bucket", ""))
    assert pins.all() == [pin_of("bucket", "")]


def test_pins_added_at_once_are_all_there(tier_directory: Path) -> None:
    threads = [threading.Thread(target=Pins(tier_directory).add, args=[pin_of("b", str(n))]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Pins(tier_directory).all()) == 8


def test_pins_that_cannot_be_written_are_a_cache_error(tmp_path: Path) -> None:
    with pytest.raises(CacheIOError):
        Pins(tmp_path / "none").add(pin_of("bucket", ""))
    with pytest.raises(CacheIOError):
        Pins(tmp_path).add(pin_of("bucket", ""))
