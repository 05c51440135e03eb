"""What must hold after a worker has died, or while it is stopped, at any step."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, get_args
from unittest import mock

import trio

from s3proxy.cache import following
from s3proxy.cache.blocks import PAGE_BYTES
from s3proxy.cache.counters import Counter
from s3proxy.cache.range_locks import is_locked
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier_directory import TEMPORARIES, evicting, remove_temporaries
from s3proxy.cache.usage import TierUsage
from tests.cache.dying import SCENARIOS, SIZE_BYTES, Scenario, source_of
from tests.cache.killing import WORKER, Action, Task, Workers
from tests.cache.making import BLOCK, GEOMETRY
from tests.cache.rig import Rig, open_descriptors, read, rig_over
from tests.cache.sources import ScriptedSource

Manner = Literal["killed", "killed while others read", "overtaken", "stopped"]
"""How a worker fares at the step: it dies; it is stopped, others begin to read, and it dies; it goes on instead; or it
is stopped until they have read everything."""

MANNERS: Final = get_args(Manner)

_FILE: Final = BLOCK + PAGE_BYTES
_MIN_DRIFT: Final = -2 * _FILE
_MAX_DRIFT: Final = 5 * _FILE
"""By how much what a tier is believed to hold may be wrong until it is counted anew: by what the dead worker was about
to tell; and what others write while they count may be counted twice, here a fetch of four blocks."""

_HANG_SECONDS: Final = 20.0
_HEAD_START_SECONDS: Final = 0.02  # for those who read while the worker is stopped
_MAX_READS: Final = (
    5  # of an object in a tier that is nearly full, where a block of it may have to make room for another
)
_STALL_SECONDS: Final = 0.1  # in place of what is waited for a worker that does nothing
_ANY: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A scenario on directories of its own, below ``bases``, one for each tier."""

    workers: Workers
    name: str
    bases: tuple[Path, ...]

    @property
    def scenario(self) -> Scenario:
        return SCENARIOS[self.name]

    def steps(self) -> list[str]:
        """The steps of a worker that nothing happens to; what must hold afterwards, does."""
        with self._prepared() as rig:
            worker = self.workers.start(self._task(rig, at=0))
            assert worker.code == 0, f"{self.name} failed"
            _require_all_well(rig, self.scenario)
        least, most = self.scenario.steps
        assert least <= len(worker.steps) <= most, f"{self.name} took {len(worker.steps)} steps"
        assert self.scenario.does <= set(worker.steps), f"{self.name} took other steps"
        return worker.steps

    def end_at(self, step: int, manner: Manner) -> int:
        """Have a worker fare so at a step, and require that the others are none the worse.

        Returns:
            By how many bytes the usage was wrong afterwards, of that tier where it was most.
        """
        descriptors = open_descriptors()
        with self._prepared() as rig:
            action: Action = "kill" if manner == "killed" else "stop"
            worker = self.workers.start(self._task(rig, at=step, action=action))
            if worker.code is None:
                self._proceed(rig, worker.pid, manner)
                worker = self.workers.ended(worker.pid)
            assert worker.code in {0, -signal.SIGKILL}, f"{self.name}: a worker ended with {worker.code}"
            drift = _require_all_well(rig, self.scenario)
        assert open_descriptors() == descriptors
        assert _MIN_DRIFT <= drift <= _MAX_DRIFT, f"{self.name}: the usage was wrong by {drift}"
        return drift

    def _proceed(self, rig: Rig, pid: int, manner: Manner) -> None:
        """Have others read while a worker is stopped, which then is so no more."""
        patience = _STALL_SECONDS if manner == "stopped" else following.STALL_SECONDS
        try:
            with mock.patch.object(following, "STALL_SECONDS", patience):
                trio.run(_read_while, rig, self.scenario, pid, manner)
        except BaseException:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.workers.ended(pid)
            raise

    @contextmanager
    def _prepared(self) -> Iterator[Rig]:
        with TemporaryDirectory(dir=self.bases[0]) as first, TemporaryDirectory(dir=self.bases[-1]) as second:
            directories = [Path(first) / "tier", Path(second) / "tier"][: self.scenario.tiers]
            with rig_over(*directories, geometry=GEOMETRY, size_bytes=SIZE_BYTES) as rig:
                for prepare in self.scenario.prepare:
                    trio.run(prepare, rig)
                yield rig

    def _task(self, rig: Rig, *, at: int, action: Action = "kill") -> Task:
        return Task(
            scenario=self.name,
            directories=[str(tier.directory) for tier in rig.tiers],
            words=f"/proc/{os.getpid()}/fd/{rig.shared.fd}",
            at=at,
            action=action,
        )


