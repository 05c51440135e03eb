"""The blocks that this process keeps open, so that what is read again costs no open."""

from collections.abc import Iterable
from typing import Final

from cachetools import Cache, LRUCache

from s3proxy.cache.block_file import Block


class OpenBlocks:
    """The blocks used last, by name, each shared once for as long as it is in here. All calls come from one thread.

    Args:
        max_open: how many, hence how many descriptors.
    """

    def __init__(self, max_open: int = 1024) -> None:
        self._blocks: Final[_Releasing] = _Releasing(max_open)

    def __len__(self) -> int:
        return len(self._blocks)

    def get(self, name: str) -> Block | None:
        """The block, which may be closed at the next call unless the caller shares it; None when it is not open."""
        try:
            return self._blocks[name]
        except KeyError:
            return None

    def put(self, name: str, block: Block) -> None:
        """Keep a block open, in place of the one that may be kept by this name; takes over the caller's share."""
        self.forget(name)
        self._blocks[name] = block

    def forget(self, name: str) -> None:
        """Release a block, say one that was dropped."""
        former = self._blocks.pop(name, None)
        if former is not None:
            former.release()

    def names(self) -> list[str]:
        """Which blocks are open, in no order."""
        return list(self._blocks)

    def close_unlinked(self, names: Iterable[str]) -> int:
        """Release those of these blocks that have no name any more: what they take is freed only when they are closed.

        Returns:
            How many they were. Looking costs 1.5 us a block, and does not count as using it.
        """
        gone = [name for name in names if name in self._blocks and Cache.__getitem__(self._blocks, name).is_unlinked]
        for name in gone:
            self.forget(name)
        return len(gone)

    def close(self) -> None:
        """Release all."""
        while self._blocks:
            self._blocks.popitem()


class _Releasing(LRUCache[str, Block]):
    """Releases what it evicts."""

    def popitem(self) -> tuple[str, Block]:
        name, block = super().popitem()
        block.release()
        return name, block
