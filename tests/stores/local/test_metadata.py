import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3.model import (
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    Key,
    ListedObject,
    ObjectInfo,
    ObjectMetadata,
    Part,
)
from s3proxy.stores.local import metadata
from s3proxy.stores.local.metadata import Record

values = st.text(st.characters(blacklist_characters="\r\n\0"), max_size=20)
optional = st.none() | values
checksums = st.none() | st.builds(Checksum, st.sampled_from(ChecksumAlgorithm), values, st.sampled_from(ChecksumType))
parts = st.builds(
    Part,
    number=st.integers(1, 10_000),
    size=st.integers(0, 2**40),
    etag=values.map(ETag),
    last_modified_ns=st.integers(0, 2**63),
    checksum=checksums,
)
metadatas = st.builds(
    ObjectMetadata,
    content_type=optional,
    content_encoding=optional,
    content_language=optional,
    content_disposition=optional,
    cache_control=optional,
    expires=optional,
    website_redirect_location=optional,
    user=st.dictionaries(values, values, max_size=3),
)
infos = st.builds(
    ObjectInfo,
    size=st.integers(0, 2**63),
    etag=values.map(ETag),
    last_modified_ns=st.integers(0, 2**63),
    metadata=metadatas,
    checksum=checksums,
    storage_class=st.sampled_from(["STANDARD", "GLACIER"]),
    parts=st.lists(parts, max_size=3).map(tuple),
    acl=st.sampled_from(CannedAcl),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    tags = draw(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3))
    info = draw(infos)
    fields = {name: getattr(info, name) for name in ObjectInfo.__slots__}
    return Record(info=ObjectInfo(**fields | {"tag_count": len(tags)}), tags=tags, upload_id=draw(values))


PLAIN = Record(
    info=ObjectInfo(
        size=4096,
        etag=ETag("d41d8cd98f00b204e9800998ecf8427e"),
        last_modified_ns=1_234_567_890_123_456_789,
        metadata=ObjectMetadata(content_type="text/plain"),
        checksum=Checksum(ChecksumAlgorithm.CRC64NVME, "AAAAAAAAAAA="),
    )
)


@given(records())
@settings(max_examples=100)
def test_decode_is_the_inverse_of_encode(record: Record) -> None:
    assert metadata.decode(metadata.encode(record), record.info.size, record.info.last_modified_ns) == record


@given(records())
@settings(max_examples=50)
def test_whole_and_abridged_record_list_alike(record: Record) -> None:
    info = record.info
    listed = ListedObject(
        key=Key("key"),
        size=info.size,
        etag=info.etag,
        last_modified_ns=info.last_modified_ns,
        storage_class=info.storage_class,
        checksum_algorithm=info.checksum.algorithm if info.checksum else None,
        checksum_type=info.checksum.type if info.checksum else None,
    )
    for data in (metadata.encode(record), metadata.encode_abridged(record)):
        assert metadata.decode_listed(data, Key("key"), info.size, info.last_modified_ns) == listed


@given(records())
@settings(max_examples=50)
def test_only_an_abridged_record_is_abridged(record: Record) -> None:
    assert not metadata.is_abridged(metadata.encode(record))
    assert metadata.is_abridged(metadata.encode_abridged(record))
    assert metadata.decode(metadata.encode_abridged(record), record.info.size, record.info.last_modified_ns) is None


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
)
@settings(max_examples=100)
def test_decode_of_anything_at_all_is_none(data: bytes) -> None:
    assert metadata.decode(data, 1, 2) is None
    assert metadata.decode_listed(data, Key("key"), 1, 2) is None


def test_decode_of_deep_nesting_is_none() -> None:
    assert metadata.decode(b"[" * 60_000, 1, 2) is None


@pytest.mark.parametrize(
    "extras",
    [
        {"t": "a\r\nX: y"},
        {"t": 5},
        {"u": {"a": "b\nc"}},
        {"u": {"a\r": "b"}},
        {"u": {"a": 1}},
        {"u": "text"},
        {"g": ["a"]},
        {"k": ["CRC32", "a\nb"]},
        {"k": ["MD5", "x"]},
        {"s": "A\0B"},
        {"p": [[1, 2]]},
        {"p": [["one", 2, "etag", 4]]},
    ],
)
def test_record_that_could_break_out_of_a_header_is_not_valid(extras: dict[str, object]) -> None:
    # Ceph CVE-2021-3524, CVE-2020-10753: whoever can write the file can write its attributes.
    assert metadata.decode(json.dumps([1, 1, 2, "etag", {}]).encode(), 1, 2) is not None
    assert metadata.decode(json.dumps([1, 1, 2, "etag", extras]).encode(), 1, 2) is None


def test_etag_that_could_break_out_of_a_header_is_not_valid() -> None:
    # Ceph CVE-2021-3524.
    data = json.dumps([1, 1, 2, "a\r\nb", {}]).encode()
    assert metadata.decode(data, 1, 2) is None
    assert metadata.decode_listed(data, Key("key"), 1, 2) is None


@pytest.mark.parametrize(("size", "mtime_offset"), [(4095, 0), (4096, 1), (4096, -1)])
def test_record_of_a_file_that_changed_is_not_valid(size: int, mtime_offset: int) -> None:
    data = metadata.encode(PLAIN)
    assert metadata.decode(data, size, PLAIN.info.last_modified_ns + mtime_offset) is None


def test_record_of_another_version_is_not_valid() -> None:
    data = metadata.encode(PLAIN).replace(b"[1,", b"[2,", 1)
    assert metadata.decode(data, 4096, PLAIN.info.last_modified_ns) is None


def test_plain_record_fits_the_first_read() -> None:
    without_checksum = Record(
        info=ObjectInfo(
            size=4096, etag=PLAIN.info.etag, last_modified_ns=PLAIN.info.last_modified_ns, metadata=PLAIN.info.metadata
        )
    )
    assert len(metadata.encode(without_checksum)) <= 128  # what os.getxattr asks for at first


def test_two_abridged_records_differ() -> None:
    assert metadata.encode_abridged(PLAIN) != metadata.encode_abridged(PLAIN)


def test_unrecorded_etag_changes_with_the_file_and_is_no_md5(tmp_path: Path) -> None:
    path = tmp_path / "file"
    etags = set()
    for time_ns in (10**18, 10**18 + 1):
        path.write_bytes(b"data")
        os.utime(path, ns=(0, time_ns))
        status = path.stat()
        info = metadata.unrecorded(status).info
        assert info == ObjectInfo(size=4, etag=info.etag, last_modified_ns=time_ns, metadata=ObjectMetadata())
        assert metadata.unrecorded_listed(Key("key"), status).etag == info.etag
        etags.add(info.etag)
    assert len(etags) == 2
    assert all("-" in etag for etag in etags)
