"""The commands that the unit holds, run as systemd would run them, for where it does not run."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT = (Path(__file__).parents[2] / "deploy" / "systemd" / "s3proxy.service").read_text()
SECONDS = 30


def setting(key: str) -> str:
    found = re.search(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    assert found is not None
    return found[1]


class Service:
    """The node as a service."""

    def __init__(self, scratch: Path) -> None:
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(scratch / "notify"))
        self._notices.settimeout(SECONDS)
        self._scratch = scratch
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        python, *arguments = shlex.split(setting("ExecStart"))
        assert python == "/opt/s3proxy/current/bin/python"
        config = self._scratch / "s3proxy.toml"
        config.write_text('[server]\nlisten = "127.0.0.1:0"\n[admin]\nlisten = ""\n')
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(self._scratch / "notify"),
            "RUNTIME_DIRECTORY": str(self._scratch),
            "WATCHDOG_USEC": "4000000",
        }
        return subprocess.Popen(
            [sys.executable, *(str(config) if each == "/etc/s3proxy/s3proxy.toml" else each for each in arguments)],
            cwd=self._scratch,
            env=environment,
            stderr=subprocess.DEVNULL,
        )

    def wait_for(self, notice: str) -> None:
        """Until it has told systemd so."""
        while notice not in self._notices.recv(4096).decode().splitlines():
            pass

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._notices.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    try:
        yield service
    finally:
        service.close()


def test_service_says_when_it_is_ready_that_it_lives_and_that_it_stops(service: Service) -> None:
    service.wait_for("READY=1")
    service.wait_for("WATCHDOG=1")
    service.process.send_signal(signal.SIGTERM)
    service.wait_for("STOPPING=1")
    assert service.process.wait(SECONDS) == 0


def test_service_says_that_it_reloads_and_when_it_is_done(service: Service) -> None:
    service.wait_for("READY=1")
    kill = shlex.split(setting("ExecReload").replace("$MAINPID", str(service.process.pid)))
    subprocess.run(kill, check=True)
    service.wait_for("RELOADING=1")
    service.wait_for("READY=1")
    assert service.process.poll() is None
