"""What goes wrong with tiers. None of it reaches a client: a cache may lose speed, never correctness."""

import errno


class CacheIOError(Exception):
    """A block could not be read or written: whoever needs its bytes gets them from the store."""


class TierFullError(CacheIOError):
    """A tier has no room for what is to be written until something is evicted."""


class DamagedBlockError(CacheIOError):
    """A file is not the block that its name says, and was removed."""


class TierInUseError(CacheIOError):
    """Another node process owns the directory of a tier."""


def failure_of(error: OSError, doing: str) -> CacheIOError:
    """What to raise for an error of the file system."""
    kind = TierFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else CacheIOError
    return kind(f"{doing}: {error}")
