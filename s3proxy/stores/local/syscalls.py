"""Linux system calls that Python does not wrap: openat2 and renameat2.

Every path is resolved strictly below a directory descriptor and no symbolic link is ever followed, not even one that
appears while the path is resolved.
"""

import ctypes
import errno
import functools
import os
import platform
import stat
from collections.abc import Callable

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_CACHED = 0x20
_RESOLVE = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS

_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2

_OPENAT2 = 437  # the same on every architecture
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV})
"""What the kernel says where there is no file or directory of ours: nothing at all, a file as a parent, a symbolic
link, a name that this file system cannot hold, a socket or a device without a driver."""

_TRIES = 100  # to open what is moved out at the very moment, and then is there again or is not

_PATH_MAX = 4095  # bytes of one path that the kernel takes, without its NUL

_libc = ctypes.CDLL(None, use_errno=True)


_OpenHow = ctypes.c_uint64 * 3  # flags, mode, resolve


def _bind_openat2() -> Callable[..., int]:
    # A function pointer of its own: the argument types differ from renameat2's.
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    call.restype = ctypes.c_long
    return call


_openat2 = _bind_openat2()
_HOW_SIZE = ctypes.sizeof(_OpenHow)


@functools.cache
def _how(flags: int, mode: int, resolve: int) -> "ctypes.Array[ctypes.c_uint64]":
    # The kernel only reads it, so all threads share one; a handful of combinations exist.
    return _OpenHow(flags, mode, resolve)


@functools.cache
def _has_openat2() -> bool:
    """Whether the kernel has openat2 and no seccomp filter forbids it (some answer EPERM, not ENOSYS)."""
    try:
        os.close(_open_by_openat2(-100, b"/", _how(os.O_PATH | os.O_CLOEXEC, 0, 0)))  # -100: AT_FDCWD
    except OSError:
        return False
    return True


def _open_by_openat2(dir_fd: int, path: bytes, how: "ctypes.Array[ctypes.c_uint64]") -> int:
    tries = _TRIES
    while True:
        fd = _openat2(_OPENAT2, dir_fd, path, ctypes.addressof(how), _HOW_SIZE)
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        tries -= 1
        if number != errno.EINTR and (number != errno.EXDEV or tries <= 0 or _leaves(path)):
            raise OSError(number, os.strerror(number), os.fsdecode(path))


def _leaves(path: bytes) -> bool:
    """Whether a path may lead out of the directory; if not, EXDEV says that what it names was just moved out of it."""
    return path.startswith(b"/") or b".." in path.split(b"/")


def _open_component(dir_fd: int, name: bytes, flags: int, mode: int) -> int:
    fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=dir_fd)
    # O_PATH with O_NOFOLLOW opens the link itself; openat2 does so only for a caller that asked for both.
    if flags & os.O_PATH and not flags & os.O_NOFOLLOW and stat.S_ISLNK(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(name))
    return fd


def _open_by_walk(dir_fd: int, path: bytes, flags: int, mode: int) -> int:
    """Open component after component, each relative to the descriptor of the one before."""
    *parents, last = [name for name in path.split(b"/") if name not in {b"", b"."}] or [b"."]
    if path.startswith(b"/") or b".." in (*parents, last):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), os.fsdecode(path))
    fd = dir_fd
    try:
        for name in parents:
            parent, fd = fd, _open_component(fd, name, os.O_PATH | os.O_DIRECTORY, 0)
            if parent != dir_fd:
                os.close(parent)
        return _open_component(fd, last, flags, mode)
    finally:
        if fd != dir_fd:
            os.close(fd)


def open_beneath(dir_fd: int, path: str | bytes, flags: int, mode: int = 0, *, cached: bool = False) -> int:
    """Open ``path`` strictly below ``dir_fd`` without following any symbolic link.

    With O_PATH and O_NOFOLLOW a link in the last place is opened itself, as by ``os.open``; any other is refused.
    A ``..`` that leaves the directory and an absolute path are refused (EXDEV). A path longer than the kernel takes is
    walked. Without openat2 every path is walked, and then any ``..`` is refused.

    Args:
        dir_fd: the directory that is not left.
        path: relative path; ``.`` is the directory itself.
        flags: as of ``os.open``; O_CLOEXEC is added.
        mode: of a file that is created.
        cached: do it only if no I/O is needed to resolve the path.

    Returns:
        The descriptor, which the caller closes.

    Raises:
        BlockingIOError: ``cached``, and the kernel would have to wait, or cannot tell.
        OSError: by errno; a symbolic link is ELOOP or ENOTDIR.
    """
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")  # it would end the path where nobody authorised it to end
    if not _has_openat2() or len(encoded) > _PATH_MAX:
        if cached:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), os.fsdecode(encoded))
        return _open_by_walk(dir_fd, encoded, flags, mode)
    if not cached:
        return _open_by_openat2(dir_fd, encoded, _how(flags | os.O_CLOEXEC, mode, _RESOLVE))
    try:
        return _open_by_openat2(dir_fd, encoded, _how(flags | os.O_CLOEXEC, mode, _RESOLVE | _RESOLVE_CACHED))
    except OSError as error:
        if error.errno == errno.EINVAL:  # Linux before 5.12 does not know RESOLVE_CACHED
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), error.filename) from error
        raise


def _bind_renameat2() -> Callable[..., int]:
    arguments = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    try:
        call = _libc.renameat2
    except AttributeError:  # musl before 1.2.6
        call = _libc.syscall
        call.argtypes = (ctypes.c_long, *arguments)
        return functools.partial(call, _RENAMEAT2[platform.machine()])
    call.argtypes = arguments
    return call


_renameat2 = _bind_renameat2()


def _rename(source: tuple[int, str], target: tuple[int, str], flags: int) -> None:
    names = os.fsencode(source[1]), os.fsencode(target[1])
    if any(b"\0" in name for name in names):
        raise ValueError("embedded null byte")
    while _renameat2(source[0], names[0], target[0], names[1], flags) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number), source[1], None, target[1])


def rename_exchange(source: tuple[int, str], target: tuple[int, str]) -> None:
    """Swap two names, each a directory descriptor and a name in it, in one step.

    Raises:
        OSError: EINVAL where the file system cannot.
    """
    _rename(source, target, _RENAME_EXCHANGE)


def rename_noreplace(source: tuple[int, str], target: tuple[int, str]) -> None:
    """Rename a file or directory unless the target exists; also where the file system has no such rename.

    Raises:
        FileExistsError: the target exists, whatever it is.
    """
    try:
        _rename(source, target, _RENAME_NOREPLACE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        if stat.S_ISDIR(os.stat(source[1], dir_fd=source[0], follow_symlinks=False).st_mode):
            # The name is claimed by an empty directory, which rename may replace.
            os.mkdir(target[1], dir_fd=target[0])
            os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])
        else:
            os.link(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0], follow_symlinks=False)
            os.unlink(source[1], dir_fd=source[0])
