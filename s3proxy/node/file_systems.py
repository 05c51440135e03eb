"""Whether a directory lies on this machine's own disks or on a network's.

Source: proc_pid_mountinfo(5).
"""

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|afs|ceph|lustre|gpfs|beegfs|panfs|wekafs|orangefs|pvfs2|coda|ocfs2|gfs2|fuse(\..*)?"
)
"""File systems behind a network, or behind a program (FUSE), which reads are spared by a cache."""

_is_escape = re.compile(r"\\([0-7]{3})")


def is_on_network(directory: Path) -> bool:
    """Whether reading below ``directory`` asks another machine; False where that cannot be told."""
    try:
        return _NETWORK.fullmatch(type_of(os.path.realpath(directory), _MOUNTS.read_text(encoding="utf-8"))) is not None
    except (OSError, ValueError):
        return False


def type_of(path: str, mountinfo: str) -> str:
    """The type of the file system that an absolute path lies on; empty when nothing is mounted above it."""
    found, longest = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = _is_escape.sub(lambda match: chr(int(match[1], 8)), before.split(" ")[4])
        # What is mounted later hides what was there; the file lists mounts in order.
        if len(point) >= longest and os.path.commonpath((path, point)) == point:
            found, longest = after.split(" ")[0], len(point)
    return found
