import shutil
from collections.abc import Iterator

import pytest

from tests.deploy.machine import Machine, absence, booted
from tests.deploy.wheels import wheel_of_tree

VERSIONS = ("0.0.1", "0.0.2")
LIBRARIES = "[Service]\nEnvironment=LD_LIBRARY_PATH=/srv/python/lib PYTHONPATH=/srv/library\n"
"""What stands in for the dependencies that pip would have fetched."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with systemd on which install.sh has installed this tree."""
    if (reason := absence()) is not None:
        pytest.skip(reason)
    scratch = tmp_path_factory.mktemp("machine")
    with booted(scratch) as machine:
        for version in VERSIONS:
            shutil.copy(wheel_of_tree(scratch, version), machine.root / "tmp")
        install(machine, VERSIONS[0])
        yield machine


def install(machine: Machine, version: str) -> None:
    """Install this tree there under one of its versions."""
    setting = ("PYTHON=/srv/python/bin/python3", "PIP_NO_DEPS=1", "PIP_NO_INDEX=1")
    machine.run("env", *setting, "/srv/tree/deploy/install.sh", f"/tmp/s3proxy-{version}-py3-none-any.whl")
    machine.write("etc/systemd/system/s3proxy.service.d/libraries.conf", LIBRARIES)
    machine.run("systemctl", "daemon-reload")
