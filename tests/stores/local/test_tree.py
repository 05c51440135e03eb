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


def test_publish_and_remove_without_sync_wait_for_no_disk(bucket: BucketDirectory, synced: list[str]) -> None:
    bucket.put("x/a")
    bucket.put("x/a/b")
    bucket.remove("x/a")
    assert synced == []


def test_remove_syncs_the_directory_that_lost_an_entry(bucket: BucketDirectory, synced: list[str]) -> None:
    bucket.put("x/a")
    tree.remove(bucket.fd, Key("x/a"))
    assert synced == ["/x"]


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
