"""The table in which the workers of a node tell each other what the store said of objects.

A file of slots of equal size, one for each hash of an object's name; what comes second into a slot replaces what was
there. Nothing is lost with it: whatever is torn, foreign, from another object or too large for its slot reads as if it
had never been there. A slot holds

    magic, CRC32C of the rest, run, time of asking, stamp, size, Last-Modified, number of tags, completeness, two
    lengths | store NUL bucket NUL key | the object's record, as the local store encodes it

Only in the run of the node that wrote it can a record be fresh, for times and stamps mean nothing in another; after
that it says no more than that the object is known. The file belongs on a tmpfs (or is a memfd): writing a slot must not
wait for a disk.

Locks on slots order who asks the store: byte ranges of the file, freed by the kernel when a worker dies.
"""

import os
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

from awscrt import checksums as crt

from s3proxy.cache import range_locks
from s3proxy.s3.model import Bucket, Key, ObjectInfo
from s3proxy.stores.local import metadata
from s3proxy.stores.local.metadata import Record

RUN_BYTES: Final = 16
STAMP_BYTES: Final = 16
_MAGIC = b"S3O1"
_HEAD = struct.Struct(f"<4sI{RUN_BYTES}sd{STAMP_BYTES}sqqIBHH")
_CRC_STOP: Final = 8  # the CRC covers what follows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What some worker learned of an object."""

    info: ObjectInfo
    is_complete: bool
    """Whether it has all that HeadObject tells."""
    asked_at: float
    """By the monotonic clock, before the store was asked."""
    stamp: int
    """That of the object at that time."""
    is_of_this_run: bool
    """If not, the two above mean nothing."""


class MetadataTable:
    """The table, open in one worker. Used in the event loop only. Make it with ``open``.

    *Closes:* ``close``, which also frees the locks.
    """

    def __init__(self, fd: int, *, run: bytes, slots: int, slot_bytes: int) -> None:
        assert len(run) == RUN_BYTES
        self._fd = fd
        self._run = run
        self._slots = slots
        self._slot_bytes = slot_bytes
        self._locked: set[int] = set()

    @classmethod
    def open(cls, path: Path, *, run: bytes, slots: int = 32 * 1024, slot_bytes: int = 1024) -> Self:
        """Open the table, made if it is missing.

        Args:
            path: of the file; ``/proc/self/fd/N`` for an inherited memfd.
            run: that of the shared words, see ``SharedWords.run``.
            slots: how many.
            slot_bytes: of each.

        Raises:
            OSError: it cannot be opened or made.
        """
        # Locks belong to the open file: it must be this worker's own, not an inherited one.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, slots * slot_bytes)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
        except OSError:
            os.close(fd)
            raise
        return cls(fd, run=run, slots=slots, slot_bytes=slot_bytes)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def get(self, store: str, bucket: Bucket, key: Key) -> Shared | None:
        """What is known of an object; None if nothing, or if that would have to be read from a disk."""
        identity = _identity(store, bucket, key)
        slot = self._read(self._slot_of(identity))
        if len(slot) < _HEAD.size:
            return None
        magic, crc, run, asked_at, stamp, size, modified_ns, tags, complete, length, rest = _HEAD.unpack_from(slot)
        stop = _HEAD.size + length
        if magic != _MAGIC or slot[_HEAD.size : stop] != identity or crc != _crc_of(slot[: stop + rest]):
            return None
        record = metadata.decode(slot[stop : stop + rest], size, modified_ns)
        if record is None:
            return None
        return Shared(
            info=replace(record.info, tag_count=tags) if tags else record.info,
            is_complete=bool(complete),
            asked_at=asked_at,
            stamp=int.from_bytes(stamp),
            is_of_this_run=run == self._run,
        )

    def put(self, store: str, bucket: Bucket, key: Key, shared: Shared) -> None:
        """Tell the others; in vain if it does not fit or cannot be written."""
        info = shared.info
        identity = _identity(store, bucket, key)
        encoded = metadata.encode(Record(info=info))
        if _HEAD.size + len(identity) + len(encoded) > self._slot_bytes:
            return
        times = (shared.asked_at, shared.stamp.to_bytes(STAMP_BYTES), info.size, info.last_modified_ns)
        lengths = (info.tag_count, shared.is_complete, len(identity), len(encoded))
        try:
            head = _HEAD.pack(_MAGIC, 0, self._run, *times, *lengths)
        except struct.error:
            return  # a number that no store should give, such as a date in the year 9999
        slot = head + identity + encoded
        self._write(self._slot_of(identity), _MAGIC + _crc_of(slot).to_bytes(4, "little") + slot[_CRC_STOP:])

    def try_lock(self, store: str, bucket: Bucket, key: Key) -> int | None:
        """Lock an object's slot against every other request of the node.

        Returns:
            What ``unlock`` takes; None while somebody else has it.
        """
        slot = self._slot_of(_identity(store, bucket, key))
        if slot in self._locked or not self._try_lock(slot):
            return None
        self._locked.add(slot)
        return slot

    def unlock(self, slot: int) -> None:
        """Let others have the slot."""
        self._locked.remove(slot)
        with suppress(OSError):
            range_locks.unlock(self._fd, *self._bytes_of(slot))

    def _try_lock(self, slot: int) -> bool:
        try:
            return range_locks.try_lock(self._fd, *self._bytes_of(slot))
        except OSError:
            return True  # where a file system has no locks, each worker asks for itself

    def _bytes_of(self, slot: int) -> tuple[int, int]:
        return slot * self._slot_bytes, (slot + 1) * self._slot_bytes

    def _slot_of(self, identity: bytes) -> int:
        return int.from_bytes(blake2b(identity, digest_size=8).digest()) % self._slots

    def _read(self, slot: int) -> bytes:
        buffer = bytearray(self._slot_bytes)
        offset = slot * self._slot_bytes
        try:
            count = os.preadv(self._fd, [buffer], offset, os.RWF_NOWAIT)
        except BlockingIOError:
            return b""
        except OSError:  # a file system that cannot tell, as tmpfs, where nothing has to be waited for
            return self._read_waiting(offset)
        return bytes(buffer[:count])

    def _read_waiting(self, offset: int) -> bytes:
        try:
            return os.pread(self._fd, self._slot_bytes, offset)
        except OSError:
            return b""

    def _write(self, slot: int, data: bytes) -> None:
        try:
            os.pwrite(self._fd, data, slot * self._slot_bytes)
        except OSError:
            return  # a full or failing disk: nobody is told


def _identity(store: str, bucket: Bucket, key: Key) -> bytes:
    return f"{store}\0{bucket}\0{key}".encode()


def _crc_of(slot: bytes) -> int:
    crc: int = crt.crc32c(slot[_CRC_STOP:])
    return crc
