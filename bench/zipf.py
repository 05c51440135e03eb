"""How often which of many things is asked for: all alike, or as Zipf's law has it.

By that law the n-th most popular is asked for 1/n as often as the first.
"""

import random
from itertools import accumulate


def zipf_places(choose: random.Random, count: int, draws: int) -> list[int]:
    """``draws`` places among ``count``, the popular ones scattered, so that neighbours have nothing in common.

    Args:
        choose: what decides; the same seed gives the same places.
        count: how many places there are.
        draws: how many to give.
    """
    places = choose.sample(range(count), count)
    weights = list(accumulate(1 / rank for rank in range(1, count + 1)))
    return choose.choices(places, cum_weights=weights, k=draws)


def uniform_places(choose: random.Random, count: int, draws: int) -> list[int]:
    """``draws`` places among ``count``, each as likely as any other; see ``zipf_places``."""
    return choose.choices(range(count), k=draws)
