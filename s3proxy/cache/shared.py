"""Words of 64 bits that all workers of a node share: stamps, counters and what the tiers hold.

They lie in a memfd that the workers inherit. Nothing locks them. A stamp may be replaced by anybody, for only whether
it changed matters. Everything else is a column of one word for each worker, which that worker alone changes, and
whose sum is what counts.
"""

import mmap
import os
import threading
import zlib
from functools import lru_cache
from typing import Final, Self

from s3proxy.cache.counters import Counter

COLUMNS: Final = 128
"""The first are the counters."""

_KEY_STAMPS: Final = 65_536
_BUCKET_STAMPS: Final = 4_096
_RUN_PLACE: Final = _KEY_STAMPS + _BUCKET_STAMPS
_RUN_WORDS: Final = 2
_FIRST_COLUMN: Final = _RUN_PLACE + _RUN_WORDS
_WORD_BYTES: Final = 8
_MODULUS: Final = 1 << 64


class SharedWords:
    """This process's view of the shared words.

    Made by ``create`` or ``attach``; ``close`` frees it. Calls may come from any thread.
    """

    def __init__(self, fd: int, slot: int) -> None:
        self.fd: Final = fd
        """Of the memfd, to be passed on to workers."""
        size = os.fstat(fd).st_size
        self._slots: Final = (size // _WORD_BYTES - _FIRST_COLUMN) // COLUMNS
        if not 0 <= slot < self._slots:
            raise ValueError(f"worker {slot} of {self._slots}")
        self._first: Final = _FIRST_COLUMN + slot
        self._memory = mmap.mmap(fd, size)
        self._bytes = memoryview(self._memory)
        self._words = self._bytes.cast("Q")
        self._lock: Final = threading.Lock()  # between the threads of this process

    @classmethod
    def create(cls, workers: int) -> Self:
        """Make the words for so many workers, all but ``run`` zero. This process may count as well, beside them."""
        fd = os.memfd_create("s3proxy-shared")
        try:
            os.ftruncate(fd, (_FIRST_COLUMN + COLUMNS * (workers + 1)) * _WORD_BYTES)
            os.pwrite(fd, os.urandom(_RUN_WORDS * _WORD_BYTES), _RUN_PLACE * _WORD_BYTES)
            return cls(fd, workers)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int, worker: int) -> Self:
        """Share the words of a process that created them.

        Args:
            fd: inherited; taken over.
            worker: from 0; one process at a time. A worker goes on from what one before it, now dead, has counted.

        Raises:
            ValueError: the words are not for so many workers.
        """
        return cls(fd, worker)

    def close(self) -> None:
        """Unmap and close; the other processes keep theirs."""
        self._words.release()
        self._bytes.release()
        self._memory.close()
        os.close(self.fd)

    @property
    def run(self) -> bytes:
        """16 bytes that all who share these words have in common, and nobody else: stamps mean nothing beyond them."""
        return bytes(self._bytes[_RUN_PLACE * _WORD_BYTES : _FIRST_COLUMN * _WORD_BYTES])

    # Stamps

    def stamp(self, bucket: str, key: str) -> int:
        """What is remembered of the key is valid only while this stays the same; no stamp ever comes back."""
        words = self._words
        key_place, bucket_place = _places(bucket, key)
        return words[key_place] << 64 | words[bucket_place]

    def bump(self, bucket: str, key: str) -> None:
        """Change the stamp of a key, and of the few that share its word."""
        self._words[_key_place(bucket, key)] = _new_stamp()

    def bump_bucket(self, bucket: str) -> None:
        """Change the stamps of all keys of a bucket."""
        self._words[_bucket_place(bucket)] = _new_stamp()

    # Counters

    def add(self, counter: Counter, amount: int = 1) -> None:
        """Count."""
        place = self._place(counter)  # as add_own, without its call: twice in each read
        with self._lock:
            self._words[place] = (self._words[place] + amount) % _MODULUS

    def total(self, counter: Counter) -> int:
        """What all workers counted."""
        return self.column_sum(counter)

    # Columns

    def add_own(self, column: int, amount: int) -> None:
        """Add to this worker's word of a column; ``amount`` may be negative, and so may the word become."""
        place = self._place(column)
        with self._lock:
            self._words[place] = (self._words[place] + amount) % _MODULUS

    def clear_own(self, column: int) -> None:
        """Set this worker's word of a column to 0."""
        self._words[self._place(column)] = 0

    def column_sum(self, column: int) -> int:
        """The sum of all workers' words of a column."""
        start = _FIRST_COLUMN + column * self._slots
        total = sum(self._words[start : start + self._slots]) % _MODULUS
        return total if total < _MODULUS // 2 else total - _MODULUS

    def _place(self, column: int) -> int:
        return self._first + column * self._slots


@lru_cache(maxsize=4096)
def _places(bucket: str, key: str) -> tuple[int, int]:
    return _key_place(bucket, key), _bucket_place(bucket)


def _key_place(bucket: str, key: str) -> int:
    # Every process must choose the same word, so no hash() with its random seed.
    return zlib.crc32(f"{bucket}/{key}".encode("utf-8", "surrogatepass")) % _KEY_STAMPS


def _bucket_place(bucket: str) -> int:
    return _KEY_STAMPS + zlib.crc32(bucket.encode("utf-8", "surrogatepass")) % _BUCKET_STAMPS


def _new_stamp() -> int:
    # Chance repeats one of a word's former values less often than hardware fails, and needs no agreement with anybody.
    return int.from_bytes(os.urandom(_WORD_BYTES))
