"""Objects as files: opened without following a link, published whole, moved without a gap, removed without a trace."""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3.model import Key
from s3proxy.stores.local import keys, syscalls, tree
from tests.stores.local.bucket import BucketDirectory, allowed_keys, open_descriptors


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


# What is published can be read, and nothing else


@given(st.sets(allowed_keys, min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_open_object_opens_the_key_that_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, names: set[Key]
) -> None:
    # CVE-2026-42882, CVE-2026-30914: the object that was authorised was not the one that was opened.
    bucket = BucketDirectory(tmp_path_factory.mktemp("keys") / "root")
    *published, other = sorted(names, key=hash)
    for key in published:
        bucket.put(key)
    assert [bucket.get(key) for key in published] == [key.encode() for key in published]
    assert bucket.get(other) is None
    assert all(bucket.remove(key) for key in published)
    assert not os.listdir(bucket.path)
    bucket.close()


def test_publish_an_ordinary_key_makes_the_file_that_a_program_expects(bucket: BucketDirectory) -> None:
    bucket.put("year=2024/part-0.parquet", b"rows")
    assert (bucket.path / "year=2024" / "part-0.parquet").read_bytes() == b"rows"
    assert not os.listdir(bucket.staging)


def test_open_object_finds_what_a_program_wrote(bucket: BucketDirectory) -> None:
    (bucket.path / "logs").mkdir()
    (bucket.path / "logs" / "today").write_bytes(b"line")
    assert bucket.get("logs/today") == b"line"


def test_open_object_gives_the_stat_of_what_it_opened(bucket: BucketDirectory) -> None:
    bucket.put("a", b"12345")
    fd, status = tree.open_object(bucket.fd, Key("a"))
    assert (status.st_size, status.st_ino) == (5, os.fstat(fd).st_ino)
    os.close(fd)


def test_open_object_cached_opens_or_says_that_it_would_block(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a")
    with contextlib.suppress(BlockingIOError):  # it depends on what the kernel has in memory
        os.close(tree.open_object(bucket.fd, Key("a"), cached=True)[0])
    monkeypatch.setattr(syscalls, "_has_openat2", lambda: False)
    with pytest.raises(BlockingIOError):
        tree.open_object(bucket.fd, Key("a"), cached=True)


@pytest.mark.parametrize(
    "key", ["none", "none/x", "file/x", "dir", "dir/", "x" * 300, "x" * 1000, "a/../file", "./file"]
)
def test_open_object_where_no_file_is_raises_file_not_found(bucket: BucketDirectory, key: str) -> None:
    bucket.put("file")
    bucket.put("dir/x")
    with pytest.raises(FileNotFoundError):
        tree.open_object(bucket.fd, Key(key))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_open_object_that_the_server_may_not_read_raises_permission_error(bucket: BucketDirectory) -> None:
    bucket.put("secret")
    (bucket.path / "secret").chmod(0)
    with pytest.raises(PermissionError):
        tree.open_object(bucket.fd, Key("secret"))


def test_open_object_passes_on_that_the_server_may_not(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "open_beneath", failing(errno.EACCES))
    with pytest.raises(PermissionError):
        tree.open_object(bucket.fd, Key("secret"))


# gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg: what leads out of the bucket, or is no file, is no object.


@pytest.mark.parametrize("key", ["link", "links/secret", "../secret", "..", "/etc/passwd", "a/../../secret"])
def test_open_object_never_leaves_the_bucket(bucket: BucketDirectory, tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (bucket.path / "link").symlink_to(tmp_path / "secret")
    (bucket.path / "links").symlink_to(tmp_path)
    (bucket.path / "a").mkdir()
    assert bucket.get(key) is None


@pytest.mark.parametrize("key", ["links/new", "../new", "a/../../new", "/new"])
def test_publish_never_leaves_the_bucket(bucket: BucketDirectory, tmp_path: Path, key: str) -> None:
    (bucket.path / "links").symlink_to(tmp_path)
    with contextlib.suppress(NotADirectoryError):
        bucket.put(key)
        assert bucket.get(key) == key.encode()
    assert sorted(os.listdir(tmp_path)) == ["bucket", "staging"]


def test_publish_below_a_symbolic_link_raises_not_a_directory(bucket: BucketDirectory, tmp_path: Path) -> None:
    (bucket.path / "links").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        bucket.put("links/new")
    assert os.listdir(bucket.staging) == ["temporary"]


@pytest.mark.parametrize("key", ["links/secret", "../secret"])
def test_remove_never_leaves_the_bucket(bucket: BucketDirectory, tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (bucket.path / "links").symlink_to(tmp_path)
    assert not bucket.remove(key)
    assert (tmp_path / "secret").exists()


@pytest.mark.parametrize("kind", ["symlink", "broken symlink", "fifo", "socket"])
def test_a_special_file_at_a_key_is_no_object_and_stays(bucket: BucketDirectory, kind: str) -> None:
    place = bucket.path / "a"
    (bucket.path / "real").write_bytes(b"real")
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(f"/proc/self/fd/{bucket.fd}/a")
        server.close()
    else:
        place.symlink_to("real" if kind == "symlink" else "nowhere")
    before = place.lstat()
    assert bucket.get("a") is None
    assert not bucket.remove("a")
    bucket.put("a", b"object")
    assert bucket.get("a") == b"object"
    assert bucket.listed() == ["a", "real"]
    assert bucket.remove("a")
    assert place.lstat() == before


def test_a_hard_link_is_an_object_of_its_own(bucket: BucketDirectory, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"shared")
    os.link(tmp_path / "outside", bucket.path / "inside")
    assert bucket.get("inside") == b"shared"
    bucket.put("inside", b"new")
    assert (tmp_path / "outside").read_bytes() == b"shared"
    assert bucket.remove("inside")
    assert (tmp_path / "outside").exists()


# Publishing


def test_publish_replaces_the_object_and_leaves_its_readers_the_old_one(bucket: BucketDirectory) -> None:
    bucket.put("a", b"old")
    fd, _ = tree.open_object(bucket.fd, Key("a"))
    bucket.put("a", b"new")
    assert bucket.get("a") == b"new"
    assert os.read(fd, 10) == b"old"
    os.close(fd)


@pytest.mark.parametrize("key", ["a", "dir/", "x/a", "L" * 300])
def test_publish_without_replace_succeeds_once(bucket: BucketDirectory, key: str) -> None:
    bucket.put("a/below")
    bucket.put(key, b"first", replace=False)
    with pytest.raises(FileExistsError):
        bucket.put(key, b"second", replace=False)
    assert bucket.get(key) == b"first"
    assert os.listdir(bucket.staging) == ["temporary"]


def test_publish_without_replace_spares_a_file_that_appears_meanwhile(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = syscalls.rename_noreplace

    def appear(source: tree.Place, target: tree.Place) -> None:
        (bucket.path / "a").write_bytes(b"program")
        real(source, target)

    monkeypatch.setattr(syscalls, "rename_noreplace", appear)
    with pytest.raises(FileExistsError):
        bucket.put("a", replace=False)
    assert bucket.get("a") == b"program"


@pytest.mark.parametrize("replace", [True, False])
def test_publish_when_a_directory_appears_meanwhile_takes_the_second_place(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    def appear(rename: Callable[[tree.Place, tree.Place], None]) -> Callable[[tree.Place, tree.Place], None]:
        def renamed(source: tree.Place, target: tree.Place) -> None:
            (bucket.path / "a").mkdir(exist_ok=True)
            rename(source, target)

        return renamed

    monkeypatch.setattr(tree, "_rename", appear(tree._rename))
    monkeypatch.setattr(syscalls, "rename_noreplace", appear(syscalls.rename_noreplace))
    bucket.put("a", replace=replace)
    assert (bucket.path / ".%fa").read_bytes() == b"a"


def test_publish_when_a_parent_is_pruned_meanwhile_makes_it_again(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, prunes = tree._rename, iter(range(3))

    def prune(source: tree.Place, target: tree.Place) -> None:
        for _ in prunes:
            os.removedirs(bucket.path / "x" / "y")
            bucket.path.mkdir(exist_ok=True)
            break
        real(source, target)

    (bucket.path / "keep").touch()
    monkeypatch.setattr(tree, "_rename", prune)
    bucket.put("x/y/z")
    assert bucket.get("x/y/z") == b"x/y/z"


def test_publish_into_a_bucket_that_was_removed_raises_file_not_found(bucket: BucketDirectory) -> None:
    bucket.path.rmdir()
    with pytest.raises(FileNotFoundError):
        bucket.put("x/y")
    assert os.listdir(bucket.staging) == ["temporary"]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories synced so far, below the bucket."""
    paths: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: paths.append(os.readlink(f"/proc/self/fd/{fd}").partition("bucket")[2]))
    return paths


def test_publish_syncs_every_directory_that_gained_an_entry(bucket: BucketDirectory, synced: list[str]) -> None:
    (bucket.path / "x").mkdir()
    bucket.put("x/y/z/file", sync=True)
    assert synced == ["/x", "/x/y", "/x/y/z"]


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


def test_publish_and_remove_without_sync_wait_for_no_disk(bucket: BucketDirectory, synced: list[str]) -> None:
    bucket.put("x/a")
    bucket.put("x/a/b")
    bucket.remove("x/a")
    assert synced == []


def test_remove_syncs_the_directory_that_lost_an_entry(bucket: BucketDirectory, synced: list[str]) -> None:
    bucket.put("x/a")
    tree.remove(bucket.fd, Key("x/a"))
    assert synced == ["/x"]


# A key beside the keys below it


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


# Removing


@pytest.mark.parametrize("key", ["a", "dir/", "x/y/z", "a//b", "..", "L" * 600, "L" * 600 + "/x"])
def test_remove_leaves_no_trace(bucket: BucketDirectory, key: str) -> None:
    bucket.put(key)
    assert bucket.remove(key)
    assert not bucket.remove(key)
    assert not os.listdir(bucket.path)


def test_remove_prunes_only_what_is_empty(bucket: BucketDirectory) -> None:
    bucket.put("x/y/z")
    bucket.put("x/other")
    bucket.remove("x/y/z")
    assert os.listdir(bucket.path / "x") == ["other"]


def test_remove_what_does_not_exist_leaves_a_programs_empty_directory(bucket: BucketDirectory) -> None:
    (bucket.path / "made").mkdir()
    assert not bucket.remove("made/none")
    assert (bucket.path / "made").is_dir()


def test_remove_takes_both_places_so_that_nothing_comes_back(bucket: BucketDirectory) -> None:
    (bucket.path / ".%fa").write_bytes(b"older")
    (bucket.path / "a").write_bytes(b"newer")
    assert bucket.remove("a")
    assert bucket.get("a") is None
    assert not os.listdir(bucket.path)


def test_remove_beside_writers_neither_fails_nor_loses_their_keys(bucket: BucketDirectory) -> None:
    def churn(name: str) -> None:
        for _ in range(100):
            tree.publish(
                bucket.fd, Key(f"x/y/{name}"), bucket.temporary(b"", name), lock_key=bucket.lock_key, sync=False
            )
            assert bucket.get(f"x/y/{name}") == b""
            assert bucket.remove(f"x/y/{name}")

    failures: list[BaseException] = []

    def run(name: str) -> None:
        try:
            churn(name)
        except BaseException as error:  # a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in "pqr"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not os.listdir(bucket.path)


# A bucket that is to be deleted


def test_is_empty_counts_keys_and_nothing_else(bucket: BucketDirectory) -> None:
    (bucket.path / "x" / "y").mkdir(parents=True)
    (bucket.path / ".%dnot-a-key").mkdir()
    (bucket.path / ".%dnot-a-key" / "file").touch()
    (bucket.path / "link").symlink_to("x")
    os.mkfifo(bucket.path / "x" / "fifo")
    assert tree.is_empty(bucket.fd)
    bucket.put("x/y/z/")
    assert not tree.is_empty(bucket.fd)


@pytest.mark.parametrize("key", ["a", "x/y/z", "..", "a//b", "L" * 600 + "/x"])
def test_is_empty_finds_any_key(bucket: BucketDirectory, key: str) -> None:
    bucket.put(key)
    assert not tree.is_empty(bucket.fd)


def test_clear_empty_removes_directories_of_any_depth(bucket: BucketDirectory) -> None:
    for path in ("a/b/c", "a/d", "e", "caf\udce9", "d/" * 600):
        (bucket.path / path).mkdir(parents=True)
    tree.clear_empty(bucket.fd)
    assert not os.listdir(bucket.path)


def test_clear_empty_leaves_what_is_not_ours(bucket: BucketDirectory) -> None:
    (bucket.path / "x").mkdir()
    (bucket.path / "x" / "link").symlink_to("/etc")
    with pytest.raises(OSError, match="not empty") as caught:
        tree.clear_empty(bucket.fd)
    assert caught.value.errno == errno.ENOTEMPTY
    assert (bucket.path / "x" / "link").is_symlink()


def test_clear_empty_beside_another_that_does_the_same_does_not_fail(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tree._first_directory

    def removed_meanwhile(bucket_fd: int, path: str) -> str | None:
        found = real(bucket_fd, path)
        if path == "x/y":
            os.removedirs(bucket.path / "x" / "y")
        return found

    (bucket.path / "x" / "y").mkdir(parents=True)
    (bucket.path / "keep").mkdir()
    monkeypatch.setattr(tree, "_first_directory", removed_meanwhile)
    tree.clear_empty(bucket.fd)
    assert not os.listdir(bucket.path)


def test_places_that_need_no_escape_are_those_of_a_file_system_program(bucket: BucketDirectory) -> None:
    key = Key("a/b.txt")
    bucket.put(key)
    assert keys.plain_path(key) == os.path.relpath(bucket.path / "a" / "b.txt", bucket.path)
    assert (bucket.path / "a" / "b.txt").is_file()
