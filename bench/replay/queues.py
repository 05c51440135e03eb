"""A queue of names with weights, from which the one that joined first can be taken."""

from collections import OrderedDict
from collections.abc import Iterator


class Queue:
    """Names in the order in which they joined, each with its weight."""

    __slots__ = ("_weights", "weight")

    def __init__(self) -> None:
        self._weights: OrderedDict[int, int] = OrderedDict()
        self.weight = 0
        """Of all together."""

    def __contains__(self, name: int) -> bool:
        return name in self._weights

    def __iter__(self) -> Iterator[int]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def join(self, name: int, weight: int) -> None:
        """Put a name that is not here at the end."""
        assert name not in self._weights
        self._weights[name] = weight
        self.weight += weight

    def reweigh(self, name: int, weight: int) -> None:
        """Give a name that is here another weight, and leave it where it stands."""
        self.weight += weight - self._weights[name]
        self._weights[name] = weight

    def renew(self, name: int) -> None:
        """Move a name to the end."""
        self._weights.move_to_end(name)

    def leave(self, name: int) -> int:
        """Take a name out; its weight."""
        weight = self._weights.pop(name)
        self.weight -= weight
        return weight

    @property
    def first(self) -> int:
        """The name that joined first, or was moved longest ago; the queue is not empty."""
        return next(iter(self._weights))

    def leave_first(self) -> tuple[int, int]:
        """Take the first out; the queue is not empty."""
        name, weight = self._weights.popitem(last=False)
        self.weight -= weight
        return name, weight
