"""What goes wrong with tiers. None of it reaches a client: a cache may lose speed, never correctness."""


class CacheIOError(Exception):
    """A block could not be read or written: whoever needs its bytes gets them from the store."""


class TierFullError(CacheIOError):
    """A tier has no room for what is to be written until something is evicted."""


class TierInUseError(CacheIOError):
    """Another node process owns the directory of a tier."""
