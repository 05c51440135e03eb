"""A process that is killed while it writes leaves whole objects."""

import os
import random
import sys
import time
from pathlib import Path
from subprocess import PIPE, Popen

import trio

from s3proxy.stores.local.store import LocalStore
from tests.stores.local.leftovers import temporaries
from tests.stores.vocabulary import get, make_bucket, put

SIZES = (1_000, 300_000)

WRITER = """
import sys
from pathlib import Path
import trio
from s3proxy.stores.local.store import LocalStore
from tests.stores.vocabulary import put

async def main():
    store = LocalStore.open(Path(sys.argv[1]), fsync=False)
    print("ready", flush=True)
    for number in range(1_000_000):
        for size in map(int, sys.argv[2:]):
            await put(store, bytes([number % 256]) * size, f"a/{size}")

trio.run(main)
"""


async def test_killed_writer_leaves_whole_objects(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    for size in SIZES:
        await put(store, bytes(size), f"a/{size}")
    chance = random.Random(5)
    for _ in range(4):
        await trio.to_thread.run_sync(kill_a_writer, root, chance.uniform(0.01, 0.1))
        for size in SIZES:
            data = await get(store, f"a/{size}")
            assert data == data[:1] * size
    await store.sweep()
    assert temporaries(root) == []
    assert len(list((root / ".s3proxy" / "tmp").iterdir())) == 1  # that of ``store``


def kill_a_writer(root: Path, after_seconds: float) -> None:
    command = [sys.executable, "-c", WRITER, str(root), *map(str, SIZES)]
    with Popen(command, stdout=PIPE, cwd=Path(__file__).parents[3], env=os.environ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(after_seconds)
        writer.kill()
