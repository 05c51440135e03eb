"""The order in which a worker's tasks run: first come, first served.

trio runs every other batch of them backwards, at random, so that no program relies on an order. Of clients that ask
again at once, some are then last twice in a row: with 64 of them that read 64 KiB each, p99 is 11.7 ms instead of 6.9,
the median being 6.0. There is no setting for it (trio's own comment considers this order).
"""

import random

from trio._core import _run


class _AlwaysReversed(random.Random):
    """What trio tosses coins with: below a half it reverses a batch, of which it takes the last one first."""

    def random(self) -> float:
        return 0.0


def run_in_order() -> None:
    """From now on run tasks of this process in the order in which they could; nothing where trio has no such coin."""
    if isinstance(getattr(_run, "_r", None), random.Random):
        _run._r = _AlwaysReversed()
