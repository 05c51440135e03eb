import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.stores.local import locks
from s3proxy.stores.local.locks import KeyLocks, LockKey
from tests.stores.local.leftovers import open_descriptors
from tests.stores.vocabulary import raises


@pytest.fixture
def dir_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def run_together(*functions: object) -> None:
    threads = [threading.Thread(target=function) for function in functions if callable(function)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_commit_to_one_key_happens_once_at_a_time(dir_fd: int) -> None:
    inside = 0
    most = 0

    def step(_: LockKey) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.001)
        inside -= 1

    # Two stores stand for two processes: flock belongs to the open file, and every commit opens its own.
    stores = [KeyLocks(dir_fd), KeyLocks(dir_fd)]
    run_together(*[lambda locks=each: [locks.commit("b", "k", step) for _ in range(5)] for each in stores * 2])
    assert most == 1


def test_commits_to_other_keys_do_not_wait(dir_fd: int) -> None:
    key_locks = KeyLocks(dir_fd, patience_seconds=0)
    assert key_locks.commit("b", "k", lambda _: key_locks.commit("b", "other", lambda _: "done")) == "done"


def test_commit_gives_up_when_the_lock_is_held_too_long(dir_fd: int) -> None:
    before = open_descriptors()
    impatient = KeyLocks(dir_fd, patience_seconds=0.01)
    with raises(ErrorCode.SLOW_DOWN):
        KeyLocks(dir_fd).commit("b", "k", lambda _: impatient.commit("b", "k", lambda _: None))
    assert open_descriptors() == before


def test_commit_that_needs_a_second_key_begins_again_with_both(dir_fd: int) -> None:
    begun = 0
    impatient = KeyLocks(dir_fd, patience_seconds=0)

    def step(lock_key: LockKey) -> str:
        nonlocal begun
        begun += 1
        with lock_key("a"), raises(ErrorCode.SLOW_DOWN):
            impatient.commit("b", "a", lambda _: None)
        return "done"

    assert KeyLocks(dir_fd).commit("b", "a/b", step) == "done"
    assert begun == 2


def test_commit_whose_keys_share_a_shard_does_not_wait_for_itself(dir_fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SHARDS", 1)

    def step(lock_key: LockKey) -> str:
        with lock_key("a"):
            return "done"

    assert KeyLocks(dir_fd, patience_seconds=0).commit("b", "a/b", step) == "done"


def test_commits_that_want_each_other_s_key_both_end(dir_fd: int) -> None:
    both_inside = threading.Barrier(2, timeout=5)
    done: list[str] = []

    def commit(mine: str, other: str) -> None:
        is_first = True

        def step(lock_key: LockKey) -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                both_inside.wait()  # each holds its own key now
            with lock_key(other):
                done.append(mine)

        KeyLocks(dir_fd).commit("b", mine, step)

    run_together(lambda: commit("one", "two"), lambda: commit("two", "one"))
    assert sorted(done) == ["one", "two"]
