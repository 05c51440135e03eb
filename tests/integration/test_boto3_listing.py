import threading
from pathlib import Path

import pytest

from tests.integration.assertions import S3Client, keys_of, prefixes_of

# What a naive walk of directories gets wrong: "." and "-" sort before "/", "0" behind it.
KEYS = sorted(
    ["data", "data-1", "data.csv", "data/", "data/1", "data/1/x", "data/2", "data0", "é", "z", "\uffee", "\U0001f600"],
    key=str.encode,
)


@pytest.fixture
def filled(s3: S3Client, bucket: str) -> str:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("page_size", [1, 2, 5, 1000])
def test_pages_of_any_size_give_every_key_once_in_byte_order(
    s3: S3Client, filled: str, operation: str, page_size: int
) -> None:
    pages = list(s3.get_paginator(operation).paginate(Bucket=filled, PaginationConfig={"PageSize": page_size}))
    assert [key for page in pages for key in keys_of(page)] == KEYS
    assert all(len(page["Contents"]) <= page_size for page in pages)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_delimiter_rolls_keys_up_once_whatever_the_page(
    s3: S3Client, filled: str, operation: str, page_size: int
) -> None:
    pages = list(
        s3.get_paginator(operation).paginate(Bucket=filled, Delimiter="/", PaginationConfig={"PageSize": page_size})
    )
    assert [prefix for page in pages for prefix in prefixes_of(page)] == ["data/"]
    assert [key for page in pages for key in keys_of(page)] == [key for key in KEYS if "/" not in key]


@pytest.mark.parametrize(
    ("prefix", "delimiter", "keys", "prefixes"),
    [
        ("data/", "/", ["data/", "data/1", "data/2"], ["data/1/"]),
        ("data/1", "/", ["data/1"], ["data/1/"]),
        ("da", "a/", ["data", "data-1", "data.csv", "data0"], ["data/"]),
        ("d", "t", [], ["dat"]),
        ("data", "-", ["data", "data.csv", "data/", "data/1", "data/1/x", "data/2", "data0"], ["data-"]),
        ("absent/", "/", [], []),
        ("data.", "", ["data.csv"], []),
    ],
)
def test_prefix_and_any_delimiter(
    s3: S3Client, filled: str, prefix: str, delimiter: str, keys: list[str], prefixes: list[str]
) -> None:
    page = s3.list_objects_v2(Bucket=filled, Prefix=prefix, Delimiter=delimiter)
    assert (keys_of(page), prefixes_of(page)) == (keys, prefixes)
    assert page["KeyCount"] == len(keys) + len(prefixes)


@pytest.mark.parametrize("after", ["", "data", "data.", "data/1", "data/1/", "data/zzz", "zzz", "\U0001f600"])
def test_start_after_and_marker_give_what_sorts_behind(s3: S3Client, filled: str, after: str) -> None:
    behind = [key for key in KEYS if key.encode() > after.encode()]
    assert keys_of(s3.list_objects_v2(Bucket=filled, StartAfter=after)) == behind
    assert keys_of(s3.list_objects(Bucket=filled, Marker=after)) == behind


def test_entries_tell_size_etag_time_and_class(s3: S3Client, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="data", Body=b"four")
    (entry,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert (entry["Size"], entry["ETag"], entry["StorageClass"]) == (4, put["ETag"], "STANDARD")
    assert entry["LastModified"].replace(microsecond=0) == s3.head_object(Bucket=bucket, Key="data")["LastModified"]
    assert "Owner" not in entry
    (with_owner,) = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert with_owner["Owner"]["ID"]


def test_max_keys_zero_gives_nothing_and_is_not_truncated(s3: S3Client, filled: str) -> None:
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert (keys_of(page), page["IsTruncated"], page["KeyCount"]) == ([], False, 0)


def test_max_keys_over_1000_is_1000(s3: S3Client, bucket: str, directory: Path) -> None:
    for number in range(1100):
        (directory / f"{number:04}").touch()
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (len(first["Contents"]), first["IsTruncated"]) == (1000, True)
    rest = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000, ContinuationToken=first["NextContinuationToken"])
    assert keys_of(rest) == [f"{number:04}" for number in range(1000, 1100)]
    assert not rest["IsTruncated"]


def test_versions_page_through_every_key_once(s3: S3Client, filled: str) -> None:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=filled, PaginationConfig={"PageSize": 3})
    assert [version["Key"] for page in pages for version in page["Versions"]] == KEYS


def test_walk_while_others_write_misses_and_repeats_nothing_that_was_there(
    s3: S3Client, bucket: str, directory: Path
) -> None:
    there = [f"{number:03}/file" for number in range(200)]
    for key in there:
        (directory / key).parent.mkdir()
        (directory / key).touch()
    done = threading.Event()

    def disturb() -> None:
        number = 0
        while not done.is_set():
            other = directory / f"{number % 200:03}" / f"other-{number}"
            other.touch()
            other.unlink()
            number += 1

    writer = threading.Thread(target=disturb)
    writer.start()
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
        found = [key for page in pages for key in keys_of(page)]
    finally:
        done.set()
        writer.join()
    assert [key for key in found if key.endswith("/file")] == there


def test_continuation_token_that_was_never_given_is_invalid(s3: S3Client, bucket: str) -> None:
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="\x00never given")
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"
