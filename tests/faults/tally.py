"""What the store saw: requests and bytes of bodies, by method and path."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(slots=True)
class Count:
    """Of one method and path."""

    requests: int = 0
    body_bytes: int = 0
    """Of requests and responses, without what frames them."""


@dataclass(slots=True)
class Tally:
    """Counts, and how many connections there were."""

    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    connections: int = 0

    def count(self, method: str, path: str) -> Count:
        """The count of that method and path, to be added to."""
        return self.counts.setdefault((method, path), Count())

    def requests(self, method: str = "*", path: str = "*") -> int:
        """How many requests match the patterns."""
        return sum(each.requests for each in self._matching(method, path))

    def body_bytes(self, method: str = "*", path: str = "*") -> int:
        """How many bytes of bodies they had."""
        return sum(each.body_bytes for each in self._matching(method, path))

    def clear(self) -> None:
        """Begin again; exchanges under way count no more."""
        self.counts = {}
        self.connections = 0

    def _matching(self, method: str, path: str) -> Iterator[Count]:
        for (its_method, its_path), each in self.counts.items():
            if fnmatchcase(its_method, method) and fnmatchcase(its_path, path):
                yield each


def render_tally(tally: Tally) -> str:
    """A tally as JSON."""
    rows = [[method, path, each.requests, each.body_bytes] for (method, path), each in tally.counts.items()]
    return json.dumps({"connections": tally.connections, "counts": rows})


def parse_tally(text: str | bytes) -> Tally:
    """The inverse of ``render_tally``."""
    document = json.loads(text)
    counts = {(method, path): Count(requests, size) for method, path, requests, size in document["counts"]}
    return Tally(counts, document["connections"])
