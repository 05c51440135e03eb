"""The units, in a real systemd where there may be one, and what its tools say of them."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3proxy.config import ServerConfig
from tests.deploy.conftest import VERSIONS, install
from tests.deploy.machine import Machine

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICE = UNITS / "s3proxy.service"
MEMORY = "/var/cache/private/s3proxy/memory"
MOST_EXPOSURE = 2.0

CACHING = """
[cache]
read = "cache"
[memory_tier]
directory = "/var/cache/s3proxy/memory"
size = "64 MiB"
[disk_tier]
directory = "/var/cache/s3proxy/disk"
size = "64 MiB"
"""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def value(key: str) -> str:
    """What the unit of the service says last of a key."""
    return SERVICE.read_text().split(f"\n{key}=")[-1].partition("\n")[0]


@needs_systemd
def test_service_is_hardly_exposed() -> None:
    command = ["systemd-analyze", "security", "--offline=true", str(SERVICE)]
    rating = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Overall exposure level for s3proxy.service: ([0-9.]+)", rating)
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSURE


def test_service_has_more_time_to_stop_than_the_node_takes() -> None:
    assert int(value("TimeoutStopSec")) > ServerConfig().drain_seconds + 5


def test_units_have_nothing_that_systemd_does_not_know(machine: Machine) -> None:
    paths = [f"/usr/local/lib/systemd/system/{each.name}" for each in UNITS.iterdir() if each.suffix != ".conf"]
    done = machine.run("systemd-analyze", "verify", *paths)
    assert (done.stdout, done.stderr) == ("", "")


# Running


def ask(machine: Machine, *arguments: str) -> str:
    return machine.run("curl", "-sS", "--fail", *arguments).stdout


def configure(machine: Machine, text: str) -> None:
    machine.write("etc/s3proxy/s3proxy.toml", text)  # keeps the owner and the mode that install.sh gave it


def restart(machine: Machine) -> None:
    machine.run("systemctl", "reset-failed", "s3proxy.service", is_checked=False)
    machine.run("systemctl", "restart", "s3proxy.service")


def main_pid(machine: Machine) -> int:
    return int(machine.show("s3proxy.service", "MainPID"))


def workers(machine: Machine) -> set[str]:
    """The processes of the service but for the first."""
    processes = machine.run("cat", "/sys/fs/cgroup/system.slice/s3proxy.service/cgroup.procs").stdout.split()
    return set(processes) - {str(main_pid(machine))}


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


ASKING = """
import os, urllib.request
answered = 0
while not os.path.exists("/tmp/stop") or answered < 20:
    try:
        urllib.request.urlopen("http://127.0.0.1:39999/", timeout=30).read()
        answered += 1
        open("/tmp/begun", "w").close()
    except OSError as error:
        print(error, flush=True)
