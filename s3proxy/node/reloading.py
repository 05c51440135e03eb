"""What a reload may change of a node's configuration."""

from typing import Final

from s3proxy.config import Config
from s3proxy.node.failures import StartError
from s3proxy.node.tls import check_tls

_FIXED: Final = (
    ("server", "listen"),
    ("server", "workers"),
    ("admin", "listen"),
    ("admin", "socket"),
    ("cache", "block_size"),
    ("cache", "fragment_size"),
    ("cache", "metadata_entries"),
    ("memory_tier", "directory"),
    ("disk_tier", "directory"),
)
"""Of which processes before and after a reload share something: sockets, rows of tables, files of blocks."""


def check_reload(before: Config, after: Config) -> None:
    """Check that workers with the one configuration can take over from workers with the other.

    Raises:
        StartError: something needs a restart, which the message names; or a certificate cannot be used.
    """
    changed = [
        f"{section}.{key}"
        for section, key in _FIXED
        if getattr(getattr(before, section), key) != getattr(getattr(after, section), key)
    ]
    if changed:
        raise StartError(f"{', '.join(changed)} cannot change while the node runs; restart it instead")
    check_tls(after)
