"""A machine with a real systemd on this one: namespaces, and a root of its own in which units can be installed.

Nothing of it touches this machine: file systems are laid over in memory, the network is a loopback of its own, the
kernel's settings are read-only. It needs root, and a kernel that allows all that.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TREE = Path(__file__).parents[2]
_BOOT = Path(__file__).parent / "boot.sh"
_PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BOOT_SECONDS = 30
_TOOLS = ("unshare", "nsenter", "systemctl", "pivot_root", "ip", "/lib/systemd/systemd")
_NAMESPACES = ("--pid", "--fork", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--kill-child")


class BootError(Exception):
    """Systemd does not run; with what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that runs."""

    pid: int
    """Of its systemd, seen from here."""

    @property
    def root(self) -> Path:
        """Its root directory, seen from here. Links in it that are absolute lead to this machine's files."""
        return Path(f"/proc/{self.pid}/root")

    def write(self, path: str, text: str) -> None:
        """Write a file there, and make its directories."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def run(self, *command: str, is_checked: bool = True, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command there, as root."""
        done = subprocess.run([*self._entering, *command], capture_output=True, text=True, timeout=timeout, check=False)
        if is_checked and done.returncode:
            raise AssertionError(f"{' '.join(command)}: ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command there, as root, whose output is read."""
        return subprocess.Popen([*self._entering, *command], stdout=subprocess.PIPE, text=True)

    @property
    def _entering(self) -> list[str]:
        environment = (f"PATH={_PATH}", "LD_LIBRARY_PATH=/srv/python/lib", "PYTHONPATH=/srv/library")
        return ["nsenter", f"--target={self.pid}", "--all", "--wd", "env", "-i", *environment]

    def show(self, unit: str, field: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={field}", unit).stdout.strip()

    def journal(self, unit: str) -> str:
        """What a unit has written."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout


def absence() -> str | None:
    """Why there can be no such machine here; None when there may be."""
    if os.getuid() != 0:
        return "a machine in namespaces needs root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    tried = subprocess.run(
        ["unshare", *_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return f"no namespaces: {tried.stderr.decode().strip()}" if tried.returncode else None


@contextmanager
def booted(scratch: Path) -> Iterator[Machine]:
    """Boot a machine, and switch it off at the end.

    Raises:
        BootError: systemd does not come up, as where the kernel does not allow the namespaces.
    """
    output = scratch / "console"
    mount_point = scratch / "machine"
    mount_point.mkdir()
    with output.open("wb") as console:
        process = subprocess.Popen(
            ["unshare", *_NAMESPACES, "sh", _BOOT, mount_point, sys.base_prefix, sysconfig.get_path("purelib"), _TREE],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:
        yield _wait_running(process, output)
    finally:
        process.kill()
        process.wait()


def _wait_running(process: "subprocess.Popen[bytes]", output: Path) -> Machine:
    deadline = time.monotonic() + _BOOT_SECONDS
    state = ""
    while time.monotonic() < deadline and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        if children and Path(f"/proc/{children[0]}/comm").read_text(encoding="ascii").strip() == "systemd":
            machine = Machine(pid=int(children[0]))
            state = machine.run("systemctl", "is-system-running", is_checked=False).stdout.strip()
            if state in {"running", "degraded"}:
                return machine
        time.sleep(0.1)
    raise BootError(f"systemd is {state or 'not there'}: {output.read_text(errors='replace')}")
