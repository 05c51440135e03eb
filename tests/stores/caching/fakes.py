"""A cache of blocks in memory that fetches before it answers, and a clock turned by hand."""

from dataclasses import dataclass, field

from s3proxy.body import Body
from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.source import Fetched, Source
from tests.stores.bodies import bytes_of
from tests.stores.fakes import MemoryBody, MemoryStore

UNIT = 64 * 1024
_NOBODY = MemoryStore()


@dataclass(slots=True)
class Clock:
    """Seconds, turned by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class MemoryBlocks:
    """Units of versions, kept for ever."""

    units: dict[tuple[str, int], bytes] = field(default_factory=dict)
    offered: list[tuple[int, int]] = field(default_factory=list)
    """The ranges that came along with what told of an object."""

    async def read(
        self,
        version: ObjectVersion,
        start: int,
        stop: int,
        source: Source,
        *,
        fetched: Fetched | None = None,
        store: bool = True,
    ) -> Body:
        assert 0 <= start < stop <= version.size
        units = dict(self.units)
        if fetched is not None:
            self.offered.append((fetched.start, fetched.stop))
            _put(units, version, fetched.start, await bytes_of(fetched.body))
            fetched.on_settled()
        missing = [n for n in range(start // UNIT, -(-stop // UNIT)) if (version.digest, n) not in units]
        if missing:
            first, last = missing[0] * UNIT, min((missing[-1] + 1) * UNIT, version.size)
            _put(units, version, first, await bytes_of(await source.fetch(first, last)))
        if store:
            self.units = units
        joined = b"".join(units[version.digest, n] for n in range(start // UNIT, -(-stop // UNIT)))
        skipped = start // UNIT * UNIT
        return MemoryBody(_NOBODY, joined[start - skipped : stop - skipped])


def _put(units: dict[tuple[str, int], bytes], version: ObjectVersion, start: int, data: bytes) -> None:
    """Keep the units that are whole."""
    for number in range(-(-start // UNIT), -(-version.size // UNIT)):
        stop = min((number + 1) * UNIT, version.size)
        if stop <= start + len(data):
            units[version.digest, number] = data[number * UNIT - start : stop - start]
