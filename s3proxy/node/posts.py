"""The posts of a node: what one process after the other fills."""

from dataclasses import dataclass, field
from typing import Final

import trio

from s3proxy.node.process import Process

WORKER_MODULE: Final = "s3proxy.node.worker"
ADMIN_MODULE: Final = "s3proxy.node.admin_worker"

_MOST_FAILURES: Final = 5
_SOON_SECONDS: Final = 30.0
"""A worker that is lost sooner than this after its start, so many times in a row, is not started again."""


def _free_rows() -> tuple[trio.MemorySendChannel[int], trio.MemoryReceiveChannel[int]]:
    return trio.open_memory_channel[int](2)


@dataclass(slots=True, kw_only=True, eq=False)
class Post:
    """One of them."""

    number: int
    name: str
    module: str
    is_vital: bool
    """Whether the node serves nobody without it."""
    serving: Process | None = None
    failures: int = 0
    """Processes that were lost soon after their start, in a row."""
    changing: trio.Lock = field(default_factory=trio.Lock)
    rows: tuple[trio.MemorySendChannel[int], trio.MemoryReceiveChannel[int]] = field(default_factory=_free_rows)
    """Those of the shared tables that no process has."""

    def count_failure(self, process: Process) -> str:
        """Count a process that was lost before it was ready; why there is no use in another one, or nothing."""
        self.failures += 1
        if not self.is_vital or self.failures < _MOST_FAILURES:
            return ""
        return (
            f"{self.name} died {self.failures} times in a row, each time within {_SOON_SECONDS:.0f} seconds of its "
            f"start; the last one {process.reason}"
        )

    def count_loss(self, process: Process) -> str:
        """Count a process that was lost while it served, as ``count_failure`` does if that was soon."""
        if process.has_done_as_told or trio.current_time() - process.begun > _SOON_SECONDS:
            self.failures = 0
            return ""
        return self.count_failure(process)


def posts_of(workers: int, *, has_admin: bool) -> list[Post]:
    """Those of a node with so many workers, the admin process last."""
    posts = [Post(number=each, name=f"worker {each}", module=WORKER_MODULE, is_vital=True) for each in range(workers)]
    if has_admin:
        posts.append(Post(number=workers, name="the admin process", module=ADMIN_MODULE, is_vital=False))
    for post in posts:
        for row in (post.number, post.number + workers + 1):
            post.rows[0].send_nowait(row)
    return posts
