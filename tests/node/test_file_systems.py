from pathlib import Path

import pytest

from s3proxy.node.file_systems import is_on_network, type_of

MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
30 22 0:40 / /mnt/nas rw - nfs4 server:/export rw,vers=4.2
31 22 0:41 / /mnt/with\040space rw master:3 propagate_from:2 - fuse.sshfs sshfs rw
32 30 8:1 / /mnt/nas/scratch rw - xfs /dev/sda1 rw
33 22 0:42 / /mnt/twice rw - cifs //server/share rw
34 22 8:2 / /mnt/twice rw - ext4 /dev/sda2 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv/s3", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/bucket", "nfs4"),
        ("/mnt/nas2", "ext4"),
        ("/mnt/nas/scratch/bucket", "xfs"),
        ("/mnt/with space/bucket", "fuse.sshfs"),
        ("/mnt/twice/bucket", "ext4"),
    ],
)
def test_type_is_that_of_the_mount_that_is_nearest_and_last(path: str, kind: str) -> None:
    assert type_of(path, MOUNTINFO) == kind


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nfs", True),
        ("nfs4", True),
        ("cifs", True),
        ("fuse", True),
        ("fuse.glusterfs", True),
        ("lustre", True),
        ("ceph", True),
        ("gpfs", True),
        ("ext4", False),
        ("xfs", False),
        ("tmpfs", False),
        ("fuseblk", False),
        ("zfs", False),
    ],
)
def test_file_systems_of_a_network_are_known(
    kind: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / / rw - {kind} source rw\n")
    monkeypatch.setattr("s3proxy.node.file_systems._MOUNTS", mounts)
    assert is_on_network(tmp_path) is expected


def test_this_machine_s_own_directories_are_told(tmp_path: Path) -> None:
    assert is_on_network(tmp_path) in {True, False}


def test_file_system_that_cannot_be_told_counts_as_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3proxy.node.file_systems._MOUNTS", tmp_path / "absent")
    assert not is_on_network(tmp_path)
