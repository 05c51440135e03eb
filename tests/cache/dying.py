"""What a worker is at when it dies: every way in which a tier changes, on tiers of a few small blocks."""

import os
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio

from s3proxy.cache.blocks import BlockId, Geometry
from s3proxy.cache.eviction import Evictor
from s3proxy.cache.pins import Pin
from s3proxy.cache.scrub import scrub
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import BLOCKS, evicting, prepare_directory, remove_put_aside, remove_temporaries
from s3proxy.cache.upkeep import promote
from s3proxy.cache.usage import TierUsage
from tests.cache import making
from tests.cache.making import BLOCK, GEOMETRY, UNIT
from tests.cache.rig import Rig, read, version_of
from tests.cache.sources import Fault, ScriptedSource, content

SIZE_BYTES: Final = 16 * BLOCK
TIER_NAMES: Final = ("memory", "disk")

_CHUNK: Final = UNIT + 1904  # so that writes end anywhere in a unit
_SMALL: Final = content(3 * BLOCK + 5 * UNIT + 1234)
_LARGE: Final = content(11 * BLOCK, seed=2)
_NEW: Final = content(4 * BLOCK, seed=3)
_FORMER: Final = Geometry(block_size=BLOCK, unit_size=BLOCK)

Act = Callable[[Rig], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Something that a worker does.

    Attributes:
        act: what the worker does; it raises if it got a wrong byte.
        steps: how many those are, at least and at most.
        does: what is among them.
        prepare: what was there before; done by another worker.
        has_damage: whether some of that is damaged; if not, nobody ever finds a block that is.
        tiers: how many.
        objects: all whose bytes others want then; the tiers have room for the last one.
        check: what else must hold afterwards, whenever the worker died.
    """

    act: Act
    steps: tuple[int, int]
    does: frozenset[str]
    prepare: tuple[Act, ...] = ()
    has_damage: bool = False
    tiers: int = 1
    objects: tuple[bytes, ...] = field(default=(_SMALL,), repr=False)
    check: Callable[[Rig], None] | None = None


def source_of(data: bytes) -> ScriptedSource:
    return ScriptedSource(data, chunk_bytes=_CHUNK)


async def read_right(data: bytes, span: tuple[int, int], rig: Rig) -> None:
    """Read through a cache of its own, and get what is right."""
    start, stop = span
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery)
        assert await read(cache, data, source_of(data), span) == data[start:stop]
        nursery.cancel_scope.cancel()
    cache.close()


def _reads(data: bytes, start: int = 0, stop: int | None = None) -> Act:
    return partial(read_right, data, (start, len(data) if stop is None else stop))


# Fills


async def _fill_from_a_file(rig: Rig) -> None:
    fd = os.memfd_create("object")
    os.writev(fd, [_SMALL])
    source = ScriptedSource(_SMALL, chunk_bytes=_CHUNK, fd=fd)
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery)
        assert await read(cache, _SMALL, source) == _SMALL


async def _fill_that_breaks_off(rig: Rig) -> None:
    source = source_of(_SMALL)
    source.faults = deque([Fault(kind="reset", after=2 * BLOCK + 5), Fault(kind="short", after=700)])
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery)
        assert await read(cache, _SMALL, source) == _SMALL


async def _fill_in_a_full_tier(rig: Rig) -> None:
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery, evicts=True)
        assert await read(cache, _NEW, source_of(_NEW)) == _NEW


# Evictions


async def _evict(rig: Rig) -> None:
    tier, *others = rig.tiers
    below = [Evictor(other, block_size=BLOCK, shared=rig.shared) for other in others]
    evictor = Evictor(tier, block_size=BLOCK, shared=rig.shared, below=below[0] if below else None)
    await trio.to_thread.run_sync(evictor.run)


async def _make_room(rig: Rig) -> None:
    evictor = Evictor(rig.tiers[0], block_size=BLOCK, shared=rig.shared)
    await trio.to_thread.run_sync(evictor.make_room, 8 * BLOCK)


# Promotion


async def _fill_lower(rig: Rig) -> None:
    await read_right(_SMALL, (0, len(_SMALL)), Rig(shared=rig.shared, tiers=rig.tiers[1:], geometry=GEOMETRY))


async def _promote(rig: Rig) -> None:
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery)
        for _ in range(2):
            assert await read(cache, _SMALL, source_of(_SMALL)) == _SMALL
        await promote(cache.shelf)
        assert await read(cache, _SMALL, source_of(_SMALL)) == _SMALL


async def _put_part(rig: Rig) -> None:
    """One whole unit of the second block in the first tier, to be replaced."""
    block = rig.tiers[0].make(BlockId(version_of(_SMALL), 1, GEOMETRY))
    making.fill(block, _SMALL[BLOCK : 2 * BLOCK], [(UNIT, 2 * UNIT)])
    block.release()


# Damage


async def _flip(rig: Rig) -> None:
    """Damage the bytes of one block, and the header of another."""
    for path, offset in zip(rig.block_files()[:2], (making.BLOCK, 20), strict=True):
        with path.open("r+b") as file:
            file.seek(offset)
            (byte,) = file.read(1)
            file.seek(offset)
            file.write(bytes([byte ^ 4]))


async def _scrub(rig: Rig) -> None:
    work = partial(scrub, rig.tiers[0], shared=rig.shared, bytes_per_second=1 << 40, wait=lambda _: False)
    await trio.to_thread.run_sync(work)


# What else is done to a tier


async def _age(rig: Rig) -> None:
    for path in rig.block_files():
        os.utime(path, ns=(10**9, path.stat().st_mtime_ns))


async def _drop(rig: Rig) -> None:
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery)
        await cache.drop(lambda block: block.number != 1)


async def _pin(rig: Rig) -> None:
    pins = Evictor(rig.tiers[0], block_size=BLOCK, shared=rig.shared).pins
    assert pins.add(Pin(store="store", bucket="bucket", prefix="new"))
    assert pins.remove(Pin(store="store", bucket="bucket", prefix="old"))


async def _pin_before(rig: Rig) -> None:
    assert Evictor(rig.tiers[0], block_size=BLOCK, shared=rig.shared).pins.add(
        Pin(store="store", bucket="bucket", prefix="old")
    )


def _has_whole_pins(rig: Rig) -> None:
    pins = Evictor(rig.tiers[0], block_size=BLOCK, shared=rig.shared).pins.all()
    old, new = Pin(store="store", bucket="bucket", prefix="old"), Pin(store="store", bucket="bucket", prefix="new")
    assert pins in ([old], [new, old], [new])


async def _make_another_tier(rig: Rig) -> None:
    directory = rig.tiers[0].directory.with_name("another")
    os.close(prepare_directory(directory, _FORMER))
    (directory / BLOCKS / "former").touch()


async def _open_another_tier(rig: Rig) -> None:
    """Start a node on a directory in which blocks have another geometry."""
    directory = rig.tiers[0].directory.with_name("another")
    lock_fd = prepare_directory(directory, GEOMETRY)
    tier = Tier("third", directory, usage=TierUsage(rig.shared, 2, SIZE_BYTES), shared=rig.shared)
    with evicting(directory):
        remove_put_aside(directory)
    await read_right(_NEW, (0, len(_NEW)), Rig(shared=rig.shared, tiers=[tier], geometry=GEOMETRY))
    tier.close()
    os.close(lock_fd)


def _starts_again(rig: Rig) -> None:
    trio.run(_open_another_tier, rig)
    directory = rig.tiers[0].directory.with_name("another")
    remove_temporaries(directory, older_than_seconds=0)
    assert not list((directory / "tmp").iterdir())
    assert not (directory / BLOCKS / "former").exists()


_FILLED: Final = (_reads(_SMALL),)
_FULL: Final = (_reads(_LARGE),)

_FILLS: Final = frozenset({"link", "ftruncate", "pwrite", "half of a pwrite", "fcntl", "add_own"})
_COPIES: Final = frozenset({"sendfile", "half of a sendfile", "pwrite", "futimens", "rename"})
_EVICTS: Final = frozenset({"flock", "unlink", "add_own"})

SCENARIOS: Final = {
    "a fill of a fragment": Scenario(act=_reads(_SMALL, UNIT + 100, 3 * UNIT), steps=(25, 60), does=_FILLS),
    "a fill of a small object": Scenario(
        act=_reads(_SMALL[:100]), steps=(25, 50), does=_FILLS, objects=(_SMALL[:100],)
    ),
    "a fill of adjacent blocks": Scenario(act=_reads(_SMALL), steps=(150, 300), does=_FILLS),
    "a fill of what is missing": Scenario(act=_reads(_SMALL), steps=(150, 300), does=_FILLS, prepare=(_put_part,)),
    "a fill from a file": Scenario(act=_fill_from_a_file, steps=(150, 300), does=_FILLS),
    "a fill that breaks off": Scenario(act=_fill_that_breaks_off, steps=(150, 300), does=_FILLS),
    "a fill in a full tier": Scenario(
        act=_fill_in_a_full_tier, steps=(200, 400), does=_FILLS | _EVICTS, prepare=_FULL, objects=(_LARGE, _NEW)
    ),
    "an eviction with demotion": Scenario(
        act=_evict, steps=(80, 250), does=_EVICTS | _COPIES, prepare=_FULL, tiers=2, objects=(_LARGE,)
    ),
    "an eviction": Scenario(act=_evict, steps=(25, 100), does=_EVICTS, prepare=_FULL, objects=(_LARGE,)),
    "making room": Scenario(act=_make_room, steps=(40, 120), does=_EVICTS, prepare=_FULL, objects=(_LARGE,)),
    "a promotion": Scenario(act=_promote, steps=(80, 250), does=_COPIES, prepare=(_fill_lower, _put_part), tiers=2),
    "a read of damaged blocks": Scenario(
        act=_reads(_SMALL), steps=(80, 250), does=_FILLS | {"unlink"}, prepare=(*_FILLED, _flip), has_damage=True
    ),
    "a scrub of damaged blocks": Scenario(
        act=_scrub, steps=(12, 40), does=frozenset({"unlink", "add_own"}), prepare=(*_FILLED, _flip), has_damage=True
    ),
    "touching": Scenario(act=_reads(_SMALL), steps=(10, 30), does=frozenset({"futimens"}), prepare=(*_FILLED, _age)),
    "a drop": Scenario(act=_drop, steps=(12, 40), does=frozenset({"unlink", "add_own"}), prepare=_FILLED),
    "pinning": Scenario(
        act=_pin,
        steps=(10, 30),
        does=frozenset({"write a stream", "rename", "flock"}),
        prepare=(_pin_before,),
        check=_has_whole_pins,
    ),
    "opening a tier of another format": Scenario(
        act=_open_another_tier,
        steps=(150, 400),
        does=_FILLS | {"mkdir", "rename", "rmdir", "write a stream", "clear_own"},
        prepare=(_make_another_tier,),
        check=_starts_again,
    ),
}
