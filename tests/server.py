"""A real server process on a loopback port, for the tests that must see one from outside."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path

from tests.signing import Keys

_START_SECONDS = 30
_STOP_SECONDS = 20
_READY = re.compile(rb"""(?:^|")s3proxy ready on https?://127\.[0-9.]+:([0-9]+)["\s]""", re.MULTILINE)

Table = Mapping[str, object]
Settings = Mapping[str, Table | Sequence[Table]]
"""Sections and keys of a configuration; a sequence of tables for ``[[mount]]`` and the like."""


class StartError(Exception):
    """The process ended, or was not ready in time; with what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A process that accepts connections."""

    process: "subprocess.Popen[bytes]"
    port: int
    root: Path
    logs: tuple[Path, Path]
    """The access log, and standard output and error."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def descriptors(self) -> int:
        """How many its processes have open, but for those of buckets, of which it keeps a bounded number."""
        return len(self.open_files())

    def open_files(self) -> list[str]:
        """What these descriptors lead to."""
        found = []
        for top in [Path(f"/proc/{pid}/fd") for pid in self.processes()]:
            with suppress(FileNotFoundError):  # it has ended
                for name in os.listdir(top):
                    with suppress(FileNotFoundError):  # closed in the meantime
                        found.append(os.readlink(top / name))
        return sorted(path for path in found if os.path.dirname(path) != str(self.root))

    def workers(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in self.children() if _is_worker(pid)]

    def children(self) -> list[int]:
        """The workers and the admin process."""
        found: set[int] = set()
        for path in Path(f"/proc/{self.pid}/task").glob("*/children"):  # threads have children, too
            with suppress(FileNotFoundError, ProcessLookupError):
                found.update(int(pid) for pid in path.read_text(encoding="ascii").split())
        return sorted(found)

    def processes(self) -> list[int]:
        """All that the node consists of, the first one first."""
        return [self.pid, *self.children()]

    def resident_bytes(self, field: str = "VmRSS") -> int:
        """The memory of its workers, or with ``VmHWM`` the most that they had since ``reset_peak``."""
        return sum(_memory_of(pid, field) for pid in self.workers())

    def reset_peak(self) -> None:
        """Forget the most memory that they had."""
        for pid in self.workers():
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")

    def temporaries(self) -> list[Path]:
        """The files below the hidden directory for files being written."""
        return [path for path in (self.root / ".s3proxy" / "tmp").rglob("*") if not path.is_dir()]

    def kill(self) -> None:
        """End it as a power failure would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as an operator would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def started(
    root: Path, scratch: Path, *, users: Sequence[Keys] = (), settings: Settings | None = None
) -> Iterator[Server]:
    """Start a server over ``root``, in signature mode when there are ``users``, and stop it at the end.

    Args:
        root: the directory of the buckets.
        scratch: for the configuration and the logs.
        users: each one owns what it makes.
        settings: further sections, keys and arrays of tables of the configuration; None leaves a key out.
    """
    server = start(root, scratch, users=users, settings=settings)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def start(root: Path, scratch: Path, *, users: Sequence[Keys] = (), settings: Settings | None = None) -> Server:
    """Like ``started``, for a caller that ends the process itself."""
    root.mkdir(exist_ok=True)
    scratch.mkdir(exist_ok=True)
    access, output = scratch / "access.log", scratch / "output.log"
    config = scratch / "s3proxy.toml"
    config.write_text(configuration(root, access, users=users, settings=settings), encoding="utf-8")
    with output.open("ab") as stream:
        seen = stream.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "s3proxy", "serve", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    return Server(process=process, port=_wait_ready(process, output, seen), root=root, logs=(access, output))


def configuration(root: Path, access: Path, *, users: Sequence[Keys] = (), settings: Settings | None = None) -> str:
    """The text of a configuration file."""
    sections: dict[str, dict[str, object]] = {
        "server": {"listen": "127.0.0.1:0", "workers": 1, "drain_seconds": 2},
        "auth": {"mode": "signature" if users else "open"},
        "store": {"root": str(root), "fsync": False},
        "log": {"access": str(access), "format": "console"},
        "admin": {"listen": ""},  # nodes of several tests at once; those that look at it choose a port
    }
    arrays: dict[str, Sequence[Table]] = {}
    for name, values in (settings or {}).items():
        if isinstance(values, Mapping):
            sections[name] = {**sections.get(name, {}), **values}
        else:
            arrays[name] = values
    lines = []
    for name, section in sections.items():
        lines += [f"[{name}]", *_lines_of(section)]
    for name, tables in arrays.items():
        for table in tables:
            lines += [f"[[{name}]]", *_lines_of(table)]
    for user in users:
        lines += ["[[users]]", f'name = "{user.access_key}"', f'access_key = "{user.access_key}"']
        lines += [f'secret_key = "{user.secret_key}"']
    return "\n".join(lines) + "\n"


def _lines_of(table: Table) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items() if value is not None]


def _toml(value: object) -> str:
    return "inf" if value == inf else json.dumps(value)


def _memory_of(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    match = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def _is_worker(pid: int) -> bool:
    try:
        return b"s3proxy.node.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def remove_deep(top: Path) -> None:
    """Remove a tree that may be a thousand directories deep, which shutil.rmtree cannot before Python 3.13."""
    subprocess.run(["rm", "-rf", "--", str(top)], check=True)


def _wait_ready(process: "subprocess.Popen[bytes]", output: Path, seen: int) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        written = output.read_bytes()[seen:]
        if (match := _READY.search(written)) is not None:
            return int(match[1])
        if process.poll() is not None:
            raise StartError(f"ended with code {process.returncode}: {written.decode(errors='replace')}")
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise StartError(f"was not ready in {_START_SECONDS} s: {output.read_text(errors='replace')}")
