"""One tree seen from two sides: what a file-system program writes is an object, what S3 writes is a file."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.assertions import S3Client, keys_of, prefixes_of, raises_s3_error, read

CONTENT = b"written by one, read by the other"


def test_file_is_an_object_at_once(s3: S3Client, bucket: str, directory: Path) -> None:
    (directory / "reports" / "2024").mkdir(parents=True)
    (directory / "reports" / "2024" / "a b.csv").write_bytes(CONTENT)
    key = "reports/2024/a b.csv"
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [key]
    assert read(s3, bucket, key) == CONTENT
    assert read(s3, bucket, key, Range="bytes=0-6") == b"written"
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["Metadata"]) == (len(CONTENT), {})


def test_object_is_a_file_at_once(s3: S3Client, bucket: str, directory: Path) -> None:
    s3.put_object(Bucket=bucket, Key="reports/2024/a b.csv", Body=CONTENT)
    assert (directory / "reports" / "2024" / "a b.csv").read_bytes() == CONTENT


def test_directory_below_the_root_is_a_bucket(s3: S3Client, root: Path, bucket: str) -> None:
    made = root / f"{bucket}-made"
    made.mkdir()
    (made / "file").write_bytes(CONTENT)
    assert read(s3, made.name, "file") == CONTENT
    s3.put_object(Bucket=made.name, Key="object", Body=CONTENT)
    assert sorted(each.name for each in made.iterdir()) == ["file", "object"]


def test_deleted_object_takes_its_empty_directories_with_it(s3: S3Client, bucket: str, directory: Path) -> None:
    s3.put_object(Bucket=bucket, Key="a/b/c", Body=CONTENT)
    s3.delete_object(Bucket=bucket, Key="a/b/c")
    assert not (directory / "a").exists()
    s3.delete_bucket(Bucket=bucket)


def test_deleted_file_is_no_object_any_more(s3: S3Client, bucket: str, directory: Path) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    assert read(s3, bucket, "data") == CONTENT
    (directory / "data").unlink()
    with raises_s3_error("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="data")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_etag_of_a_file_has_a_dash_and_stays_while_the_file_does(s3: S3Client, bucket: str, directory: Path) -> None:
    (directory / "data").write_bytes(CONTENT)
    etag = s3.head_object(Bucket=bucket, Key="data")["ETag"]
    assert "-" in etag  # so that nobody takes it for an MD5
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == etag
    assert read(s3, bucket, "data", IfMatch=etag) == CONTENT


@pytest.mark.parametrize("change", [b"longer than it was before, by far", CONTENT.upper()])
def test_file_changed_behind_our_back_is_another_version(
    s3: S3Client, bucket: str, directory: Path, change: bytes
) -> None:
    put = s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, Metadata={"a": "b"}, Tagging="c=d")
    assert put["ETag"] == f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
    (directory / "data").write_bytes(change)
    got = s3.get_object(Bucket=bucket, Key="data", ChecksumMode="ENABLED")
    assert got["Body"].read() == change
    assert "-" in got["ETag"]
    assert (got["Metadata"], got.get("ChecksumCRC32"), got.get("TagCount")) == ({}, None, None)
    with raises_s3_error("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="data", IfMatch=put["ETag"])
    with raises_s3_error("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="data", Body=b"lost update", IfMatch=put["ETag"])
    assert (directory / "data").read_bytes() == change


def test_renamed_directory_takes_its_keys_and_their_metadata_along(s3: S3Client, bucket: str, directory: Path) -> None:
    keys = ["old/a", "old/sub/b"]
    puts = [s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"was": key}) for key in keys]
    (directory / "old").rename(directory / "new")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["new/a", "new/sub/b"]
    for put, key in zip(puts, keys, strict=True):
        head = s3.head_object(Bucket=bucket, Key=key.replace("old", "new"))
        assert (head["ETag"], head["Metadata"]) == (put["ETag"], {"was": key})
    s3.put_object(Bucket=bucket, Key="old/c", Body=b"")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["new/a", "new/sub/b", "old/c"]


def test_file_moved_into_place_replaces_the_object(s3: S3Client, bucket: str, directory: Path, tmp_path: Path) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=b"old")
    (directory / ".incoming").write_bytes(CONTENT)
    (directory / ".incoming").rename(directory / "data")
    assert read(s3, bucket, "data") == CONTENT


def test_reader_that_has_begun_gets_the_version_it_began_with(s3: S3Client, bucket: str) -> None:
    old, new = b"o" * 8_000_000, b"n" * 8_000_000
    s3.put_object(Bucket=bucket, Key="data", Body=old)
    body = s3.get_object(Bucket=bucket, Key="data")["Body"]
    begun = body.read(1000)
    s3.put_object(Bucket=bucket, Key="data", Body=new)
    assert begun + body.read() == old
    assert read(s3, bucket, "data") == new


def test_empty_directory_is_no_object(s3: S3Client, bucket: str, directory: Path) -> None:
    (directory / "empty" / "deep").mkdir(parents=True)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    assert prefixes_of(s3.list_objects_v2(Bucket=bucket, Delimiter="/")) == []


def test_hidden_directory_is_never_seen(s3: S3Client, root: Path, bucket: str) -> None:
    assert (root / ".s3proxy").is_dir()
    assert ".s3proxy" not in [each["Name"] for each in s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize("target", ["/etc/passwd", "outside", "../outside", "inside"])
def test_symlink_is_no_object_wherever_it_leads(
    s3: S3Client, root: Path, bucket: str, directory: Path, target: str
) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg and its like: a way out of the root.
    (root.parent / "outside").write_bytes(b"secret")
    (directory / "inside").write_bytes(CONTENT)
    (directory / "link").symlink_to(root.parent / "outside" if target == "outside" else target)
    (directory / "linked").symlink_to(root.parent, target_is_directory=True)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["inside"]
    for key in ("link", "linked/outside", "linked"):
        with raises_s3_error("NoSuchKey", 404):
            s3.get_object(Bucket=bucket, Key=key)
    with raises_s3_error("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "link"})


def test_put_never_writes_through_a_symlink(s3: S3Client, root: Path, directory: Path, bucket: str) -> None:
    outside = root.parent / f"outside-{bucket}"
    outside.mkdir()
    (outside / "file").write_bytes(b"untouched")
    (directory / "link").symlink_to(outside / "file")
    (directory / "linked").symlink_to(outside, target_is_directory=True)
    s3.put_object(Bucket=bucket, Key="link", Body=CONTENT)
    assert read(s3, bucket, "link") == CONTENT
    for key in ("linked/file", "linked/new"):
        with raises_s3_error("InvalidRequest", 400):
            s3.put_object(Bucket=bucket, Key=key, Body=CONTENT)
    assert [(each.name, each.read_bytes()) for each in outside.iterdir()] == [("file", b"untouched")]


def test_symlinked_bucket_is_no_bucket(s3: S3Client, root: Path, bucket: str) -> None:
    (root / f"{bucket}-link").symlink_to(root.parent, target_is_directory=True)
    assert f"{bucket}-link" not in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    with raises_s3_error("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket=f"{bucket}-link")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_regular_file_is_no_object(
    s3: S3Client, bucket: str, directory: Path, make: Callable[[Path], None]
) -> None:
    make(directory / "strange")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    with raises_s3_error("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="strange")


def test_file_whose_name_is_no_text_is_not_listed(s3: S3Client, bucket: str, directory: Path) -> None:
    Path(os.fsdecode(os.fsencode(directory) + b"/\xff\xfe")).write_bytes(b"")
    (directory / "text").write_bytes(b"")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["text"]


def test_temporary_files_are_gone_after_a_failed_upload(
    impatient_s3: S3Client, root: Path, bucket: str, directory: Path
) -> None:
    with raises_s3_error("BadDigest", 400):
        impatient_s3.put_object(Bucket=bucket, Key="a/data", Body=CONTENT, ChecksumCRC32="AAAAAA==")
    assert list(directory.iterdir()) == []
    assert [path for path in (root / ".s3proxy" / "tmp").rglob("*") if path.is_file()] == []
