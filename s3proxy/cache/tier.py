"""A tier: a directory of block files with a size that it keeps to."""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from s3proxy.cache.atimes import set_atime
from s3proxy.cache.block_file import Block
from s3proxy.cache.block_layout import BlockLayout, header_bytes, layout_of, parse_header
from s3proxy.cache.blocks import PAGE_BYTES, BlockId
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError, DamagedBlockError, TierFullError, failure_of
from s3proxy.cache.policy import LRU, Entry, Policy
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier_directory import BLOCKS, TEMPORARIES, evicting
from s3proxy.cache.unit_writer import SECTOR_BYTES
from s3proxy.cache.usage import TierUsage

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Access times say when a block was last given out, not when it was copied or scrubbed. What somebody put in
# place of a block must not be followed, nor make us wait.
_BLOCK: Final = os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Tier:
    """The blocks below one directory, shared by all workers of a node. Blocks the thread wherever a disk may.

    ``prepare_directory`` must have made the directory ready. The first worker that opens it finds out what the tier
    holds. ``close`` frees it.

    Args:
        name: for messages and counters.
        directory: of the tier.
        usage: what the node's workers know of its size.
        shared: words of the node, where it counts.
        policy: in what order its blocks are evicted.

    Raises:
        CacheIOError: the directory cannot be opened.
    """

    def __init__(
        self, name: str, directory: Path, *, usage: TierUsage, shared: SharedWords, policy: Policy = LRU
    ) -> None:
        self.name: Final = name
        self.directory: Final = directory
        self.usage: Final = usage
        self.policy: Final = policy
        self.is_in_memory: Final = _is_in_memory(directory)
        """Whether reading and writing it never waits for a disk."""
        self._shared = shared
        try:
            self._blocks_fd = os.open(directory / BLOCKS, _DIRECTORY)
            try:
                self._temporaries_fd = os.open(directory / TEMPORARIES, _DIRECTORY)
            except BaseException:
                os.close(self._blocks_fd)
                raise
        except OSError as error:
            raise CacheIOError(f"{directory}: {error}") from error
        try:
            self._count_once()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the directories; open blocks stay open."""
        os.close(self._blocks_fd)
        os.close(self._temporaries_fd)

    # Blocks

    def find(self, block: BlockId) -> Block | None:
        """Open a block that is here, whether or not any of it is filled.

        A file that is not the block that its name says is removed and counted.

        Returns:
            The block, released by whoever gets it; its bytes are not verified. None when it is not here.

        Raises:
            CacheIOError: it cannot be told.
        """
        fd = self.open_file(block.name)
        if fd is None:
            return None
        with contextlib.suppress(DamagedBlockError):
            return self._block(block.name, fd, layout_of(block))
        return None

    def find_all(self, blocks: Iterable[BlockId]) -> dict[BlockId, Block]:
        """Open those of several blocks that are here, as ``find`` does one."""
        found: dict[BlockId, Block] = {}
        try:
            for block in blocks:
                if (opened := self.find(block)) is not None:
                    found[block] = opened
        except BaseException:
            for opened in found.values():
                opened.release()
            raise
        return found

    def find_named(self, name: str) -> Block | None:
        """Open a block of which only the name is known; None when it is not here.

        Raises:
            DamagedBlockError: it was not the block that its name says, and is removed and counted.
            CacheIOError: it cannot be told.
        """
        fd = self.open_file(name)
        if fd is None:
            return None
        try:
            block = read_identity(fd)
        except OSError:
            block = None
        return self._block(name, fd, layout_of(block) if block is not None and block.name == name else None)

    def make(self, block: BlockId) -> Block:
        """Open a block for filling; make it, empty, unless it is here.

        Args:
            block: which.

        Returns:
            The block, released by whoever gets it. Whoever comes second gets the file of the first.

        Raises:
            TierFullError: there is no room.
            CacheIOError: it cannot be made.
        """
        layout = layout_of(block)
        size = layout.head_bytes
        if not self.usage.reserve(size):
            raise TierFullError(f"no room for a block in tier {self.name}")
        try:
            fd = self._make_file(block.name, layout)
        except FileExistsError:
            found = self.find(block)
            if found is None:
                raise CacheIOError(f"block {block.name} of tier {self.name} comes and goes") from None
            return found
        except OSError as error:
            raise failure_of(error, f"making a block of tier {self.name}") from error
        finally:
            self.usage.unreserve(size)
        return self._opened(fd, layout)

    def adopt(self, name: str, size: int, fill: Callable[[int], None]) -> None:
        """Take in a block that is made elsewhere, in place of the one that may be here.

        Args:
            name: of the block.
            size: bytes that its file will take.
            fill: writes the file, given its descriptor.

        Raises:
            TierFullError: there is no room.
            CacheIOError: it cannot be written.
        """
        if not self.usage.reserve(size):
            raise TierFullError(f"no room for {size} bytes in tier {self.name}")
        try:
            with self._temporary() as (fd, temporary):
                fill(fd)
                replaced = self._allocated(name)
                os.rename(temporary, name, src_dir_fd=self._temporaries_fd, dst_dir_fd=self._blocks_fd)
                self.usage.removed(replaced)
                self.usage.allocated(os.fstat(fd).st_blocks * SECTOR_BYTES)
        except OSError as error:
            raise failure_of(error, f"copying a block to tier {self.name}") from error
        finally:
            self.usage.unreserve(size)

    def remove(self, name: str) -> bool:
        """Remove a block; whoever has it open goes on reading it.

        Returns:
            Whether it was here.

        Raises:
            CacheIOError: it cannot be removed.
        """
        try:
            allocated = self._allocated(name)
            os.unlink(name, dir_fd=self._blocks_fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise CacheIOError(f"removing a block of tier {self.name}: {error}") from error
        self.usage.removed(allocated)
        return True

    def drop(self, name: str, block: Block) -> None:
        """Remove a block that failed to verify, unless another file has its name by now, and count it."""
        self._drop(name, block.fd)

    def open_file(self, name: str) -> int | None:
        """Open whatever file has the name of a block, for reading; None when it is not here, or was a symbolic link.

        Returns:
            A descriptor, which the caller closes.

        Raises:
            CacheIOError: it cannot be opened.
        """
        try:
            return os.open(name, _BLOCK, dir_fd=self._blocks_fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise CacheIOError(f"opening a block of tier {self.name}: {error}") from error
            self._shared.add(Counter.CORRUPT_BLOCKS)
            self.remove(name)
            return None

    def identify(self, name: str) -> BlockId | None:
        """Which block a file says it is; None when it is gone, or is no block.

        Raises:
            CacheIOError: it cannot be read.
        """
        fd = self.open_file(name)
        if fd is None:
            return None
        try:
            return read_identity(fd)
        except OSError as error:
            raise CacheIOError(f"reading a block of tier {self.name}: {error}") from error
        finally:
            os.close(fd)

    # All of them

    def scan(self) -> Iterator[Entry]:
        """Look at every block, in no order. Those that come and go meanwhile may be left out.

        Raises:
            CacheIOError: the directory cannot be read.
        """
        try:
            # Of its own: descriptors that share an open directory share the place where they read.
            fd = os.open(self.directory / BLOCKS, _DIRECTORY)
            try:
                yield from _entries(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise CacheIOError(f"scanning tier {self.name}: {error}") from error

    def recount(self) -> list[Entry]:
        """Find out what the tier really holds, and give all blocks. Only within ``evicting``.

        Raises:
            CacheIOError: the directory cannot be read.
        """
        begun = self.usage.before_count()
        entries = list(self.scan())
        found = sum(entry.allocated for entry in entries) + self._overhead()
        self.usage.after_count(begun, found)
        return entries

    def _count_once(self) -> None:
        if not self.usage.is_counted:
            with evicting(self.directory, is_waiting=True):
                if not self.usage.is_counted:
                    self.recount()

    def free_bytes(self) -> int:
        """What the file system has left, whoever else uses it.

        Raises:
            CacheIOError: it does not say.
        """
        try:
            status = os.fstatvfs(self._blocks_fd)
        except OSError as error:
            raise CacheIOError(f"{self.directory}: {error}") from error
        return status.f_bavail * status.f_frsize

    def _overhead(self) -> int:
        """Bytes of everything but published blocks."""
        total = os.fstat(self._blocks_fd).st_blocks
        for _, directories, names, fd in os.fwalk(self.directory):
            if BLOCKS in directories:
                directories.remove(BLOCKS)  # scanned already
            total += os.fstat(fd).st_blocks
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if status.st_nlink == 1:  # else it is a block that has not lost its first name yet
                        total += status.st_blocks
        return total * SECTOR_BYTES

    # Files

    def _opened(self, fd: int, layout: BlockLayout) -> Block:
        return Block(fd, layout, tier=self.name, usage=self.usage, policy=self.policy, is_in_memory=self.is_in_memory)

    def _block(self, name: str, fd: int, layout: BlockLayout | None) -> Block:
        """The block in an open file, taken over; removed and closed if it is not usable."""
        if layout is not None and _is_usable(fd, layout):
            return self._opened(fd, layout)
        try:
            self._drop(name, fd)
        finally:
            os.close(fd)
        raise DamagedBlockError(f"{name} of tier {self.name} is not what its name says")

    def _make_file(self, name: str, layout: BlockLayout) -> int:
        with self._temporary() as (fd, temporary):
            os.ftruncate(fd, layout.head_bytes)
            os.pwrite(fd, layout.header, 0)
            set_atime(fd, self.policy.joining(name, time.time_ns()))
            os.link(temporary, name, src_dir_fd=self._temporaries_fd, dst_dir_fd=self._blocks_fd)
            self.usage.allocated(os.fstat(fd).st_blocks * SECTOR_BYTES)
            return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[int, str]]:
        """A new file, open for writing, which is closed afterwards and has lost this name."""
        name = secrets.token_hex(8)
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self._temporaries_fd)
        try:
            yield fd, name
        finally:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._temporaries_fd)

    def _allocated(self, name: str) -> int:
        try:
            return os.stat(name, dir_fd=self._blocks_fd, follow_symlinks=False).st_blocks * SECTOR_BYTES
        except FileNotFoundError:
            return 0

    def _drop(self, name: str, fd: int) -> None:
        self._shared.add(Counter.CORRUPT_BLOCKS)
        with contextlib.suppress(OSError, CacheIOError):  # whoever needs it next finds out as well
            if os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=self._blocks_fd, follow_symlinks=False)):
                self.remove(name)


def read_identity(fd: int) -> BlockId | None:
    """Which block an open file says it is; None for one that is no block.

    Raises:
        OSError: it cannot be read.
    """
    start = os.pread(fd, PAGE_BYTES, 0)
    size = header_bytes(start)
    if size is None:
        return None
    return parse_header(start if size <= len(start) else os.pread(fd, size, 0))


def _entries(fd: int) -> Iterator[Entry]:
    with os.scandir(fd) as found:
        for each in found:
            try:
                status = each.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Entry(each.name, status.st_blocks * SECTOR_BYTES, status.st_atime_ns)


def _is_usable(fd: int, layout: BlockLayout) -> bool:
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > layout.data_offset + layout.length:
            return False
        start = os.pread(fd, layout.head_bytes, 0)
    except OSError:
        return False
    return len(start) == layout.head_bytes and start.startswith(layout.header)


def _is_in_memory(directory: Path) -> bool:
    """Whether this is on tmpfs: such files have seals, which no disk file system knows."""
    try:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True
