import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from s3proxy.s3.model import ETag, Key, ObjectInfo, ObjectMetadata
from s3proxy.stores.local import metadata, records
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.records import HiddenFiles, Records
from s3proxy.stores.local.staging import Staging

LARGE = {f"{number}": "x" * 1000 for number in range(10)}
OWNER = ("bucket", "key")


class File:
    """A file with bytes in it, and the hidden files beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path / "file"
        self.path.write_bytes(b"data")
        self.dir_fd = os.open(path, os.O_RDONLY)
        self.fd = os.open(self.path, os.O_RDWR)
        for name in ("tmp", "hidden"):
            (path / name).mkdir()
        self.tmp_fd = os.open(path / "tmp", os.O_RDONLY)
        self.hidden_path = path / "hidden"
        self.hidden_fd = os.open(self.hidden_path, os.O_RDONLY)
        self.staging = Staging(self.tmp_fd, sync=True)
        self.hidden = HiddenFiles(self.hidden_fd, self.staging)

    def record(self, tags: dict[str, str]) -> Record:
        status = os.fstat(self.fd)
        info = ObjectInfo(
            size=status.st_size,
            etag=ETag("etag"),
            last_modified_ns=status.st_mtime_ns,
            metadata=ObjectMetadata(content_type="a/b"),
            tag_count=len(tags),
        )
        return Record(info=info, tags=tags)

    def save(self, tags: dict[str, str]) -> Record:
        record = self.record(tags)
        records.save(self.fd, record, self.hidden, OWNER)
        return record

    def load(self) -> Record:
        return records.load(self.fd, os.fstat(self.fd), self.hidden)[0]

    def close(self) -> None:
        self.staging.close()
        for fd in (self.fd, self.dir_fd, self.tmp_fd, self.hidden_fd):
            os.close(fd)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("tags", [{}, {"a": "b"}, LARGE], ids=["none", "few", "many"])
def test_load_gives_what_was_saved(file: File, tags: dict[str, str]) -> None:
    record = file.save(tags)
    assert file.load() == record


@pytest.mark.parametrize("tags", [{"a": "b"}, LARGE], ids=["few", "many"])
def test_load_without_attributes_gives_what_was_saved(
    without_attributes: None, file: File, tags: dict[str, str]
) -> None:
    record = file.save(tags)
    assert file.load() == record


def test_small_record_needs_no_hidden_file(file: File) -> None:
    file.save({"a": "b"})
    assert list(file.hidden_path.iterdir()) == []


def test_record_that_grows_and_shrinks_is_the_last_one(file: File) -> None:
    for tags in ({"a": "b"}, LARGE, {"c": "d"}, LARGE | {"0": "new"}, {}):
        record = file.save(tags)
        assert file.load() == record


def test_changed_file_has_no_record(file: File) -> None:
    file.save({"a": "b"})
    os.write(file.fd, b"longer than before")
    assert file.load() == metadata.unrecorded(os.fstat(file.fd))


def test_changed_file_without_attributes_has_no_record(without_attributes: None, file: File) -> None:
    file.save({"a": "b"})
    os.utime(file.fd, ns=(0, 10**18))
    assert file.load() == metadata.unrecorded(os.fstat(file.fd))


def test_hidden_file_of_another_write_does_not_count(file: File) -> None:
    file.save(LARGE)
    (hidden,) = file.hidden_path.iterdir()
    hidden.write_bytes(hidden.read_bytes().replace(b'"etag"', b'"other"'))
    assert file.load() == metadata.unrecorded(os.fstat(file.fd))


def test_missing_hidden_file_leaves_what_the_file_tells(file: File) -> None:
    file.save(LARGE)
    (hidden,) = file.hidden_path.iterdir()
    hidden.unlink()
    assert file.load() == metadata.unrecorded(os.fstat(file.fd))


def test_cached_load_refuses_to_open_a_hidden_file(file: File) -> None:
    record = file.save(LARGE)
    cached = Records(file.hidden, clock_ns=lambda: os.fstat(file.fd).st_ctime_ns + 10**9)
    with pytest.raises(BlockingIOError):
        cached.load(file.fd, os.fstat(file.fd), cached=True)
    assert cached.load(file.fd, os.fstat(file.fd)) == record
    assert cached.load(file.fd, os.fstat(file.fd), cached=True) == record  # from memory now


def test_record_read_right_after_a_change_is_not_kept(file: File) -> None:
    file.save({"a": "b"})
    cached = Records(file.hidden, clock_ns=lambda: os.fstat(file.fd).st_ctime_ns + 10**6)
    before = os.fstat(file.fd)
    cached.load(file.fd, before)
    record = file.save({"a": "changed in the same tick of the clock"})
    assert cached.load(file.fd, before) == record


@pytest.mark.parametrize("tags", [{"a": "new"}, LARGE | {"0": "new"}], ids=["few", "many"])
def test_kept_record_is_not_used_after_a_change(file: File, tags: dict[str, str]) -> None:
    file.save(LARGE)
    cached = Records(file.hidden, clock_ns=lambda: os.fstat(file.fd).st_ctime_ns + 10**9)
    cached.load(file.fd, os.fstat(file.fd))
    time.sleep(0.02)  # until the file system's clock has ticked
    record = file.save(tags)
    assert cached.load(file.fd, os.fstat(file.fd)) == record


def test_kept_record_is_not_used_after_a_change_without_attributes(without_attributes: None, file: File) -> None:
    file.save({"a": "b"})
    cached = Records(file.hidden, clock_ns=lambda: os.fstat(file.fd).st_ctime_ns + 10**9)
    cached.load(file.fd, os.fstat(file.fd))
    record = file.save({"a": "new"})
    assert cached.load(file.fd, os.fstat(file.fd)) == record


@pytest.mark.parametrize("tags", [{}, LARGE], ids=["none", "many"])
def test_describe_lists_what_load_gives(file: File, tags: dict[str, str]) -> None:
    info = file.save(tags).info
    listed = Records(file.hidden).describe(Key("key"), file.dir_fd, "file")
    assert listed is not None
    assert (listed.key, listed.size, listed.etag) == ("key", info.size, info.etag)
    assert listed.last_modified_ns == info.last_modified_ns


def test_describe_of_a_changed_file_lists_a_fresh_etag(file: File) -> None:
    file.save({})
    os.write(file.fd, b"changed")
    listed = Records(file.hidden).describe(Key("key"), file.dir_fd, "file")
    assert listed == metadata.unrecorded_listed(Key("key"), os.fstat(file.fd))


def test_describe_of_what_is_no_file_is_none(file: File, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "hidden", "missing"):
        assert Records(file.hidden).describe(Key("key"), file.dir_fd, name) is None


def test_describe_of_a_file_replaced_meanwhile_lists_one_of_both(
    file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.save({})
    newer = tmp_path / "newer"
    newer.write_bytes(b"other")
    fd = os.open(newer, os.O_RDWR)
    status = os.fstat(fd)
    info = replace(file.record({}).info, size=5, etag=ETag("new"), last_modified_ns=status.st_mtime_ns)
    records.save(fd, Record(info=info), file.hidden, OWNER)
    os.close(fd)
    getxattr = os.getxattr

    def replace_first(*args: str, follow_symlinks: bool) -> bytes:
        if newer.exists():
            newer.rename(file.path)
        return getxattr(*args, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "getxattr", replace_first)
    listed = Records(file.hidden).describe(Key("key"), file.dir_fd, "file")
    assert listed is not None
    assert (listed.etag, listed.size) == ("new", 5)


def test_leftovers_removes_only_old_records_of_files_that_are_gone(file: File) -> None:
    file.save(LARGE)
    (hidden,) = file.hidden_path.iterdir()
    seen: list[tuple[str, str, int]] = []

    def is_current(bucket: str, key: str, inode: int) -> bool:
        seen.append((bucket, key, inode))
        return len(seen) == 1

    written_ns = hidden.stat().st_mtime_ns
    for older_than_ns, is_left in ((written_ns, True), (written_ns + 1, True), (written_ns + 1, False)):
        assert list(file.hidden.leftovers(older_than_ns=older_than_ns, is_current=is_current)) == [hidden.name]
        assert hidden.exists() is is_left
    assert seen == [(*OWNER, os.fstat(file.fd).st_ino)] * 2


def test_leftovers_steps_over_what_it_does_not_know(file: File) -> None:
    (file.hidden_path / "README").write_text("not ours")
    assert list(file.hidden.leftovers(older_than_ns=2**63, is_current=lambda *_: False)) == ["README"]
    assert (file.hidden_path / "README").exists()
