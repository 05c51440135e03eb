"""What objects hold: every byte is a function of the object's number and its offset, so any response can be checked."""

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_UNITS = ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))
_WORD = 8
_PIECE = MIB
_SAMPLES = 9
_NUMBER_SHIFT = 40  # the low 40 bits count words: 8 TiB of them for each object


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object of the bench: its key, its size in bytes, and the number that its content is made from."""

    key: str
    number: int
    size: int


def content(number: int, start: int, stop: int) -> bytes:
    """The bytes ``[start, stop)`` of object ``number``: 64-bit little-endian words, its number above their position."""
    first = start // _WORD
    base = number << _NUMBER_SHIFT
    words = array("Q", range(base + first, base + -(-stop // _WORD)))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()[start - first * _WORD : stop - first * _WORD]


def pieces(thing: Thing) -> Iterator[bytes]:
    """The whole content in order, a MiB at a time."""
    for start in range(0, thing.size, _PIECE):
        yield content(thing.number, start, min(start + _PIECE, thing.size))


def samples_of(size: int) -> list[tuple[int, int]]:
    """Ranges ``[start, stop)`` of up to a MiB in which to look at a large object: its ends, and places between."""
    last = max(0, size - _PIECE)
    starts = dict.fromkeys(last * part // (_SAMPLES - 1) for part in range(_SAMPLES))
    return [(start, min(start + _PIECE, size)) for start in starts]


def things(prefix: str, size: int, count: int) -> list[Thing]:
    """``count`` objects of ``size`` bytes below ``prefix``; the same size gives the same contents under any prefix."""
    first = size.bit_length() << 12
    return [Thing(key=f"{prefix}/{index:05d}", number=first + index, size=size) for index in range(count)]


def flat_keys(count: int) -> list[str]:
    """``count`` keys without a slash, in byte order."""
    return [f"key-{index:08d}" for index in range(count)]


def size_name(size: int) -> str:
    """``65536`` -> ``64KiB``; sizes are whole KiB."""
    unit, name = next((unit, name) for unit, name in _UNITS if size % unit == 0)
    return f"{size // unit}{name}"
