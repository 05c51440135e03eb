"""Block files changed behind a node's back, tiers that refuse, workers killed: ``python -m tests.campaigns.tampering``.

Clients read random ranges all the while and compare every byte. Whatever happens to the cache, they never get a wrong
byte, a hang or a 500; while nothing is killed they get no error at all. Bits are flipped between two exchanges, since
the kernel sends pages as they are at that moment; whole files are swapped for damaged ones at any time.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from s3proxy.metrics.processes import birth_of
from tests.campaigns.cached import MIB, Cached, Crowd, Truth, cached_node, make_objects, require_all_right
from tests.campaigns.report import require, run, say, settled

_BLOCK = re.compile(r"[0-9a-f]{32}\.[0-9a-f]+")
_CLIENTS = 8
_OBJECT = 24 * MIB
_OBJECTS = 8
_BACK_SECONDS = 5.0
_MOST_KILLS = (
    8  # of two workers in turns: a supervisor gives up on one that dies soon after its start five times in a row
)

Tamper = Callable[[Path, Sequence[Path], random.Random], None]


def campaign(base: Path, *, seconds: float, seed: int) -> None:
    """Each kind of damage for its share of the time, on a node of two workers."""
    chance = random.Random(seed)
    say("seed", seed)
    truths = make_objects(base / "root", _OBJECTS, _OBJECT)
    share = seconds / 4
    with cached_node(base, settings={"server": {"workers": 2}}) as cached:
        _damage_blocks(cached, truths, chance, share)
        _kill_workers(cached, truths, chance, share)
    _with_little_room(base, truths, chance, share)
    _with_read_only_tiers(base, truths, chance, share)


def _damage_blocks(cached: Cached, truths: Sequence[Truth], chance: random.Random, seconds: float) -> None:
    require_all_right(cached.node.port, truths)
    done: Counter[str] = Counter()
    at_any_time: dict[str, Tamper] = {"swapped": swap, "deleted": delete, "replaced": replace}
    between: dict[str, Tamper] = {"flipped": flip, "truncated": truncate, "extended": extend}
    with Crowd(cached.node.port, truths, clients=_CLIENTS, seed=chance.randrange(2**30)) as crowd:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            name = chance.choice([*at_any_time, *between])
            blocks = blocks_below(cached.memory, cached.disk)
            if len(blocks) > 1:
                with crowd.paused() if name in between else ExitStack(), suppress(FileNotFoundError):  # evicted
                    {**at_any_time, **between}[name](chance.choice(blocks), blocks, chance)
                    done[name] += 1
            time.sleep(0.01)
            crowd.require_right()
        _require_only_right(crowd)
    require_all_right(cached.node.port, truths)
    say("blocks damaged", dict(sorted(done.items())))
    say("  what clients met", dict(crowd.outcomes.counts))


def blocks_below(*tiers: Path) -> list[Path]:
    """The block files of tiers."""
    return [path for tier in tiers for path in tier.rglob("*") if _BLOCK.fullmatch(path.name) and path.is_file()]


def flip(path: Path, _others: Sequence[Path], chance: random.Random) -> None:
    """Some bits of the header, the entries or the data, wherever."""
    with path.open("r+b") as file:
        for _ in range(chance.choice([1, 1, 8])):
            at = chance.randrange(chance.choice([4096, path.stat().st_size]))
            file.seek(at)
            old = file.read(1)
            file.seek(at)
            file.write(bytes([(old[0] if old else 0) ^ 1 << chance.randrange(8)]))


def truncate(path: Path, _others: Sequence[Path], chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def extend(path: Path, _others: Sequence[Path], chance: random.Random) -> None:
    os.truncate(path, path.stat().st_size + chance.randrange(1, MIB))


def delete(path: Path, _others: Sequence[Path], _chance: random.Random) -> None:
    path.unlink()


def swap(path: Path, others: Sequence[Path], chance: random.Random) -> None:
    """Another block's file under this one's name."""
    other = chance.choice(others)
    copy = path.with_name(f"{path.name}.tampered")
    shutil.copyfile(other, copy)
    copy.rename(path)


def replace(path: Path, _others: Sequence[Path], chance: random.Random) -> None:
    """A damaged copy of itself under its name; readers that have it open keep the sound one."""
    copy = path.with_name(f"{path.name}.tampered")
    shutil.copyfile(path, copy)
    flip(copy, (), chance)
    copy.rename(path)


def _kill_workers(cached: Cached, truths: Sequence[Truth], chance: random.Random, seconds: float) -> None:
    """SIGKILL at random moments of fills and evictions, to the older worker; soon after, another one serves."""
    kills, slowest = 0, 0.0
    with Crowd(cached.node.port, truths, clients=_CLIENTS, seed=chance.randrange(2**30)) as crowd:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.5 + chance.random())
            if kills == _MOST_KILLS:
                continue
            victim = min(cached.node.workers(), key=lambda pid: birth_of(pid) or 0)
            os.kill(victim, signal.SIGKILL)
            kills += 1
            begin = time.monotonic()
            missing = settled(partial(_missing, cached, victim), 0, seconds=_BACK_SECONDS)
            last_words = cached.node.logs[1].read_text(errors="replace")[-500:]
            require(missing == 0, f"{missing} workers are missing {_BACK_SECONDS:.0f} s after a kill: {last_words}")
            slowest = max(slowest, time.monotonic() - begin)
            crowd.require_right()
    require_all_right(cached.node.port, truths)
    say("workers killed", f"{kills}, another one is there within {slowest:.1f} s")
    say("  what clients met", dict(crowd.outcomes.counts))


def _missing(cached: Cached, victim: int) -> int:
    return 2 - len(set(cached.node.workers()) - {victim})


def _with_little_room(base: Path, truths: Sequence[Truth], chance: random.Random, seconds: float) -> None:
    """Tiers on file systems far smaller than the node believes them to be."""
    with _own_file_systems(base, "full", 24 * MIB) as tiers:
        if tiers is None:
            return
        with cached_node(base / "full", root=base / "root", tiers=tiers) as cached:
            with Crowd(cached.node.port, truths, clients=_CLIENTS, seed=chance.randrange(2**30)) as crowd:
                time.sleep(seconds)
            _require_only_right(crowd)
            require_all_right(cached.node.port, truths)
    say("tiers that are full", "")
    say("  what clients met", dict(crowd.outcomes.counts))


def _with_read_only_tiers(base: Path, truths: Sequence[Truth], chance: random.Random, seconds: float) -> None:
    """Tiers that let nothing be written from one moment on, and later let it again."""
    with _own_file_systems(base, "read-only", 512 * MIB) as tiers:
        if tiers is None:
            return
        with cached_node(base / "read-only", root=base / "root", tiers=tiers) as cached:
            with Crowd(cached.node.port, truths, clients=_CLIENTS, seed=chance.randrange(2**30)) as crowd:
                time.sleep(seconds / 3)
                remounted = _remount(crowd, tiers, "ro")
                time.sleep(seconds / 3)
                _remount(crowd, tiers, "rw")
                time.sleep(seconds / 3)
            _require_only_right(crowd)
            require_all_right(cached.node.port, truths)
    say("tiers that are read-only", ", ".join(remounted) or "SKIPPED: files in them were open for writing all the time")
    say("  what clients met", dict(crowd.outcomes.counts))


def _require_only_right(crowd: Crowd) -> None:
    others = {kind: count for kind, count in crowd.outcomes.counts.items() if kind != "right"}
    require(not others, f"clients met {others} beside {crowd.outcomes.counts['right']} right answers")


@contextmanager
def _own_file_systems(base: Path, name: str, size: int) -> Iterator[tuple[Path, Path] | None]:
    """Two of ``size`` bytes each, or None where only root may mount them."""
    if os.geteuid() != 0:
        say(f"tiers that are {name}", "SKIPPED: only root may mount file systems")
        yield None
        return
    (base / name).mkdir()
    with ExitStack() as stack:
        directories = base / name / "memory", base / name / "disk"
        for directory in directories:
            directory.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
            stack.callback(_unmount, directory)
        yield directories


def _unmount(directory: Path) -> None:
    subprocess.run(["umount", directory], check=True)


def _remount(crowd: Crowd, directories: Sequence[Path], mode: str) -> list[str]:
    """Between two exchanges, since the kernel refuses while a file is open for writing; which of them were."""
    with crowd.paused():
        return [path.name for path in directories if settled(partial(_remount_one, path, mode), 0, seconds=3) == 0]


def _remount_one(directory: Path, mode: str) -> int:
    command = ["mount", "-o", f"remount,{mode}", str(directory)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    return run(lambda base: campaign(base, seconds=given.seconds, seed=given.seed))


if __name__ == "__main__":
    sys.exit(main())
