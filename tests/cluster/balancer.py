"""HAProxy as deploy/haproxy.cfg configures it, before nodes on loopback addresses."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
SERVED_BY = b"x-node"
"""The response header that tells, in tests only, which node answered."""

_START_SECONDS = 10
_STATE_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node is reached: its data port, and the port of its admin plane."""

    number: int
    address: str
    port: int
    admin_port: int

    @property
    def name(self) -> str:
        return f"node{self.number}"


def is_installed() -> bool:
    """Whether there is a HAProxy."""
    return shutil.which("haproxy") is not None


def free_port(address: str) -> int:
    """A port of an address that nobody listens on now."""
    with socket.create_server((address, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def derived(deployed: str, port: int, control: Path, places: Sequence[Place]) -> str:
    """The configuration that is deployed, but for addresses, logs and what only a test wants to see."""
    text = re.sub(r"^frontend metrics\n(?:    .*\n)*", "", deployed, flags=re.MULTILINE)
    text = re.sub(r"^ +(?:log|option httplog|option dontlognull|server) ?.*\n", "", text, flags=re.MULTILINE)
    text = text.replace("maxconn 20000", "maxconn 2000")  # within the descriptors that tests have
    text = text.replace("bind :39999", f"bind 127.0.0.1:{port}")
    text = text.replace("global\n", f"global\n    stats socket {control} level admin\n", 1)
    lines = [f"    http-response set-header {SERVED_BY.decode()} %s"]
    lines += [
        f"    server {each.name} {each.address}:{each.port} id {each.number} port {each.admin_port}" for each in places
    ]
    return text.rstrip() + "\n" + "\n".join(lines) + "\n"


class Balancer:
    """A HAProxy that runs. Made by ``balancing``."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, control: Path) -> None:
        self.port = port
        self._process = process
        self._control = control

    def tell(self, command: str) -> str:
        """Give a command to its runtime API; what it says."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._control))
            control.sendall(f"{command}\n".encode())
            said = b""
            while more := control.recv(65536):
                said += more
        return said.decode()

    def states(self) -> Mapping[str, str]:
        """What it thinks of each node: ``UP``, ``DOWN``, ``MAINT``, or ``UP 1/2`` on the way."""
        rows = [line.split(",") for line in self.tell("show stat").splitlines()]
        return {row[1]: row[17] for row in rows if row[0] == "nodes" and row[1] != "BACKEND"}

    def wait_for(self, name: str, state: str) -> float:
        """Wait until a node is in a state; the seconds that took."""
        begin = time.monotonic()
        while self.states()[name] != state:
            if time.monotonic() > begin + _STATE_SECONDS:
                raise AssertionError(f"{name} is not {state}: {self.states()}")
            time.sleep(0.02)
        return time.monotonic() - begin

    def take_out(self, name: str) -> None:
        """Send nothing more to a node, as when its health check fails; its answers under way are broken off."""
        self.tell(f"set server nodes/{name} state maint")
        self.wait_for(name, "MAINT")

    def take_in(self, name: str) -> None:
        """Send its share to it again, at once."""
        self.tell(f"set server nodes/{name} state ready")
        self.wait_for(name, "UP")


@contextmanager
def balancing(directory: Path, places: Sequence[Place]) -> Iterator[Balancer]:
    """Run HAProxy before nodes; those that do not answer yet join when they do."""
    directory.mkdir(exist_ok=True)
    port, control = free_port("127.0.0.1"), directory / "control"
    config = directory / "haproxy.cfg"
    config.write_text(derived(DEPLOYED.read_text(encoding="utf-8"), port, control, places), encoding="utf-8")
    with (directory / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=log)
    try:
        _wait_until_ready(process, port, control, directory / "haproxy.log")
        yield Balancer(process, port, control)
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, control: Path, log: Path) -> None:
    """It accepts some moments before its control socket has its name."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            if control.exists():
                return
        time.sleep(0.02)
    raise AssertionError(f"HAProxy does not listen: {log.read_text(encoding='utf-8')}")
