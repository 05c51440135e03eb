from collections.abc import Iterator

import pytest

from tests.dashboard.chromium import ABSENCE, Chromium, Page, running
from tests.dashboard.fake_node import FakeNode, serving


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests; each has pages with storage of their own."""
    if ABSENCE is not None:
        pytest.skip(ABSENCE)
    with running(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium


@pytest.fixture
def node() -> Iterator[FakeNode]:
    """A node that can be told what to say."""
    with serving(FakeNode()) as node:
        yield node


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """An empty tab."""
    with chromium.page() as page:
        yield page
