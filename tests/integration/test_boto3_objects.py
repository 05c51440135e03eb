import hashlib
import io
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.assertions import S3Client, keys_of, raises_s3_error, read

CONTENT = b"0123456789abcdefghijklmnopqrstuvwxyz"
ETAG = f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
SOON = datetime.now(UTC) + timedelta(days=1)


@pytest.mark.parametrize("size", [0, 1, 4096, 65_537, 1024 * 1024, 9 * 1024 * 1024 + 1])
def test_put_and_get_of_any_size_gives_the_same_bytes(s3: S3Client, bucket: str, size: int) -> None:
    content = random.Random(size).randbytes(size)
    put = s3.put_object(Bucket=bucket, Key="data", Body=content)
    got = s3.get_object(Bucket=bucket, Key="data")
    assert got["Body"].read() == content
    assert got["ContentLength"] == size
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def test_put_from_a_file_object_gives_the_same_bytes(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=io.BytesIO(CONTENT))
    assert read(s3, bucket, "data") == CONTENT


def test_head_tells_what_get_tells(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    head = s3.head_object(Bucket=bucket, Key="data")
    got = s3.get_object(Bucket=bucket, Key="data")
    got["Body"].close()
    for name in ("ContentLength", "ETag", "LastModified", "ContentType", "AcceptRanges", "Metadata"):
        assert head[name] == got[name]
    assert head["AcceptRanges"] == "bytes"
    assert head["ContentType"] == "binary/octet-stream"
    assert abs(head["LastModified"] - datetime.now(UTC)) < timedelta(seconds=30)


def test_every_answer_has_request_ids_and_a_date(s3: S3Client, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)["ResponseMetadata"]
    second = s3.head_object(Bucket=bucket, Key="data")["ResponseMetadata"]
    assert first["RequestId"] != second["RequestId"]
    assert second["HostId"]
    assert {"date", "server"} <= set(second["HTTPHeaders"])


def test_get_of_a_missing_key_names_it(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("NoSuchKey", 404) as caught:
        s3.get_object(Bucket=bucket, Key="absent")
    assert caught.value.response["Error"]["Key"] == "absent"


def test_head_of_a_missing_key_is_a_404_without_a_body(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("404", 404):
        s3.head_object(Bucket=bucket, Key="absent")


def test_any_operation_on_a_missing_bucket_is_no_such_bucket(s3: S3Client) -> None:
    with raises_s3_error("NoSuchBucket", 404):
        s3.get_object(Bucket="no-such-bucket", Key="data")
    with raises_s3_error("NoSuchBucket", 404):
        s3.put_object(Bucket="no-such-bucket", Key="data", Body=CONTENT)
    with raises_s3_error("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket="no-such-bucket")


@pytest.mark.parametrize(
    "key",
    [
        "a", "a/b/c", "dir/", "a//b", "//", "/", "/leading", "trailing//", ".", "..", "../a", "a/../b", "a/./b",
        ".hidden", ".s3proxy/tmp/x", ".%", ".%fx", "a b", " ", "a+b", "a%2Fb", "a%", "100%25", "a?b=c", "a#b", "a&b",
        "a=b;c", "a\\b", "'\"<>&", "\n", "\x01", "\x7f", "ä/ö/ü", "日本語", "\U0001f600", "e\u0301", "é", "*", "[a]",
        "x" * 300, "y/" * 500 + "zz", "é" * 512, "~", "-", "a:b", "a,b", "a|b", "$HOME", "`id`", "{}", "^",
    ],
)  # fmt: skip
def test_any_key_is_stored_listed_and_deleted_as_it_is(s3: S3Client, bucket: str, key: str) -> None:
    content = key.encode()
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [key]
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(content)
    assert read(s3, bucket, key) == content
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert read(s3, bucket, "copy") == content
    s3.delete_object(Bucket=bucket, Key=key)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["copy"]


def test_keys_that_are_each_others_directories_live_side_by_side(s3: S3Client, bucket: str) -> None:
    keys = ["a", "a/", "a/b", "a/b/", "a/b/c", "a//", "a//b"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == sorted(keys, key=str.encode)
    assert [read(s3, bucket, key) for key in keys] == [key.encode() for key in keys]


def test_key_over_1024_bytes_is_key_too_long(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("KeyTooLongError", 400):
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"")


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/36"),
        ("bytes=0-0", CONTENT[:1], "bytes 0-0/36"),
        ("bytes=30-", CONTENT[30:], "bytes 30-35/36"),
        ("bytes=-4", CONTENT[-4:], "bytes 32-35/36"),
        ("bytes=-100", CONTENT, "bytes 0-35/36"),
        ("bytes=35-1000", CONTENT[35:], "bytes 35-35/36"),
    ],
)
def test_get_range_gives_that_part(s3: S3Client, bucket: str, header: str, expected: bytes, content_range: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    got = s3.get_object(Bucket=bucket, Key="data", Range=header)
    assert got["Body"].read() == expected
    assert got["ContentRange"] == content_range
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ETag"] == ETAG


@pytest.mark.parametrize("header", ["bytes=36-", "bytes=100-200", "bytes=-0"])
def test_get_range_beyond_the_end_is_416_and_tells_the_size(s3: S3Client, bucket: str, header: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with raises_s3_error("InvalidRange", 416) as caught:
        s3.get_object(Bucket=bucket, Key="data", Range=header)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes */36"
    assert caught.value.response["Error"]["ActualObjectSize"] == "36"


def test_get_range_that_cannot_be_understood_gives_the_whole_object(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    assert read(s3, bucket, "data", Range="bytes=9-3") == CONTENT


@pytest.mark.parametrize(
    "condition",
    [{"IfMatch": ETAG}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": LONG_AGO}, {"IfUnmodifiedSince": SOON}],
)
def test_get_whose_condition_holds_gives_the_object(s3: S3Client, bucket: str, condition: dict[str, Any]) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    assert read(s3, bucket, "data", **condition) == CONTENT


@pytest.mark.parametrize("condition", [{"IfNoneMatch": ETAG}, {"IfModifiedSince": "as stored"}])
def test_get_of_what_the_client_has_is_not_modified(s3: S3Client, bucket: str, condition: dict[str, Any]) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    if "IfModifiedSince" in condition:
        condition = {"IfModifiedSince": s3.head_object(Bucket=bucket, Key="data")["LastModified"]}
    with raises_s3_error("304", 304) as caught:
        s3.get_object(Bucket=bucket, Key="data", **condition)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["etag"] == ETAG


@pytest.mark.parametrize("condition", [{"IfMatch": '"other"'}, {"IfUnmodifiedSince": LONG_AGO}])
def test_get_whose_condition_fails_is_precondition_failed(s3: S3Client, bucket: str, condition: dict[str, Any]) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with raises_s3_error("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="data", **condition)


def test_put_if_none_match_creates_and_never_replaces(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, IfNoneMatch="*")
    with raises_s3_error("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="data", Body=b"other", IfNoneMatch="*")
    assert read(s3, bucket, "data") == CONTENT


def test_put_if_match_replaces_only_what_the_client_has_seen(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="data", Body=b"other", IfMatch=ETAG)
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    s3.put_object(Bucket=bucket, Key="data", Body=b"second", IfMatch=ETAG)
    with raises_s3_error("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="data", Body=b"third", IfMatch=ETAG)
    assert read(s3, bucket, "data") == b"second"


def test_put_if_none_match_by_many_at_once_has_one_winner(s3: S3Client, bucket: str) -> None:
    def put(number: int) -> str:
        try:
            s3.put_object(Bucket=bucket, Key="data", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            code: str = error.response["Error"]["Code"]
            return code
        return "created"

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(put, range(16)))
    assert outcomes.count("created") == 1
    assert set(outcomes) <= {"created", "PreconditionFailed", "ConditionalRequestConflict"}
    assert read(s3, bucket, "data") == str(outcomes.index("created")).encode()


def test_get_while_others_overwrite_gives_one_version_whole(s3: S3Client, bucket: str) -> None:
    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key="data", Body=bytes([number]) * (100_000 + number))

    def get(_: int) -> tuple[str, bytes]:
        got = s3.get_object(Bucket=bucket, Key="data")
        return got["ETag"], got["Body"].read()

    put(0)
    with ThreadPoolExecutor(8) as threads:
        writes = threads.map(put, range(20))
        for etag, content in threads.map(get, range(60)):
            assert len(set(content)) == 1
            assert len(content) == 100_000 + content[0]
            assert etag == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        list(writes)


def test_delete_of_a_missing_key_succeeds(s3: S3Client, bucket: str) -> None:
    assert s3.delete_object(Bucket=bucket, Key="absent")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_delete_removes_the_object(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b/c", Body=CONTENT)
    s3.delete_object(Bucket=bucket, Key="a/b/c")
    with raises_s3_error("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="a/b/c")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_delete_objects_tells_each_key_unless_quiet(s3: S3Client, bucket: str) -> None:
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=CONTENT)
    named = [{"Key": "k0"}, {"Key": "absent"}]
    assert [each["Key"] for each in s3.delete_objects(Bucket=bucket, Delete={"Objects": named})["Deleted"]] == [
        "k0",
        "absent",
    ]
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k1"}], "Quiet": True})
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k2"]


def test_delete_objects_of_more_than_1000_keys_is_malformed(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{number}"} for number in range(1001)]})


def test_delete_if_match_deletes_only_what_the_client_has_seen(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with raises_s3_error("PreconditionFailed", 412):
        s3.delete_object(Bucket=bucket, Key="data", IfMatch='"other"')
    failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "data", "ETag": '"other"'}]})
    assert [(each["Key"], each["Code"]) for each in failed["Errors"]] == [("data", "PreconditionFailed")]
    s3.delete_object(Bucket=bucket, Key="data", IfMatch=ETAG)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_version_null_names_the_only_version(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    (version,) = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert (version["Key"], version["VersionId"], version["IsLatest"]) == ("data", "null", True)
    assert read(s3, bucket, "data", VersionId="null") == CONTENT
    with raises_s3_error("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="data", VersionId="3HL4kqtJvjVBH40Nrjfkd")
    s3.delete_object(Bucket=bucket, Key="data", VersionId="null")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
