"""Facts of the machine."""

from pathlib import Path

import pytest

from bench.machine import file_system_of

_MOUNTS = "/dev/vda / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/vdb /run/data xfs rw 0 0\nnone /runner ramfs rw 0 0\n"


@pytest.mark.parametrize(
    ("path", "kind"), [("/home/x", "ext4"), ("/run/x", "tmpfs"), ("/run/data/x/y", "xfs"), ("/run/database", "tmpfs")]
)
def test_file_system_of_a_directory_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert file_system_of(Path(path), _MOUNTS) == kind
