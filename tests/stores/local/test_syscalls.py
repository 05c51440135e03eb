"""openat2 and renameat2, and what stands in for them."""

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.stores.local import syscalls
from tests.stores.local.bucket import open_descriptors


@pytest.fixture(params=["openat2", "walk"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "walk":
        monkeypatch.setattr(syscalls, "_has_openat2", lambda: False)
    elif not syscalls._has_openat2():
        pytest.skip("this kernel has no openat2")
    return str(request.param)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "inside" / "deep").mkdir(parents=True)
    (tmp_path / "inside" / "deep" / "file").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    fd = os.open(tmp_path / "inside", os.O_RDONLY)
    before = open_descriptors()
    yield fd
    assert open_descriptors() == before
    os.close(fd)


def read(dir_fd: int, path: str | bytes) -> bytes:
    with os.fdopen(syscalls.open_beneath(dir_fd, path, os.O_RDONLY), "rb") as file:
        assert not os.get_inheritable(file.fileno())
        return file.read()


@pytest.mark.parametrize("path", ["deep/file", b"deep/file", "deep//file", "./deep/./file"])
def test_open_beneath_a_file_inside_is_opened(directory: int, path: str | bytes) -> None:
    assert read(directory, path) == b"content"


def test_open_beneath_creates_with_the_mode_that_is_asked_for(directory: int) -> None:
    fd = syscalls.open_beneath(directory, "deep/new", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    assert os.fstat(fd).st_mode & 0o777 == 0o600
    os.close(fd)


def test_open_beneath_the_directory_itself_is_a_dot(directory: int) -> None:
    fd = syscalls.open_beneath(directory, ".", os.O_RDONLY | os.O_DIRECTORY)
    assert os.listdir(fd) == ["deep"]
    os.close(fd)


def refusal(dir_fd: int, path: str, flags: int = os.O_RDONLY) -> int | None:
    """The errno with which an open is refused; None when it is not."""
    try:
        os.close(syscalls.open_beneath(dir_fd, path, flags, 0o600 if flags & os.O_CREAT else 0))
    except OSError as error:
        return error.errno
    return None


# gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg: paths that leave the directory.
@pytest.mark.parametrize("path", ["..", "../secret", "deep/../../secret", "/etc/passwd", "/"])
def test_open_beneath_a_path_that_leaves_is_refused(directory: int, path: str) -> None:
    assert refusal(directory, path) == errno.EXDEV


@pytest.mark.parametrize("target", ["../secret", "deep/file", "/etc/passwd"])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_PATH, os.O_WRONLY | os.O_CREAT])
def test_open_beneath_a_symbolic_link_is_refused(directory: int, target: str, flags: int) -> None:
    os.symlink(target, "link", dir_fd=directory)
    assert refusal(directory, "link", flags) in syscalls.ABSENT


@pytest.mark.parametrize("target", ["..", "deep", "/etc"])
def test_open_beneath_a_symbolic_link_on_the_way_is_refused(directory: int, target: str) -> None:
    os.symlink(target, "link", dir_fd=directory)
    for path in ("link/file", "link/secret", "link/passwd"):
        assert refusal(directory, path) in syscalls.ABSENT


def test_open_beneath_a_magic_link_of_proc_is_refused() -> None:
    proc = os.open("/proc/self", os.O_RDONLY)
    refused = refusal(proc, "root/etc/passwd")
    os.close(proc)
    assert refused in syscalls.ABSENT


def test_open_beneath_a_nul_does_not_end_the_path(directory: int) -> None:
    with pytest.raises(ValueError, match="null"):
        syscalls.open_beneath(directory, "deep/file\0.jpg", os.O_RDONLY)


def test_open_beneath_what_is_not_there_is_a_file_not_found_error(directory: int) -> None:
    for path in ("none", "deep/none", "none/file"):
        with pytest.raises(FileNotFoundError):
            syscalls.open_beneath(directory, path, os.O_RDONLY)


