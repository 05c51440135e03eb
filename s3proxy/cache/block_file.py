"""One block file that this process has open: what of it is there, whether it is sound, and writing what is missing.

Units only ever appear, and each is written once. Whoever writes holds a lock on the bytes of its units, so that no two
fills on the node fetch the same; the kernel frees it when the process dies. Readers need no lock.

Before bytes are given out they are verified. What was verified stays so while the file's size and modification time
are the same, which one fstat tells, for whoever writes into a file changes the latter. Our own fills do so too:
the units that are read meanwhile are verified at each use, 10 us each.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from typing import Final, Self

from awscrt.checksums import crc32c

from s3proxy.cache.atimes import set_atime
from s3proxy.cache.block_layout import BlockLayout, build_entry, parse_entries
from s3proxy.cache.claims import Claim, take_claim
from s3proxy.cache.policy import LRU, Policy
from s3proxy.cache.range_locks import is_locked
from s3proxy.cache.usage import TierUsage

TOUCH_SECONDS: Final = 5
"""How often the access time of a block that is in use is set."""

_TOUCH_NS: Final = TOUCH_SECONDS * 1_000_000_000

_SETTLED_NS: Final = 20_000_000
"""A file that was changed so lately may change again without a new modification time: before Linux 6.13 the clock that
sets it ticks every 1 to 10 ms."""

Run = tuple[int, int]


class Block:
    """An open block file. Offsets are of the block's bytes.

    Closes: the descriptor is closed when whoever shares the block has released it, once each. Whoever got the block
    from a tier is the first.

    Args:
        fd: open for reading; taken over.
        layout: what is where.
        tier: name of the tier.
        usage: of the tier.
        policy: of the tier.
        is_in_memory: whether reading and writing it never waits for a disk.
    """

    __slots__ = (
        "_all", "_changes", "_claims", "_crcs", "_entries", "_layout", "_lock", "_policy", "_present", "_signature",
        "_usage", "_used_ns", "_users", "_verified", "data_offset", "fd", "is_in_memory", "length", "tier", "unit_size",
        "units",
    )  # fmt: skip

    def __init__(
        self,
        fd: int,
        layout: BlockLayout,
        *,
        tier: str,
        usage: TierUsage,
        policy: Policy = LRU,
        is_in_memory: bool = False,
    ) -> None:
        self.fd: Final = fd
        self.tier: Final = tier
        self.is_in_memory: Final = is_in_memory
        self.data_offset: Final = layout.data_offset
        self.length: Final = layout.length
        self.unit_size: Final = layout.unit_size
        self.units: Final = layout.units
        self._layout = layout
        self._usage = usage
        self._policy = policy
        self._users = 1
        self._lock = threading.Lock()  # of what follows
        self._all = (1 << layout.units) - 1
        self._present = 0  # a bit for each unit that is there
        self._crcs = [0] * layout.units  # of those
        self._entries = b""  # as they were at the last look
        self._verified = 0  # a bit for each unit that was sound when the file was as in _signature
        self._signature: tuple[int, int] | None = None
        self._changes = 0  # how often the file was found to be another than in _signature
        self._claims: list[Claim] = []  # of this object, to find by offset what ``write`` goes on with
        self._used_ns = policy.standing(os.fstat(fd).st_atime_ns).used_ns

    def share(self) -> Self:
        """Use the block once more; whoever does so releases it."""
        with self._lock:
            assert self._users > 0
            self._users += 1
        return self

    def release(self) -> None:
        """Stop using the block."""
        with self._lock:
            self._users -= 1
            assert self._users >= 0
            if self._users:
                return
        os.close(self.fd)

    @property
    def is_unlinked(self) -> bool:
        """Whether it has no name any more: it was evicted, dropped or replaced."""
        return os.fstat(self.fd).st_nlink == 0

    # What is there

    def present_until(self, start: int, stop: int) -> int:
        """Up to where the bytes from ``start`` on are there, at most ``stop``; ``start`` when that unit is missing."""
        if self._present == self._all:
            return stop
        until = self._known_until(start, stop)
        if until < stop:
            self._look()
            until = self._known_until(start, stop)
        return until

    def _known_until(self, start: int, stop: int) -> int:
        first = start // self.unit_size
        absent = ~self._present >> first
        count = (absent & -absent).bit_length() - 1
        return min((first + count) * self.unit_size, stop) if count else start

    def missing(self, start: int, stop: int) -> list[Run]:
        """What is not there of ``[start, stop)``, grown to whole units, in order; no two of the runs touch."""
        if self._present == self._all or start >= stop:
            return []
        self._look()
        units = range(start // self.unit_size, -(-stop // self.unit_size))
        return self._runs(number for number in units if not self._present >> number & 1)

    def snapshot(self) -> tuple[bytes, list[Run]]:
        """What is there now: the file's header with the entries of these runs, and the runs, in order."""
        self._look()
        present = self._present
        numbers = [number for number in range(self.units) if present >> number & 1]
        entries = bytearray(8 * self.units)
        for number in numbers:
            entries[8 * number : 8 * number + 8] = build_entry(self._crcs[number], number)
        return self._layout.header.ljust(self._layout.entries_offset, b"\0") + entries, self._runs(numbers)

    def _runs(self, numbers: Iterable[int]) -> list[Run]:
        """The bytes of these units, adjacent ones joined."""
        runs: list[Run] = []
        for number in numbers:
            start, stop = number * self.unit_size, min((number + 1) * self.unit_size, self.length)
            if runs and runs[-1][1] == start:
                start = runs.pop()[0]
            runs.append((start, stop))
        return runs

    def _look(self) -> None:
        """Take note of the units that others have published."""
        layout = self._layout
        with contextlib.suppress(OSError):
            self._take_entries(os.pread(self.fd, 8 * self.units, layout.entries_offset), 0)

    def _take_entries(self, entries: bytes, known: int) -> bool:
        """Take note of what entries say; whether those of the units in ``known`` say what they said before."""
        if entries == self._entries:
            return True
        found = parse_entries(entries)
        crcs = self._crcs
        if any(known >> number & 1 and crc != crcs[number] for number, crc in found.items()):
            return False
        present = 0
        for number, crc in found.items():
            crcs[number] = crc
            present |= 1 << number
        with self._lock:
            self._present |= present
            self._entries = entries
        return not known & ~present

    # Whether it is sound

    def verify(self, start: int, stop: int) -> bool:
        """Whether the bytes of ``[start, stop)`` are there and are those that were written.

        Costs 2 us when that is known, else 10 us a unit, and more where the disk has to be read.

        Returns:
            False for a block that must be dropped.
        """
        verdict = self._verify(start, stop, 0)
        assert verdict is not None
        return verdict

    def verify_resident(self, start: int, stop: int) -> bool | None:
        """As ``verify``, but None instead of waiting for a disk, also where the file system cannot tell."""
        return self._verify(start, stop, os.RWF_NOWAIT)

    def _verify(self, start: int, stop: int, flags: int) -> bool | None:
        status = os.fstat(self.fd)
        signature = _signature_of(status)
        if signature != self._signature and not self._begin_anew(signature):
            return False
        if self._verified == self._all:
            return True
        numbers = range(start // self.unit_size, -(-stop // self.unit_size))
        todo = [number for number in numbers if not self._verified >> number & 1]
        if not todo:
            return True
        verdict = self._verify_units(todo, flags)
        # Between here and the fstat above nobody may have written, or the time would be another, unless it is too
        # young to tell.
        if verdict and abs(time.time_ns() - status.st_mtime_ns) > _SETTLED_NS:
            with self._lock:
                if self._signature == signature:
                    self._verified |= _bits(todo)
        return verdict

    def _begin_anew(self, signature: tuple[int, int]) -> bool:
        """Forget what was verified before the file changed; whether its header still says what it said."""
        layout = self._layout
        known = self._present  # looked at first: others may publish units meanwhile
        try:
            start = os.pread(self.fd, layout.head_bytes, 0)
        except OSError:
            return False
        if len(start) < layout.head_bytes or not start.startswith(layout.header):
            return False
        with self._lock:
            self._verified = 0
            self._signature = signature
            self._changes += 1
        return self._take_entries(start[layout.entries_offset : layout.entries_offset + 8 * self.units], known)

    def _verify_units(self, numbers: list[int], flags: int) -> bool | None:
        buffer = memoryview(bytearray(self.unit_size))
        for number in numbers:
            if not self._present >> number & 1:
                return False
            start = number * self.unit_size
            length = min(self.unit_size, self.length - start)
            try:
                count = os.preadv(self.fd, [buffer[:length]], self.data_offset + start, flags)
            except OSError:
                return None if flags else False
            if count < length and flags:
                return None
            if count < length or crc32c(buffer[:length], self._layout.seed) != self._crcs[number]:
                return False
        return True

    # Writing

    def claim(self, start: int, stop: int) -> Claim | None:
        """Claim ``[start, stop)``, grown to whole units, to write what is missing of it.

        Room for it is reserved in the tier. The block is shared until the claim is released.

        Returns:
            The claim, which whoever gets it releases; None when another fill, of this or another process, holds part of
            the range. What is missing may be there by the time one has the claim: look again.

        Raises:
            TierFullError: there is no room.
            CacheIOError: the block cannot be written.
        """
        span = self._aligned(start, stop)
        present = self._present.bit_count() * self.unit_size
        claim = take_claim(self.fd, self._layout, self._usage, span, present=present, free=self._end_claim)
        if claim is not None:
            self.share()
            self._claims.append(claim)
        return claim

    def is_claimed(self, start: int, stop: int) -> bool:
        """Whether somebody, of this or another process, is at work on a part of ``[start, stop)``.

        The range is grown to whole units. What is missing and not claimed is on nobody's way: who filled it died or
        gave up.
        """
        start, stop = self._aligned(start, stop)
        try:
            return is_locked(self.fd, self.data_offset + start, self.data_offset + stop)
        except OSError:
            return False

    def _aligned(self, start: int, stop: int) -> Run:
        unit = self.unit_size
        return start // unit * unit, min(-(-stop // unit) * unit, self.length)

    def _end_claim(self, claim: Claim) -> None:
        self._claims.remove(claim)
        self.release()

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes within one claim of this process, in order from the start of a unit, and publish what is whole.

        Args:
            offset: of the block, where the last write of the claim ended or where a unit begins.
            data: of any length up to the end of the claim.

        Raises:
            CacheIOError: the file system refused, for example because it is full.
        """
        claim = next(claim for claim in self._claims if claim.start <= offset < claim.stop)
        assert offset + len(data) <= claim.stop
        before = _signature_of(os.fstat(self.fd))
        whole = claim.writer.write(offset, data)
        after = _signature_of(os.fstat(self.fd))
        numbers = [number for number, _ in whole]
        for number, crc in whole:
            self._crcs[number] = crc
        with self._lock:
            self._present |= _bits(numbers)
            is_unchanged = before == self._signature
            self._changes += not is_unchanged
            is_begun_now = offset % self.unit_size == 0
            is_sound = is_begun_now or claim.changes_at_unit == self._changes
            if is_begun_now or numbers:
                claim.changes_at_unit = self._changes
            # If the file was as this process knew it since a unit was begun, all that changed is what it has written:
            # the unit is not to be read back. That spares a reader who follows 0.15 s of CPU per GiB.
            if is_unchanged or not self._verified:
                self._signature = after
                self._verified |= _bits(numbers if is_sound else numbers[1:])

    def touch(self, now_ns: int) -> None:
        """Note that the block is used, for the order of eviction; on the file only every ``TOUCH_SECONDS``.

        Args:
            now_ns: nanoseconds since the epoch.
        """
        if now_ns - self._used_ns >= _TOUCH_NS:
            self._used_ns = now_ns
            with contextlib.suppress(OSError):  # a read-only tier evicts nothing
                atime_ns = os.fstat(self.fd).st_atime_ns
                if now_ns - self._policy.standing(atime_ns).used_ns >= _TOUCH_NS:  # else another worker has noted it
                    set_atime(self.fd, self._policy.after_use(atime_ns, now_ns))


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _signature_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_size
