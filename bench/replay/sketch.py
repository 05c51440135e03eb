"""How often names were used of late, roughly and in little room."""

from typing import Final

_ROWS: Final = 4
_MOST: Final = 15  # what four bits hold
_FACTORS: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)  # odd, bits mixed
_HALVED: Final = bytes(value // 2 for value in range(256))
_SAMPLES_PER_NAME: Final = 10
_COUNTERS_PER_NAME: Final = 8


class FrequencySketch:
    """A count-min sketch of four rows of counters up to 15, all of which are halved from time to time.

    So what was used long ago is forgotten. An estimate is never too low but for the halving, and too high where names
    share counters in every row.

    Args:
        names: how many are cached at once; the counters are halved after ten times as many uses.
    """

    def __init__(self, names: int) -> None:
        bits = (max(names, 16) * _COUNTERS_PER_NAME - 1).bit_length()
        self._shift = 64 - bits
        self._rows = [bytearray(1 << bits) for _ in range(_ROWS)]
        self._uses_until_halved = self._sample = max(names, 16) * _SAMPLES_PER_NAME

    def add(self, name: int) -> None:
        """Count a use."""
        for row, place in zip(self._rows, self._places(name), strict=True):
            if row[place] < _MOST:
                row[place] += 1
        self._uses_until_halved -= 1
        if not self._uses_until_halved:
            self._rows = [row.translate(_HALVED) for row in self._rows]
            self._uses_until_halved = self._sample // 2

    def estimate(self, name: int) -> int:
        """How often a name was used, up to 15."""
        return min(row[place] for row, place in zip(self._rows, self._places(name), strict=True))

    def _places(self, name: int) -> list[int]:
        return [((name + 1) * factor & 0xFFFFFFFFFFFFFFFF) >> self._shift for factor in _FACTORS]
