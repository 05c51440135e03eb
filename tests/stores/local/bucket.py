"""A bucket's directory under test, and the keys that S3 allows as hypothesis draws them."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

from s3proxy.s3.model import ETag, Key, ListedObject, ListPage, ListQuery
from s3proxy.stores.local import listing, tree


class BucketDirectory:
    """A bucket below ``root`` with a place for temporaries beside it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "bucket"
        self.staging = root / "staging"
        self.path.mkdir(parents=True)
        self.staging.mkdir()
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        self.staging_fd = os.open(self.staging, os.O_RDONLY | os.O_DIRECTORY)
        self.locked: list[str] = []

    def close(self) -> None:
        os.close(self.fd)
        os.close(self.staging_fd)

    @contextlib.contextmanager
    def lock_key(self, key: str) -> Iterator[None]:
        self.locked.append(key)
        yield

    def temporary(self, content: bytes, name: str = "temporary") -> tree.Place:
        (self.staging / name).write_bytes(content)
        return self.staging_fd, name

    def put(self, key: str, content: bytes | None = None, *, replace: bool = True, sync: bool = False) -> None:
        temporary = self.temporary(key.encode() if content is None else content)
        tree.publish(self.fd, Key(key), temporary, lock_key=self.lock_key, replace=replace, sync=sync)

    def get(self, key: str) -> bytes | None:
        try:
            fd, status = tree.open_object(self.fd, Key(key))
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as file:
            assert stat.S_ISREG(status.st_mode)
            return file.read()

    def remove(self, key: str) -> bool:
        return tree.remove(self.fd, Key(key), sync=False)

    def page(self, query: ListQuery) -> ListPage:
        return listing.list_page(self.fd, query, describe)

    def listed(self) -> list[str]:
        return [entry.key for entry in self.page(ListQuery()).objects]


def describe(key: Key, dir_fd: int, name: str) -> ListedObject | None:
    try:
        status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return ListedObject(key=key, size=status.st_size, etag=ETag("-"), last_modified_ns=status.st_mtime_ns)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


_characters = st.characters(codec="utf-8", exclude_characters="/")
_segments = st.one_of(
    st.sampled_from(
        ["", ".", "..", "a", "b", "a!", "a0", ".%", ".%f", ".%fa", ".%da", ".%l", "%", "%25", "\0", "é" * 130]
    ),
    st.sampled_from([120, 121, 239, 240, 241, 252, 253, 254, 255, 256, 300, 500]).map(lambda length: "L" * length),
    st.text(_characters, max_size=6),
    st.text(st.sampled_from("L\0%é😀."), min_size=60, max_size=260),
)
allowed_keys = (
    st.lists(_segments, min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda key: 1 <= len(key.encode()) <= 1024)
    .map(Key)
)
