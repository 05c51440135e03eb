import os
import threading

import pytest

from s3proxy.cache.counters import Counter
from s3proxy.cache.shared import SharedWords


def attach(shared: SharedWords, worker: int) -> SharedWords:
    return SharedWords.attach(os.dup(shared.fd), worker)


def test_stamp_changes_with_a_bump_of_the_key_and_never_returns(shared: SharedWords) -> None:
    seen = {shared.stamp("bucket", "key")}
    for _ in range(100):
        shared.bump("bucket", "key")
        seen.add(shared.stamp("bucket", "key"))
    assert len(seen) == 101


def test_bump_of_another_key_leaves_the_stamp(shared: SharedWords) -> None:
    before = shared.stamp("bucket", "key")
    shared.bump("bucket", "other")
    shared.bump("other", "key")
    assert shared.stamp("bucket", "key") == before


def test_bump_of_a_bucket_changes_the_stamps_of_its_keys_only(shared: SharedWords) -> None:
    keys = [("bucket", "a"), ("bucket", "b\udcff"), ("other", "a")]
    before = [shared.stamp(*key) for key in keys]
    shared.bump_bucket("bucket")
    assert [shared.stamp(*key) == stamp for key, stamp in zip(keys, before, strict=True)] == [False, False, True]


def test_stamps_and_counts_are_those_of_all_workers(shared: SharedWords) -> None:
    workers = [attach(shared, 0), attach(shared, 1)]
    workers[0].bump("bucket", "key")
    for worker in (*workers, shared):
        worker.add(Counter.HITS)
        worker.add(Counter.MISSES, 10)
    assert workers[1].stamp("bucket", "key") == shared.stamp("bucket", "key") != 0
    assert [worker.total(Counter.HITS) for worker in (*workers, shared)] == [3, 3, 3]
    assert shared.total(Counter.MISSES) == 30
    for worker in workers:
        worker.close()


def test_worker_that_replaces_another_goes_on_from_its_counts(shared: SharedWords) -> None:
    for _ in range(2):
        worker = attach(shared, 0)
        worker.add(Counter.FILLS, 5)
        worker.close()
    assert shared.total(Counter.FILLS) == 10


def test_counts_of_many_threads_are_all_there(shared: SharedWords) -> None:
    def count() -> None:
        for _ in range(2000):
            shared.add(Counter.HITS)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.total(Counter.HITS) == 8000


def test_column_may_be_negative(shared: SharedWords) -> None:
    shared.add_own(100, -5)
    shared.add_own(100, 2)
    assert shared.column_sum(100) == -3
    shared.clear_own(100)
    assert shared.column_sum(100) == 0


@pytest.mark.parametrize("worker", [-1, 3])
def test_worker_beyond_those_there_are_is_refused(shared: SharedWords, worker: int) -> None:
    fd = os.dup(shared.fd)
    with pytest.raises(ValueError, match="worker"):
        SharedWords.attach(fd, worker)
    os.close(fd)
