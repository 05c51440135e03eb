"""A worker that gets ready, and whose event loop then stands still."""

import sys
import time
from collections.abc import Callable

from s3proxy.config import Config
from s3proxy.node.commons import Seat
from s3proxy.node.worker import main


async def hang(_config: Config, _seat: Seat, on_ready: Callable[[], None]) -> None:
    """Be ready, and then neither serve nor end."""
    on_ready()
    time.sleep(60)  # noqa: ASYNC251 (that is the point)


if __name__ == "__main__":
    sys.exit(main(hang))
