"""Makes the picture of the dashboard in the README: ``python -m tests.dashboard.screenshot deploy/dashboard.png``."""

import sys
import tempfile
import time
from pathlib import Path

from tests.dashboard.chromium import running
from tests.dashboard.fake_node import FakeNode, serving
from tests.dashboard.test_page import HAS_HISTORY, HAS_STATUS

WIDTH, HEIGHT = 1280, 1024


def main(file: Path) -> None:
    """A node after some hours of work, by day."""
    with (
        tempfile.TemporaryDirectory() as profile,
        running(Path(profile)) as chromium,
        serving(FakeNode()) as node,
        chromium.page(WIDTH, HEIGHT) as page,
    ):
        page.prefer("light")
        page.open(node.url)
        page.wait_for(HAS_STATUS)
        page.wait_for(HAS_HISTORY)
        time.sleep(3)  # what the processors do is known from two answers
        page.screenshot(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
