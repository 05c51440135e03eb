from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.caching.fakes import Clock
from tests.stores.caching.node import Node, running
from tests.stores.fakes import MemoryStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def node(store: MemoryStore, tmp_path: Path, clock: Clock) -> Iterator[Node]:
    with running(store, tmp_path, clock) as node:
        yield node
