import threading
from pathlib import Path

import pytest

from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.pins import Pin, Pins
from s3proxy.cache.tier_directory import PINS
from tests.cache.making import block_id


@pytest.mark.parametrize(
    ("pin", "covers"),
    [
        (Pin("bucket", ""), True),
        (Pin("bucket", "a/"), True),
        (Pin("bucket", "a/b"), True),
        (Pin("bucket", "a/b/"), False),
        (Pin("other", ""), False),
    ],
)
def test_pin_covers_the_keys_below_its_prefix(pin: Pin, covers: bool) -> None:
    assert pin.covers(block_id(key="a/b").version) is covers


def test_pins_stay_and_are_the_same_for_all(tier_directory: Path) -> None:
    pins = Pins(tier_directory)
    assert pins.all() == []
    assert pins.add(Pin("bucket", "b\udcff"))
    assert pins.add(Pin("bucket", "a"))
    assert not pins.add(Pin("bucket", "a"))
    assert Pins(tier_directory).all() == [Pin("bucket", "a"), Pin("bucket", "b\udcff")]
    assert pins.remove(Pin("bucket", "a"))
    assert not pins.remove(Pin("bucket", "a"))
    assert Pins(tier_directory).all() == [Pin("bucket", "b\udcff")]


@pytest.mark.parametrize("damaged", [b"", b"{", b"1", b"[1]", b'[["a"]]', b"\xff"])
def test_damaged_file_pins_nothing_and_is_replaced(tier_directory: Path, damaged: bytes) -> None:
    (tier_directory / PINS).write_bytes(damaged)
    pins = Pins(tier_directory)
    assert pins.all() == []
    assert pins.add(Pin("bucket", ""))
    assert pins.all() == [Pin("bucket", "")]


def test_pins_added_at_once_are_all_there(tier_directory: Path) -> None:
    threads = [threading.Thread(target=Pins(tier_directory).add, args=[Pin("b", str(n))]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Pins(tier_directory).all()) == 8


def test_pins_that_cannot_be_written_are_a_cache_error(tmp_path: Path) -> None:
    with pytest.raises(CacheIOError):
        Pins(tmp_path / "none").add(Pin("bucket", ""))
    with pytest.raises(CacheIOError):
        Pins(tmp_path).add(Pin("bucket", ""))
