import errno
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from s3proxy.s3.model import ByteRange, ChecksumAlgorithm
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.local import copying
from s3proxy.stores.local.copying import PIECE_BYTES, CopyDigest, append_range, pieces_of
from s3proxy.stores.local.staging import Staging, Temporary

DATA = bytes(range(256)) * 8192


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Temporary]:
    (tmp_path / "tmp").mkdir()
    tmp_fd = os.open(tmp_path / "tmp", os.O_RDONLY)
    staging = Staging(tmp_fd, sync=False)
    temporary = staging.create()
    yield temporary
    temporary.discard()
    staging.close()
    os.close(tmp_fd)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "source").write_bytes(DATA)
    fd = os.open(tmp_path / "source", os.O_RDONLY)
    yield fd
    os.close(fd)


def content_of(target: Temporary) -> bytes:
    return os.pread(target.fd, 2 * len(DATA), 0)


def test_append_range_appends_span_after_span(source: int, target: Temporary) -> None:
    for span in (ByteRange(5, 1_500_000), ByteRange(0, 0), ByteRange(0, 5)):
        append_range(source, span, target)
    assert content_of(target) == DATA[5:1_500_000] + DATA[:5]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_append_range_copies_where_the_kernel_cannot(
    source: int, target: Temporary, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    append_range(source, ByteRange(1, len(DATA)), target)
    assert content_of(target) == DATA[1:]


def test_append_range_lets_a_full_disk_show(source: int, target: Temporary, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    with pytest.raises(OSError, match="No space"):
        append_range(source, ByteRange(0, 10), target)


def test_append_range_beyond_the_end_is_unavailable(source: int, target: Temporary) -> None:
    with pytest.raises(StoreUnavailableError):
        append_range(source, ByteRange(0, len(DATA) + 1), target)


def test_append_range_digests_what_it_wrote(source: int, target: Temporary) -> None:
    digest = CopyDigest(ChecksumAlgorithm.SHA256)
    append_range(source, ByteRange(3, 1_200_000), target, digest.update)
    append_range(source, ByteRange(0, 3), target, digest.update)
    expected = CopyDigest(ChecksumAlgorithm.SHA256)
    expected.update(memoryview(DATA[3:1_200_000] + DATA[:3]))
    assert digest.digests() == expected.digests()
    assert CopyDigest(None).digests().checksum_algorithm is None


def test_pieces_cover_the_span_in_order() -> None:
    pieces = list(pieces_of(ByteRange(7, 7 + 2 * PIECE_BYTES + 1)))
    assert [piece.length for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 1]
    assert pieces[0].start == 7
    assert all(one.stop == following.start for one, following in pairwise(pieces))
    assert list(pieces_of(ByteRange(5, 5))) == []


def test_copy_on_a_file_system_without_attributes_or_reflinks_works(target: Temporary) -> None:
    # tmpfs to ext4: another file system altogether.
    directory = Path("/dev/shm") / f"s3proxy-test-{os.getpid()}"
    directory.mkdir()
    try:
        (directory / "file").write_bytes(DATA)
        fd = os.open(directory / "file", os.O_RDONLY)
        copying.append_range(fd, ByteRange(0, len(DATA)), target)
        os.close(fd)
    finally:
        shutil.rmtree(directory)
    assert content_of(target) == DATA
