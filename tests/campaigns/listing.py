"""Large directories, listed: ``python -m tests.campaigns.listing``.

How long a page of 1,000 keys takes wherever it starts, how long a whole walk takes and what it costs in memory, and
whether a walk shows every key that is there all the time exactly once while others come and go.
"""

import argparse
import itertools
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.campaigns.report import require, run, say
from tests.server import Server, started
from tests.wire import Call, Connection

MIB = 2**20
_PAGE_GOAL_MS = 50
_WALK_GOAL_SECONDS = 60
_WALK_GOAL_BYTES = 64 * MIB


def campaign(base: Path, *, flat: int, walked: int, pages: int) -> None:
    """Measure pages in a directory of ``flat`` files, a walk over ``walked``, and a walk amid changes over ``flat``."""
    with started(base / "root", base / "scratch", settings={"log": {"access": "off"}}) as server:
        _make_files(server, "flat", flat)
        _measure_pages(server, "flat", flat, pages)
        _walk_amid_changes(server, "flat", flat)
        if walked:
            _make_files(server, "walked", walked)
            _measure_walk(server, "walked", walked)


def name_of(number: int) -> str:
    """The key of a file that is there all the time."""
    return f"key-{number:08d}"


def _make_files(server: Server, bucket: str, count: int) -> None:
    directory = server.root / bucket
    directory.mkdir()
    fd = os.open(directory, os.O_RDONLY)
    for number in range(count):
        os.close(os.open(name_of(number), os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)


def _measure_pages(server: Server, bucket: str, count: int, pages: int) -> None:
    with Connection(server.port) as connection:
        begin = time.perf_counter()
        _page(connection, bucket)
        first = time.perf_counter() - begin
        times = []
        for _ in range(pages):
            start = random.randrange(count)
            begin = time.perf_counter()
            keys, _ = _page(connection, bucket, after=name_of(start))
            times.append(time.perf_counter() - begin)
            expected = [name_of(number) for number in range(start + 1, min(start + 1001, count))]
            require(keys == expected, f"the page behind {name_of(start)} has {len(keys)} keys, or others")
    times.sort()
    median = times[len(times) // 2] * 1000
    say(f"page of 1,000 of {count:,}", f"{median:.1f}", f"ms at the median (goal: under {_PAGE_GOAL_MS} ms)")
    say("the same, slowest of", f"{pages}: {times[-1] * 1000:.1f}", f"ms; the very first: {first * 1000:.1f} ms")


def _measure_walk(server: Server, bucket: str, count: int) -> None:
    before = server.resident_bytes()
    server.reset_peak()
    begin = time.monotonic()
    number = 0
    for number, key in enumerate(_walk(server, bucket)):
        require(key == name_of(number), f"key {number} of the walk is {key}")
    require(number + 1 == count, f"the walk ended after {number + 1} keys")
    seconds = time.monotonic() - begin
    growth = server.resident_bytes("VmHWM") - before
    say(f"walk over {count:,}", f"{seconds:.1f}", f"s (goal: under {_WALK_GOAL_SECONDS} s for 1,000,000)")
    say("the same", f"{growth / MIB:.1f}", "MiB more at the peak")
    require(seconds < _WALK_GOAL_SECONDS * max(1, count / 1_000_000), f"the walk took {seconds:.1f} s")
    require(growth < _WALK_GOAL_BYTES, f"the walk took {growth / MIB:.1f} MiB")


def _walk_amid_changes(server: Server, bucket: str, count: int) -> None:
    with _changes(server, bucket) as changed:
        begin = time.monotonic()
        seen = list(_walk(server, bucket))
        seconds = time.monotonic() - begin
    stable = [key for key in seen if key.startswith("key-") and key.count("-") == 1]
    require(seen == sorted(set(seen)), "a key was repeated, or out of order")
    require(stable == [name_of(number) for number in range(count)], f"{count - len(stable)} keys were missed")
    say(f"walk over {count:,} amid {next(changed):,} changes", f"{seconds:.1f}", "s, no key missed or repeated")


@contextmanager
def _changes(server: Server, bucket: str) -> Iterator["itertools.count[int]"]:
    """Write and delete other keys all the while, through S3 and through the file system."""
    is_over = threading.Event()
    changed = itertools.count()

    def through_s3() -> None:
        with Connection(server.port) as connection:
            while not is_over.is_set():
                target = f"/{bucket}/{_other()}".encode()
                require(connection.ask(Call(b"PUT", target)).status == 200, "a write was refused")
                if random.random() < 0.9:
                    require(connection.ask(Call(b"DELETE", target)).status == 204, "a delete was refused")
                next(changed)

    def through_files() -> None:
        while not is_over.is_set():
            path = server.root / bucket / _other()
            path.touch()
            if random.random() < 0.9:
                path.unlink(missing_ok=True)
            next(changed)
            time.sleep(0.0005)

    def _other() -> str:
        return f"{name_of(random.randrange(2_000_000))}-{random.randrange(10_000)}"

    threads = [threading.Thread(target=change) for change in (through_s3, through_files)]
    for thread in threads:
        thread.start()
    try:
        yield changed
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def _walk(server: Server, bucket: str) -> Iterator[str]:
    with Connection(server.port) as connection:
        keys, token = _page(connection, bucket)
        yield from keys
        while token:
            keys, token = _page(connection, bucket, token=token)
            yield from keys


def _page(connection: Connection, bucket: str, *, after: str = "", token: str = "") -> tuple[list[str], str]:
    query = f"/{bucket}?list-type=2&max-keys=1000"
    query += f"&continuation-token={quote(token, safe='')}" if token else f"&start-after={after}"
    answer = connection.ask(Call(b"GET", query.encode()))
    require(answer.status == 200, f"a listing was answered {answer.status} {answer.code}")
    keys = [piece.partition(b"</Key>")[0].decode() for piece in answer.body.split(b"<Key>")[1:]]
    return keys, answer.text("NextContinuationToken") if b"<NextContinuationToken>" in answer.body else ""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flat", type=int, default=100_000, help="files of the directory that pages are taken of")
    parser.add_argument("--walked", type=int, default=1_000_000, help="files of the directory that is walked")
    parser.add_argument("--pages", type=int, default=200)
    given = parser.parse_args()
    return run(lambda base: campaign(base, flat=given.flat, walked=given.walked, pages=given.pages))


if __name__ == "__main__":
    sys.exit(main())
