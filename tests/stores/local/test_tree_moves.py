"""A key beside the keys below it: the object moves to its second place, and can be read at every moment."""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3proxy.s3.model import Key
from s3proxy.stores.local import syscalls, tree
from tests.stores.local.bucket import BucketDirectory, open_descriptors


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[BucketDirectory]:
    made = BucketDirectory(tmp_path)
    before = open_descriptors()
    yield made
    assert open_descriptors() == before
    made.close()


@pytest.fixture
def without_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_link", failing(errno.EPERM))


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories synced so far, below the bucket."""
    paths: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: paths.append(os.readlink(f"/proc/self/fd/{fd}").partition("bucket")[2]))
    return paths


def test_publish_that_moves_an_object_syncs_its_second_place_before_the_first_goes(
    bucket: BucketDirectory, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("x/a")
    real = syscalls.rename_exchange

    def exchange(source: tree.Place, target: tree.Place) -> None:
        synced.append("exchange")
        real(source, target)

    monkeypatch.setattr(syscalls, "rename_exchange", exchange)
    bucket.put("x/a/b", sync=True)
    assert synced == ["/x", "exchange", "/x", "/x/a"]


def test_publish_below_an_object_moves_it_to_its_second_place(bucket: BucketDirectory) -> None:
    bucket.put("x/a", b"file")
    bucket.put("x/a/b/c", b"below")
    assert (bucket.get("x/a"), bucket.get("x/a/b/c")) == (b"file", b"below")
    assert sorted(os.listdir(bucket.path / "x")) == [".%fa", "a"]
    assert bucket.locked == ["x/a"]
    assert not os.listdir(bucket.staging)


@pytest.mark.usefixtures("without_hard_links")
def test_publish_below_an_object_works_where_links_are_forbidden(bucket: BucketDirectory) -> None:
    bucket.put("a", b"file")
    bucket.put("a/b", b"below")
    assert (bucket.get("a"), bucket.get("a/b")) == (b"file", b"below")
    assert not os.listdir(bucket.staging)


def test_publish_below_an_object_works_where_names_cannot_be_exchanged(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "rename_exchange", failing(errno.EINVAL))
    bucket.put("a", b"file")
    bucket.put("a/b", b"below")
    assert (bucket.get("a"), bucket.get("a/b")) == (b"file", b"below")
    assert not os.listdir(bucket.staging)


@pytest.mark.parametrize("length", [252, 253, 255])
def test_publish_below_an_object_with_a_long_name_moves_it(bucket: BucketDirectory, length: int) -> None:
    name = "L" * length
    bucket.put(name, b"file")
    bucket.put(f"{name}/b", b"below")
    assert (bucket.get(name), bucket.get(f"{name}/b")) == (b"file", b"below")
    assert bucket.listed() == [name, f"{name}/b"]


def test_publish_keeps_a_moved_object_where_it_is_until_it_is_removed(bucket: BucketDirectory) -> None:
    # A listing relies on it: a key moves at most once while it exists.
    bucket.put("a/b")
    bucket.put("a", b"one")
    bucket.remove("a/b")
    bucket.put("a", b"two")
    assert os.listdir(bucket.path) == [".%fa"]
    assert bucket.remove("a")
    bucket.put("a", b"three")
    assert os.listdir(bucket.path) == ["a"]


def test_publish_where_a_program_wrote_the_plain_place_drops_the_second(bucket: BucketDirectory) -> None:
    bucket.put("a/b")
    bucket.put("a", b"hidden")
    bucket.remove("a/b")
    (bucket.path / "a").write_bytes(b"program")
    assert bucket.get("a") == b"program"
    bucket.put("a", b"new")
    assert os.listdir(bucket.path) == ["a"]
    assert bucket.get("a") == b"new"


def test_publish_below_a_file_that_hides_an_older_one_keeps_the_newer(bucket: BucketDirectory) -> None:
    (bucket.path / ".%fa").write_bytes(b"older")
    (bucket.path / "a").write_bytes(b"newer")
    bucket.put("a/b")
    assert bucket.get("a") == b"newer"


def test_publish_below_an_object_that_a_program_replaces_meanwhile_keeps_the_newer(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = syscalls.rename_exchange

    def replaced(source: tree.Place, target: tree.Place) -> None:
        (bucket.staging / "program").write_bytes(b"newer")
        os.replace(bucket.staging / "program", bucket.path / "a")
        real(source, target)

    bucket.put("a", b"older")
    monkeypatch.setattr(syscalls, "rename_exchange", replaced)
    bucket.put("a/b")
    assert bucket.get("a") == b"newer"
    assert not os.listdir(bucket.staging)


def test_publish_below_an_object_that_a_program_makes_a_directory_meanwhile_keeps_what_is_in_it(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, replacements = syscalls.rename_exchange, iter([1])

    def replaced(source: tree.Place, target: tree.Place) -> None:
        for _ in replacements:
            (bucket.path / "a").unlink()
            (bucket.path / "a").mkdir()
            (bucket.path / "a" / "program").write_bytes(b"new")
        real(source, target)

    bucket.put("a")
    monkeypatch.setattr(syscalls, "rename_exchange", replaced)
    bucket.put("a/b")
    assert (bucket.get("a/program"), bucket.get("a/b")) == (b"new", b"a/b")
    assert not os.listdir(bucket.staging)


def test_publish_whose_second_lock_is_refused_has_changed_nothing(bucket: BucketDirectory) -> None:
    bucket.put("x/a", b"file")

    def refuse(_: str) -> contextlib.AbstractContextManager[None]:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        tree.publish(bucket.fd, Key("x/a/b"), bucket.temporary(b"below"), lock_key=refuse)
    assert os.listdir(bucket.path / "x") == ["a"]
    assert os.listdir(bucket.staging) == ["temporary"]


def test_publish_below_a_file_that_is_no_key_raises_not_a_directory(bucket: BucketDirectory) -> None:
    (bucket.path / ".%d..").write_bytes(b"no key")
    with pytest.raises(NotADirectoryError):
        bucket.put("../b")


def test_publish_where_a_program_made_a_directory_of_an_escaped_name_raises_is_a_directory(
    bucket: BucketDirectory,
) -> None:
    (bucket.path / ".%f..").mkdir()
    with pytest.raises(IsADirectoryError):
        bucket.put("..")
    assert os.listdir(bucket.staging) == ["temporary"]


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(1, 20))
def test_publish_killed_at_any_step_loses_nothing(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    bucket.put("x/a", b"file")
    steps = iter(range(1, step + 1))
    failed = False

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def died(*arguments: object, **named: object) -> object:
            nonlocal failed
            if next(steps, step) == step:
                failed = True
                raise KilledError
            return call(*arguments, **named)

        return died

    with monkeypatch.context() as patch:
        for name in ("mkdir", "rename", "link", "unlink", "fsync", "rmdir"):
            patch.setattr(os, name, dying(getattr(os, name)))
        patch.setattr(syscalls, "rename_exchange", dying(syscalls.rename_exchange))
        with contextlib.suppress(KilledError):
            bucket.put("x/a/b", b"below", sync=True)
    assert bucket.get("x/a") == b"file"
    below = bucket.get("x/a/b")
    assert below == b"below" or (failed and below is None)
    assert bucket.listed() == ["x/a"] + ["x/a/b"] * (below is not None)
    for leftover in bucket.staging.iterdir():
        leftover.rmdir() if leftover.is_dir() else leftover.unlink()
    bucket.put("x/a/b", b"again")
    assert (bucket.get("x/a"), bucket.get("x/a/b")) == (b"file", b"again")


def test_an_object_can_be_read_at_every_moment_while_keys_below_it_come_and_go(bucket: BucketDirectory) -> None:
    bucket.put("a", b"always")
    is_done = threading.Event()

    def write() -> None:
        for round_number in range(150):
            bucket.put("a/b")
            bucket.remove("a/b")
            if round_number % 2:  # back to the plain place, as a program would
                os.rename(bucket.path / ".%fa", bucket.path / "a")
        is_done.set()

    writer = threading.Thread(target=write)
    writer.start()
    missing = 0
    while not is_done.is_set():
        # Only the program's rename can come between the looks at the two places.
        missing += bucket.get("a") is None and bucket.get("a") is None
    writer.join()
    assert missing == 0
