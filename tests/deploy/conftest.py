import shutil
from collections.abc import Iterator

import pytest

from tests.deploy.machine import Machine, absence, booted
from tests.deploy.wheels import wheel_of_tree

LIBRARIES = "[Service]\nEnvironment=LD_LIBRARY_PATH=/srv/python/lib PYTHONPATH=/srv/library\n"
"""What stands in for the dependencies that pip would have fetched."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with systemd on which install.sh has installed this tree."""
    if (reason := absence()) is not None:
        pytest.skip(reason)
    scratch = tmp_path_factory.mktemp("machine")
    with booted(scratch) as machine:
        shutil.copy(wheel_of_tree(scratch), machine.root / "tmp")
        install(machine)
        yield machine


def install(machine: Machine) -> None:
    """Install this tree there, or upgrade to it."""
    setting = ("PYTHON=/srv/python/bin/python3", "PIP_NO_DEPS=1", "PIP_NO_INDEX=1")
    machine.run("env", *setting, "sh", "-c", "/srv/tree/deploy/install.sh /tmp/s3proxy-*.whl")
    machine.write("etc/systemd/system/s3proxy.service.d/libraries.conf", LIBRARIES)
    machine.run("systemctl", "daemon-reload")
