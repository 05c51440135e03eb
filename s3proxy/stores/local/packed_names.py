"""Many sorted names in little memory: their UTF-8 and four bytes each, where a list of ``str`` takes 60 bytes more.

UTF-8 sorts as its code points do, so a name is decoded only when it is looked at.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, Self

_OFFSET_BYTES: Final = 4


class PackedNames:
    """Names in order; may hold a name more than once. Never changed.

    Args:
        text: all names, one after the other.
        offsets: where each begins in ``text``, and behind the last where that one ends.
    """

    __slots__ = ("_offsets", "_text")

    def __init__(self, text: bytes, offsets: "array[int]") -> None:
        self._text = text
        self._offsets = offsets

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Pack names that are in order and shorter than 4 GiB together."""
        encoded = [name.encode() for name in names]
        return cls(b"".join(encoded), array("I", accumulate(map(len, encoded), initial=0)))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> str:
        return self._text[self._offsets[index] : self._offsets[index + 1]].decode()

    @property
    def size(self) -> int:
        """In bytes of memory."""
        return len(self._text) + _OFFSET_BYTES * len(self._offsets)

    def count_below(self, lower: str) -> int:
        """How many names are below ``lower``."""
        return bisect_left(self, lower)

    def names_from(self, lower: str) -> Iterator[str]:
        """The names that are not below ``lower``."""
        text, offsets = self._text, self._offsets
        for index in range(self.count_below(lower), len(self)):
            yield text[offsets[index] : offsets[index + 1]].decode()

    def between(self, start: int, stop: int) -> Self:
        """The names from one index up to another."""
        base = self._offsets[start]
        offsets = array("I", (offset - base for offset in self._offsets[start : stop + 1]))
        return type(self)(self._text[base : self._offsets[stop]], offsets)
