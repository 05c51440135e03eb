"""The machine that the figures come from: what it is, and how fast it does by itself what a server cannot do faster."""

import hashlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Set
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.content import MIB
from bench.tiers import memory_kind

_BLOCK = bytes(MIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts that go with every result."""

    processor: str
    cores: int
    server_cores: list[int]
    load_cores: list[int]
    memory_mib: int
    kernel: str
    python: str
    s3proxy: str
    nginx: str
    file_system: str
    memory_tier: str = "not noted"
    load_average: float
    """Over the last minute, before the bench began: on a busy machine every figure is too low."""
    md5_mb_per_second: float
    fsync_per_second: float
    """Files of 4 KiB made, written and synced, one after the other."""
    synced_write_mb_per_second: float
    """One file of 64 MiB written and synced."""


def describe(directory: Path, server_cores: Set[int], load_cores: Set[int], nginx: str | None) -> Machine:
    """Look at the machine and at the file system of ``directory``; takes about a second."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        server_cores=sorted(server_cores),
        load_cores=sorted(load_cores),
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        kernel=platform.release(),
        python=platform.python_version(),
        s3proxy=_s3proxy_version(),
        nginx=_nginx_version(nginx),
        file_system=file_system_of(directory, Path("/proc/self/mounts").read_text()),
        memory_tier=memory_kind(),
        load_average=round(os.getloadavg()[0], 2),
        md5_mb_per_second=round(md5_mb_per_second()),
        fsync_per_second=round(_fsync_per_second(directory)),
        synced_write_mb_per_second=round(_synced_write_mb_per_second(directory)),
    )


def md5_mb_per_second(seconds: float = 0.2) -> float:
    """How fast one thread hashes here and now: the ceiling of a single PUT."""
    digest, blocks = hashlib.md5(usedforsecurity=False), 0
    begin = time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        digest.update(_BLOCK)
        blocks += 1
    return blocks * MIB / 1e6 / elapsed


def file_system_of(directory: Path, mounts: str) -> str:
    """The type of the file system that holds ``directory``. Source: fstab(5), which /proc/self/mounts follows."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, point, fstype = line.split()[:3]
        inside = directory.resolve().is_relative_to(point)
        if inside and len(point) >= len(best):
            best, kind = point, fstype
    return kind


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _s3proxy_version() -> str:
    try:
        return version("s3proxy")
    except PackageNotFoundError:
        return "not installed"


def _nginx_version(program: str | None) -> str:
    if program is None:
        return "absent"
    shown = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    return shown.strip().rpartition("/")[2]


def _fsync_per_second(directory: Path, seconds: float = 0.3) -> float:
    block, count = bytes(4096), 0
    path = directory / "fsync-probe"
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        _write_synced(path, [block])
        path.unlink()
        count += 1
    return count / (time.perf_counter() - begin)


def _synced_write_mb_per_second(directory: Path) -> float:
    path = directory / "write-probe"
    begin = time.perf_counter()
    _write_synced(path, [_BLOCK] * 64)
    elapsed = time.perf_counter() - begin
    path.unlink()
    return 64 * MIB / 1e6 / elapsed


def _write_synced(path: Path, blocks: list[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        for block in blocks:
            file.write(block)
        os.fsync(file.fileno())
