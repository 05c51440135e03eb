"""The machine that the figures come from: what it is, and how fast it does by itself what a server cannot do faster."""

import hashlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

from bench.cases import Settings
from bench.content import MIB
from bench.device import durable_files_per_second, fsync_per_second, synced_write_mb_per_second
from bench.tiers import memory_kind

_BLOCK = bytes(MIB)
_CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts that go with every result."""

    started: str = "not noted"
    """When the run began, in UTC."""
    processor: str
    cores: int
    server_cores: list[int]
    load_cores: list[int]
    memory_mib: int
    kernel: str
    congestion_control: str = "not noted"
    """Of TCP: one that paces, as bbr does, slows servers within a machine."""
    python: str
    revision: str = "not noted"
    """Of the source, as git describes it."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the programs of the targets that took part."""
    settings: dict[str, str] = field(default_factory=dict)
    """How long, how often, and from where to where the run measured."""
    file_system: str
    memory_tier: str = "not noted"
    load_average: float
    """Over the last minute, before the bench began: on a busy machine every figure is too low."""
    md5_mb_per_second: float
    fsync_per_second: float
    """Files of 4 KiB made, written and synced, one after the other."""
    durable_files_per_second: float = 0.0
    """The same, put in their place for good, by 16 writers at once: see ``bench.device``."""
    synced_write_mb_per_second: float
    """One file of 64 MiB written and synced."""


def describe(directory: Path, versions: Mapping[str, str], settings: Settings) -> Machine:
    """Look at the machine and at the file system of ``directory``; takes about two seconds."""
    return Machine(
        started=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        server_cores=sorted(settings.server_cores),
        load_cores=sorted(settings.load_cores),
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        kernel=platform.release(),
        congestion_control=_CONGESTION_CONTROL.read_text().strip(),
        python=platform.python_version(),
        revision=_revision(),
        versions=dict(versions),
        settings=_settings_facts(settings),
        file_system=file_system_of(directory, Path("/proc/self/mounts").read_text()),
        memory_tier=memory_kind(),
        load_average=round(os.getloadavg()[0], 2),
        md5_mb_per_second=round(md5_mb_per_second()),
        fsync_per_second=round(fsync_per_second(directory)),
        durable_files_per_second=round(durable_files_per_second(directory)),
        synced_write_mb_per_second=round(synced_write_mb_per_second(directory)),
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


def _revision() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return "unknown"
    return shown.strip() or "unknown"


def _settings_facts(settings: Settings) -> dict[str, str]:
    apart = {"server_cores", "load_cores"}
    given = {each.name: getattr(settings, each.name) for each in fields(settings) if each.name not in apart}
    return {name.replace("_", " "): f"{value}" for name, value in given.items() if value is not None}