def test_open_beneath_a_file_as_a_parent_is_a_not_a_directory_error(directory: int) -> None:
    with pytest.raises(NotADirectoryError):
        syscalls.open_beneath(directory, "deep/file/x", os.O_RDONLY)


def test_open_beneath_what_moves_away_meanwhile_is_there_or_absent(directory: int, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside" / "moving", tmp_path / "outside"
    inside.write_bytes(b"")
    is_over = threading.Event()

    def move() -> None:
        while not is_over.is_set():
            inside.rename(outside)
            outside.rename(inside)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for _ in range(20_000):
            with contextlib.suppress(FileNotFoundError):
                os.close(syscalls.open_beneath(directory, "moving", os.O_RDONLY))
    finally:
        is_over.set()
        mover.join()


def test_open_beneath_a_path_longer_than_the_kernel_takes_is_walked(directory: int) -> None:
    name = "d" * 250
    fd = os.dup(directory)
    for _ in range(20):
        os.mkdir(name, dir_fd=fd)
        child = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    path = "/".join([name] * 20 + ["file"])
    assert len(path) > 4096
    assert read(directory, path) == b""


def test_open_beneath_cached_opens_what_is_in_memory(directory: int, way: str) -> None:
    read(directory, "deep/file")
    try:
        fd = syscalls.open_beneath(directory, "deep/file", os.O_RDONLY, cached=True)
    except BlockingIOError:
        assert way == "walk"
    else:
        os.close(fd)


def test_open_beneath_cached_on_a_kernel_without_it_would_block(
    directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    monkeypatch.setattr(syscalls, "_openat2", refuse)
    with pytest.raises(BlockingIOError):
        syscalls.open_beneath(directory, "deep/file", os.O_RDONLY, cached=True)


def test_open_beneath_interrupted_by_a_signal_tries_again(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = syscalls._openat2
    interruptions = iter([errno.EINTR, errno.EINTR])

    def interrupted(*arguments: object) -> int:
        for number in interruptions:
            ctypes.set_errno(number)
            return -1
        return real(*arguments)

    monkeypatch.setattr(syscalls, "_openat2", interrupted)
    assert read(directory, "deep/file") == b"content"


def test_has_openat2_where_a_filter_forbids_it_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> int:
        ctypes.set_errno(errno.EPERM)
        return -1

    monkeypatch.undo()
    monkeypatch.setattr(syscalls, "_openat2", forbid)
    assert not syscalls._has_openat2.__wrapped__()


def test_rename_exchange_swaps_a_file_and_a_directory(directory: int) -> None:
    os.close(os.open("file", os.O_CREAT, dir_fd=directory))
    syscalls.rename_exchange((directory, "file"), (directory, "deep"))
    assert read(directory, "file/file") == b"content"


def test_rename_exchange_with_nothing_is_a_file_not_found_error(directory: int) -> None:
    with pytest.raises(FileNotFoundError):
        syscalls.rename_exchange((directory, "none"), (directory, "deep"))


@pytest.mark.parametrize("has_renameat2", [True, False])
@pytest.mark.parametrize("is_directory", [True, False])
def test_rename_noreplace_moves_only_to_a_free_name(
    directory: int, monkeypatch: pytest.MonkeyPatch, has_renameat2: bool, is_directory: bool
) -> None:
    if not has_renameat2:
        monkeypatch.setattr(syscalls, "_renameat2", lambda *_: ctypes.set_errno(errno.EINVAL) or -1)
    for name in ("one", "two"):
        if is_directory:
            os.mkdir(name, dir_fd=directory)
        else:
            os.close(os.open(name, os.O_CREAT, dir_fd=directory))
    with pytest.raises(FileExistsError):
        syscalls.rename_noreplace((directory, "one"), (directory, "two"))
    syscalls.rename_noreplace((directory, "one"), (directory, "three"))
    assert sorted(os.listdir(directory)) == ["deep", "three", "two"]


def test_rename_a_nul_does_not_end_the_name(directory: int) -> None:
    with pytest.raises(ValueError, match="null"):
        syscalls.rename_noreplace((directory, "deep\0x"), (directory, "y"))
