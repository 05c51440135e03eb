import os
from pathlib import Path

import pytest

from s3proxy.body import FileSlice
from s3proxy.s3.model import ByteRange
from s3proxy.stores.local.metadata import unrecorded
from s3proxy.stores.local.reading import INLINE_BYTES, LocalObject


def opened(path: Path, data: bytes) -> tuple[LocalObject, int]:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    return LocalObject(fd, unrecorded(os.fstat(fd)).info), fd


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


async def test_short_span_is_bytes_and_long_one_a_slice(tmp_path: Path) -> None:
    local, fd = opened(tmp_path / "file", bytes(INLINE_BYTES + 1))
    async with await local.read(ByteRange(1, INLINE_BYTES + 1)) as body:
        assert [chunk async for chunk in body] == [bytes(INLINE_BYTES)]
    async with await local.read(ByteRange(0, INLINE_BYTES + 1)) as body:
        assert [chunk async for chunk in body] == [FileSlice(fd, 0, INLINE_BYTES + 1)]
    await local.aclose()


async def test_empty_span_has_no_chunk(tmp_path: Path) -> None:
    local, _ = opened(tmp_path / "file", b"data")
    async with await local.read(ByteRange(2, 2)) as body:
        assert body.length == 0
        assert [chunk async for chunk in body] == []
    await local.aclose()


async def test_descriptor_is_closed_by_the_last_user(tmp_path: Path) -> None:
    local, fd = opened(tmp_path / "file", b"data")
    one, two = await local.read(ByteRange(0, 1)), await local.read(ByteRange(1, 4))
    for user in (local, one, one, local):
        await user.aclose()
        assert is_open(fd)
    await two.aclose()
    assert not is_open(fd)


async def test_closed_body_gives_nothing(tmp_path: Path) -> None:
    local, _ = opened(tmp_path / "file", b"data")
    body = await local.read(ByteRange(0, 4))
    await body.aclose()
    assert [chunk async for chunk in body] == []
    await local.aclose()


async def test_file_cut_short_is_left_to_the_sender(tmp_path: Path) -> None:
    # The sender of a slice notices a file that ends early and closes the connection; nothing is padded.
    local, fd = opened(tmp_path / "file", b"data")
    os.truncate(tmp_path / "file", 2)
    async with await local.read(ByteRange(0, 4)) as body:
        assert [chunk async for chunk in body] == [FileSlice(fd, 0, 4)]
    await local.aclose()


async def test_span_that_is_not_in_memory_is_left_to_the_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def would_wait(*_: object) -> int:
        raise BlockingIOError

    local, fd = opened(tmp_path / "file", b"data")
    monkeypatch.setattr(os, "preadv", would_wait)
    async with await local.read(ByteRange(0, 4)) as body:
        assert [chunk async for chunk in body] == [FileSlice(fd, 0, 4)]
    await local.aclose()
