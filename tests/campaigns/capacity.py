"""More data through the tiers than they hold, by far: ``python -m tests.campaigns.capacity``.

10 GiB are read through 4 workers with tiers of 256 MiB and 1 GiB. Neither tier ever takes more than its size and one
block for each worker, and memory and descriptors stay as they were after the first quarter. Every byte is compared.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.measure import family, rss_bytes
from tests.campaigns.cached import MIB, Cached, Truth, cached_node, make_objects, require_all_right
from tests.campaigns.report import require, run, say

_OBJECT = 64 * MIB
_BLOCK = 4 * MIB + MIB  # with its header and entries, generously
_CLIENTS = 8
_GROWTH = 64 * MIB
_DESCRIPTORS = 64  # of blocks and connections that are kept open, which vary
_SAMPLE_SECONDS = 0.1


@dataclass(slots=True)
class _Samples:
    """What was seen from time to time."""

    memory: list[int] = field(default_factory=list)
    disk: list[int] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, cached: Cached) -> None:
        self.memory.append(allocated_bytes(cached.memory))
        self.disk.append(allocated_bytes(cached.disk))
        self.resident.append(rss_bytes(cached.node.pid))
        self.descriptors.append(sum(map(_descriptors, family(cached.node.pid))))


def campaign(base: Path, *, workers: int, memory: int, disk: int, total: int) -> None:
    """Read ``total`` bytes through tiers of ``memory`` and ``disk`` bytes."""
    truths = make_objects(base / "root", max(1, total // _OBJECT), _OBJECT)
    say("read", f"{len(truths) * _OBJECT / MIB:,.0f} MiB through {workers} workers")
    settings = {
        "server": {"workers": workers},
        "memory_tier": {"size": memory},
        "disk_tier": {"size": disk},
    }
    with cached_node(base, settings=settings) as cached:
        samples = _Samples()
        done = threading.Event()
        sampler = threading.Thread(target=_sample, args=(cached, samples, done))
        sampler.start()
        begin = time.monotonic()
        try:
            with ThreadPoolExecutor(_CLIENTS) as clients:
                read = partial(_read_one, cached.node.port)
                list(clients.map(read, truths))
        finally:
            done.set()
            sampler.join()
        say("took", f"{time.monotonic() - begin:.1f}", "s")
    _judge(samples, workers=workers, memory=memory, disk=disk)


def _read_one(port: int, truth: Truth) -> None:
    require_all_right(port, [truth])


def _sample(cached: Cached, samples: _Samples, done: threading.Event) -> None:
    while not done.wait(_SAMPLE_SECONDS):
        samples.take(cached)


def _judge(samples: _Samples, *, workers: int, memory: int, disk: int) -> None:
    for name, sizes, size in (("memory tier", samples.memory, memory), ("disk tier", samples.disk, disk)):
        say(f"{name}, at most", f"{max(sizes) / MIB:,.0f} of {size / MIB:,.0f}", "MiB")
        require(max(sizes) <= size + workers * _BLOCK, f"the {name} took {max(sizes)} bytes, {size} allowed")
        require(max(sizes) > 0, f"the {name} was never used")
    quarter = len(samples.resident) // 4
    early, later = samples.resident[: quarter + 1], samples.resident[quarter:]
    say("resident, at most", f"{max(early) / MIB:,.0f} MiB in the first quarter, {max(later) / MIB:,.0f} MiB later")
    require(max(later) <= max(early) + _GROWTH, "memory grows")
    before, after = samples.descriptors[: quarter + 1], samples.descriptors[quarter:]
    say("descriptors, at most", f"{max(before)} in the first quarter, {max(after)} later")
    require(max(after) <= max(before) + _DESCRIPTORS, "descriptors grow")


def allocated_bytes(directory: Path) -> int:
    """What the files below take on their file system, as du counts it; a file that goes meanwhile counts as nothing."""
    return sum(_allocated(directory))


def _allocated(directory: Path) -> Iterator[int]:
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _allocated(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_blocks * 512


def _descriptors(pid: int) -> int:
    with suppress(FileNotFoundError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--memory-mib", type=int, default=256)
    parser.add_argument("--disk-mib", type=int, default=1024)
    parser.add_argument("--total-mib", type=int, default=10 * 1024)
    given = parser.parse_args()
    memory, disk, total = given.memory_mib * MIB, given.disk_mib * MIB, given.total_mib * MIB
    return run(lambda base: campaign(base, workers=given.workers, memory=memory, disk=disk, total=total))


if __name__ == "__main__":
    sys.exit(main())