def _require_all_well(rig: Rig, scenario: Scenario) -> int:
    """Require everything that must hold once a worker is gone; say by how much the usage was wrong."""
    assert not _locked(rig)
    trio.run(_read_all, rig, scenario)
    drift = _start_again(rig)
    trio.run(_read_all, rig, scenario)
    trio.run(_read_last_from_cache, rig, scenario)
    assert scenario.has_damage or not rig.total(Counter.CORRUPT_BLOCKS)
    if scenario.check is not None:
        scenario.check(rig)
    return drift


def _locked(rig: Rig) -> list[Path]:
    locked = []
    for number in range(len(rig.tiers)):
        for path in rig.block_files(number):
            with path.open("rb") as file:
                if is_locked(file.fileno(), 0, _ANY):
                    locked.append(path)
    return locked


def _start_again(rig: Rig) -> int:
    """Put another worker in the place of the dead one, and sweep and count as evicting does.

    Returns:
        By how many bytes the usage was wrong.
    """
    words = SharedWords.attach(os.dup(rig.shared.fd), WORKER)
    drifts = []
    for number, tier in enumerate(rig.tiers):
        TierUsage(words, number, SIZE_BYTES)
        drifts.append(tier.usage.used_bytes() - _bytes_below(tier.directory))
        with evicting(tier.directory) as has_turn:
            assert has_turn
            remove_temporaries(tier.directory, older_than_seconds=0)
            tier.recount()
        assert not list((tier.directory / TEMPORARIES).iterdir())
        assert tier.usage.used_bytes() == _bytes_below(tier.directory)
    words.close()
    return max(drifts, key=abs)


def _bytes_below(directory: Path) -> int:
    """What everything in a directory takes, as a stranger would count it."""
    found = (path.stat() for path in (directory, *directory.rglob("*")))
    return sum({status.st_ino: status.st_blocks for status in found}.values()) * 512


# What others read


async def _read_all(rig: Rig, scenario: Scenario) -> None:
    with trio.fail_after(_HANG_SECONDS):
        for data in scenario.objects:
            await _read(rig, source_of(data))


async def _read_last_from_cache(rig: Rig, scenario: Scenario) -> None:
    """No block is left that nobody can fill any more: before long the last object is read without the store."""
    with trio.fail_after(_HANG_SECONDS):
        for _ in range(_MAX_READS):
            source = source_of(scenario.objects[-1])
            await _read(rig, source)
            if not source.fetches:
                return
    raise AssertionError("a read object does not stay in the cache")


async def _read(rig: Rig, source: ScriptedSource) -> None:
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery, evicts=True)
        assert await read(cache, source.data, source) == source.data
        nursery.cancel_scope.cancel()
    cache.close()


async def _read_while(rig: Rig, scenario: Scenario, pid: int, manner: Manner) -> None:
    """Read everything while a worker is stopped, or from before it is killed or goes on until after that."""
    is_done = trio.Event()

    async def read_all() -> None:
        await _read_all(rig, scenario)
        is_done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_all)
        with trio.move_on_after(_HANG_SECONDS if manner == "stopped" else _HEAD_START_SECONDS):
            await is_done.wait()
        os.kill(pid, signal.SIGCONT if manner == "overtaken" else signal.SIGKILL)