print(answered, "answered")
"""


@contextmanager
def asking(machine: Machine) -> Iterator[list[str]]:
    """Ask the node again and again on new connections, before, meanwhile and after; what failed is known at the end."""
    failures: list[str] = []
    with machine.start("/srv/python/bin/python3", "-c", ASKING) as asker:
        try:
            wait_until((machine.root / "tmp/begun").exists)
            yield failures
        finally:
            machine.write("tmp/stop", "")
            *failed, answered = asker.communicate(timeout=60)[0].splitlines()
            (machine.root / "tmp/stop").unlink()
            (machine.root / "tmp/begun").unlink()
    failures += failed
    assert int(answered.split()[0]) >= 20


def test_node_serves_when_start_returns(machine: Machine) -> None:
    restart(machine)
    assert "ListAllMyBucketsResult" in ask(machine, "http://127.0.0.1:39999/")


def test_node_has_a_user_of_its_own_that_nobody_else_is(machine: Machine) -> None:
    machine.run("systemctl", "start", "s3proxy.service")
    uid = machine.run("stat", "-c", "%u", f"/proc/{main_pid(machine)}").stdout
    assert 61184 <= int(uid) <= 65519  # DYNAMIC_UID_MIN and MAX of systemd
    assert machine.run("stat", "-c", "%u %a", MEMORY).stdout == f"{uid.strip()} 700\n"


def test_memory_tier_is_a_tmpfs_with_huge_pages(machine: Machine) -> None:
    machine.run("systemctl", "start", "s3proxy.service")
    options = machine.run("findmnt", "--noheadings", "--output=FSTYPE,OPTIONS", MEMORY).stdout
    assert re.match(r"tmpfs .*\bnosuid,nodev,noexec\b.*\bhuge=within_size\b", options)


def test_blocks_in_memory_outlive_a_restart(machine: Machine) -> None:
    configure(machine, CACHING)
    restart(machine)
    ask(machine, "-X", "PUT", "http://127.0.0.1:39999/warm")
    ask(machine, "-X", "PUT", "--data-binary", "x" * 100_000, "http://127.0.0.1:39999/warm/object")
    assert len(ask(machine, "http://127.0.0.1:39999/warm/object")) == 100_000
    before = machine.run("find", f"{MEMORY}/blocks", "-type", "f", "-printf", "%f %i %s\n").stdout
    restart(machine)
    assert before != ""
    assert machine.run("find", f"{MEMORY}/blocks", "-type", "f", "-printf", "%f %i %s\n").stdout == before
    assert len(ask(machine, "http://127.0.0.1:39999/warm/object")) == 100_000


def test_operator_s_command_finds_the_node(machine: Machine) -> None:
    configure(machine, CACHING)
    restart(machine)
    assert "memory" in machine.run("s3proxy", "cache", "status").stdout


def test_wrong_configuration_is_not_tried_again(machine: Machine) -> None:
    configure(machine, "[server]\nlisten = 1\n")
    machine.run("systemctl", "restart", "s3proxy.service", is_checked=False)
    assert machine.show("s3proxy.service", "ActiveState") == "failed"
    assert machine.show("s3proxy.service", "NRestarts") == "0"
    assert "server.listen = 1: must be a string" in machine.journal("s3proxy.service")
    configure(machine, "")


def test_node_that_is_killed_is_started_again(machine: Machine) -> None:
    restart(machine)
    machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "s3proxy.service")
    wait_until(lambda: machine.show("s3proxy.service", "NRestarts") == "1")
    ask(machine, "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "http://127.0.0.1:39999/")


def test_wrong_configuration_at_a_reload_is_refused_and_the_node_goes_on(machine: Machine) -> None:
    restart(machine)
    before = main_pid(machine)
    configure(machine, "[server]\nworkers = -1\n")
    machine.run("systemctl", "reload", "s3proxy.service", is_checked=False)
    assert "ListAllMyBucketsResult" in ask(machine, "http://127.0.0.1:39999/")
    assert main_pid(machine) == before
    assert "server.workers = -1" in machine.journal("s3proxy.service")
    configure(machine, "")


def test_reload_serves_by_the_new_configuration_without_a_restart(machine: Machine) -> None:
    restart(machine)
    before = main_pid(machine)
    ask(machine, "-X", "PUT", "http://127.0.0.1:39999/region")
    configure(machine, '[server]\nregion = "eu-west-3"\n')
    machine.run("systemctl", "reload", "s3proxy.service")
    wait_until(lambda: "eu-west-3" in ask(machine, "http://127.0.0.1:39999/region?location"))
    assert main_pid(machine) == before
    configure(machine, "")


def test_log_that_was_turned_over_goes_on_in_a_new_file(machine: Machine) -> None:
    configure(machine, '[log]\naccess = "/var/log/s3proxy/access.log"\n')
    restart(machine)
    former = workers(machine)
    machine.run("mv", "/var/log/private/s3proxy/access.log", "/var/log/private/s3proxy/access.log.1")
    machine.run("systemctl", "reload", "s3proxy.service")
    wait_until(lambda: not former & workers(machine))
    ask(machine, "http://127.0.0.1:39999/?after=turning")
    wait_until(lambda: "turning" in machine.run("cat", "/var/log/private/s3proxy/access.log").stdout)
    configure(machine, "")


def test_upgrade_fails_no_request(machine: Machine) -> None:
    restart(machine)
    former = workers(machine)
    with asking(machine) as failures:
        install(machine, VERSIONS[1])
        machine.run("s3proxy", "reload")
        wait_until(lambda: not former & workers(machine))
    assert f'"version":"{VERSIONS[1]}"' in ask(machine, "http://127.0.0.1:39990/status")
    assert failures == []


def test_connections_wait_while_a_service_with_a_socket_restarts(machine: Machine) -> None:
    machine.run("systemctl", "stop", "s3proxy.service")
    machine.run("systemctl", "start", "s3proxy.socket")
    try:
        restart(machine)
        with asking(machine) as failures:
            restart(machine)
    finally:
        machine.run("systemctl", "stop", "s3proxy.service", "s3proxy.socket")
    assert failures == []


def test_socket_that_lets_anybody_in_is_refused(machine: Machine) -> None:
    machine.run("systemctl", "stop", "s3proxy.service")
    machine.write("etc/systemd/system/s3proxy.socket.d/all.conf", "[Socket]\nListenStream=\nListenStream=39999\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "s3proxy.socket")
    try:
        machine.run("systemctl", "start", "s3proxy.service", is_checked=False)
        assert "in open mode it must not" in machine.journal("s3proxy.service")
        assert machine.show("s3proxy.service", "SubState") != "running"
    finally:
        machine.run("systemctl", "stop", "s3proxy.service", "s3proxy.socket")
        (machine.root / "etc/systemd/system/s3proxy.socket.d/all.conf").unlink()
        machine.run("systemctl", "daemon-reload")


def test_node_that_hangs_is_replaced(machine: Machine) -> None:
    machine.write("etc/systemd/system/s3proxy.service.d/watchdog.conf", "[Service]\nWatchdogSec=3\nTimeoutAbortSec=1\n")
    machine.run("systemctl", "daemon-reload")
    try:
        restart(machine)
        machine.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", "s3proxy.service")
        wait_until(lambda: machine.show("s3proxy.service", "NRestarts") == "1")
        ask(machine, "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "http://127.0.0.1:39999/")
    finally:
        (machine.root / "etc/systemd/system/s3proxy.service.d/watchdog.conf").unlink()
        machine.run("systemctl", "daemon-reload")
