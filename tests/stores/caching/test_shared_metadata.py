import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.shared import SharedWords
from s3proxy.s3.model import (
    Bucket,
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    Key,
    ObjectInfo,
    ObjectMetadata,
    Part,
)
from s3proxy.stores.caching.shared_metadata import RUN_BYTES, MetadataTable, Shared

RUN = bytes(range(RUN_BYTES))
BUCKET, KEY = Bucket("bucket"), Key("a/key")
INFO = ObjectInfo(
    size=7,
    etag=ETag("etag"),
    last_modified_ns=1_700_000_000_123_456_789,
    metadata=ObjectMetadata(content_type="text/plain", user={"name": "Wert é"}),
    checksum=Checksum(ChecksumAlgorithm.CRC32C, "AAAAAA==-2", ChecksumType.COMPOSITE),
    tag_count=3,
    storage_class="GLACIER",
    parts=(Part(number=1, size=7, etag=ETag("p"), last_modified_ns=5),),
    acl=CannedAcl.PUBLIC_READ,
)
SHARED = Shared(info=INFO, is_complete=True, asked_at=12.5, stamp=1 << 127, is_of_this_run=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table"


def open_table(path: Path, run: bytes = RUN, slots: int = 64) -> MetadataTable:
    return MetadataTable.open(path, run=run, slots=slots)


def test_table_gives_another_worker_what_one_put(path: Path) -> None:
    first, second = open_table(path), open_table(path)
    assert first.get("store", BUCKET, KEY) is None
    first.put("store", BUCKET, KEY, SHARED)
    assert second.get("store", BUCKET, KEY) == SHARED
    for other in (("other", BUCKET, KEY), ("store", Bucket("other"), KEY), ("store", BUCKET, Key("other"))):
        assert second.get(*other) is None
    first.close()
    second.close()


@given(
    size=st.integers(0, 2**62),
    modified_ns=st.integers(0, 2**62),
    etag=st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=64),
    stamp=st.integers(0, 2**128 - 1),
    tags=st.integers(0, 10),
    is_complete=st.booleans(),
)
def test_table_keeps_what_it_is_told(
    size: int, modified_ns: int, etag: str, stamp: int, tags: int, is_complete: bool
) -> None:
    fd = os.memfd_create("table")
    table = open_table(Path(f"/proc/self/fd/{fd}"))
    info = replace(INFO, size=size, last_modified_ns=modified_ns, etag=ETag(etag), tag_count=tags)
    shared = replace(SHARED, info=info, stamp=stamp, is_complete=is_complete)
    table.put("store", BUCKET, KEY, shared)
    assert table.get("store", BUCKET, KEY) == shared
    table.close()
    os.close(fd)


def test_record_of_another_run_says_so(path: Path) -> None:
    before = open_table(path)
    before.put("store", BUCKET, KEY, SHARED)
    before.close()
    after = open_table(path, bytes(RUN_BYTES))
    assert after.get("store", BUCKET, KEY) == replace(SHARED, is_of_this_run=False)
    after.close()


def test_second_object_of_a_slot_replaces_the_first(path: Path) -> None:
    table = open_table(path, slots=1)
    table.put("store", BUCKET, KEY, SHARED)
    table.put("store", BUCKET, Key("other"), SHARED)
    assert table.get("store", BUCKET, KEY) is None
    assert table.get("store", BUCKET, Key("other")) == SHARED
    table.close()


def test_what_does_not_fit_is_not_shared(path: Path) -> None:
    table = open_table(path)
    table.put("store", BUCKET, Key("k" * 1024), SHARED)
    assert table.get("store", BUCKET, Key("k" * 1024)) is None
    for info in (
        replace(INFO, metadata=ObjectMetadata(user={"a": "b" * 1000})),
        replace(INFO, last_modified_ns=1 << 63),
        replace(INFO, tag_count=1 << 40),
    ):
        table.put("store", BUCKET, KEY, replace(SHARED, info=info))
        assert table.get("store", BUCKET, KEY) is None
    table.close()


def test_any_torn_or_foreign_slot_reads_as_empty(path: Path) -> None:
    table = open_table(path, slots=1)
    table.put("store", BUCKET, KEY, SHARED)
    good = path.read_bytes()
    used = len(good.rstrip(b"\0"))
    for offset in range(used):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 0x41]) + good[offset + 1 :])
        assert table.get("store", BUCKET, KEY) is None, offset
    for length in (0, 1, 50, used - 1):
        path.write_bytes(good[:length])
        assert table.get("store", BUCKET, KEY) is None
    path.write_bytes(good)
    assert table.get("store", BUCKET, KEY) == SHARED
    table.close()


def test_table_that_cannot_be_written_tells_nobody(path: Path) -> None:
    open_table(path).close()
    table = MetadataTable(os.open(path, os.O_RDONLY), run=RUN, slots=64, slot_bytes=1024)
    table.put("store", BUCKET, KEY, SHARED)
    assert table.get("store", BUCKET, KEY) is None
    table.close()


def test_table_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        open_table(tmp_path)


def test_slot_is_locked_against_this_process_and_others(path: Path) -> None:
    first, second = open_table(path), open_table(path)
    slot = first.try_lock("store", BUCKET, KEY)
    assert slot is not None
    assert first.try_lock("store", BUCKET, KEY) is None
    assert second.try_lock("store", BUCKET, KEY) is None
    first.unlock(slot)
    assert second.try_lock("store", BUCKET, KEY) == slot
    second.close()  # as the kernel does when a worker dies
    assert first.try_lock("store", BUCKET, KEY) == slot
    first.close()


def test_run_is_that_of_the_words_and_of_no_others() -> None:
    words, others = SharedWords.create(1), SharedWords.create(1)
    attached = SharedWords.attach(os.dup(words.fd), 0)
    attached.bump("bucket", "key")
    assert attached.run == words.run != others.run
    assert len(words.run) == RUN_BYTES
    for made in (words, others, attached):
        made.close()
