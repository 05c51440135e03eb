"""Names that all processes of a node know by the same number."""

import fcntl
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NAME_BYTES: Final = 64

OTHER: Final = "other"
"""Stands for all the names for which there is no room; its number is 0."""


class SharedNames:
    """A table in shared memory that only grows. A name keeps its number for as long as the memory lives.

    Args:
        memory: where it lies.
        start: from which byte on.
        capacity: how many names, ``OTHER`` among them.
        fd: of the file that the memory is of, to be locked while a name is added; -1 when nobody shares it.
    """

    def __init__(self, memory: mmap.mmap, start: int, capacity: int, fd: int) -> None:
        self._memory = memory
        self._start = start
        self._capacity = capacity
        self._fd = fd
        self._numbers: dict[str, int] = {OTHER: 0}

    @staticmethod
    def bytes_for(capacity: int) -> int:
        """How much memory the table takes."""
        return capacity * _NAME_BYTES

    def number_of(self, name: str) -> int:
        """The number of a name, which is added when it is new: at most ``capacity`` - 1 different ones."""
        number = self._numbers.get(name)
        if number is None:
            with self._locked():
                number = self._find_or_add(name)
            if number:  # or a program that makes names up would fill the memory
                self._numbers[name] = number
        return number

    def all(self) -> list[str]:
        """Every name by its number."""
        return [OTHER, *self._added()]

    def _find_or_add(self, name: str) -> int:
        encoded = name.encode()[:_NAME_BYTES]
        names = self.all()
        known = encoded.decode(errors="replace")
        if known in names:
            return names.index(known)
        number = len(names)
        if number == self._capacity:
            return 0
        place = self._start + number * _NAME_BYTES
        self._memory[place : place + len(encoded)] = encoded
        return number

    def _added(self) -> Iterator[str]:
        for number in range(1, self._capacity):
            place = self._start + number * _NAME_BYTES
            name = self._memory[place : place + _NAME_BYTES].rstrip(b"\0")
            if not name:
                return
            yield name.decode(errors="replace")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._fd < 0:
            yield
            return
        fcntl.lockf(self._fd, fcntl.LOCK_EX)  # of this process, though all have the same open file
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)
