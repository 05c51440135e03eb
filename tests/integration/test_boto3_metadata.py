import base64
import hashlib
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from tests.integration.assertions import S3Client, keys_of, raises_s3_error, read

CONTENT = b"0123456789abcdefghijklmnopqrstuvwxyz"
ETAG = f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_metadata_and_content_headers_come_back(s3: S3Client, bucket: str) -> None:
    headers = {
        "ContentType": "text/csv; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentDisposition": 'attachment; filename="a b.csv"',
        "CacheControl": "max-age=60",
        "Metadata": {"origin": "a test", "empty": "", "upper-case": "kept As Is"},
    }
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, Expires=LONG_AGO, **headers)
    head = s3.head_object(Bucket=bucket, Key="data")
    assert {name: head[name] for name in headers} == headers
    assert head["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Sat, 03 Feb 2001 04:05:06 GMT"


def test_metadata_over_2_kb_is_refused(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("MetadataTooLarge", 400):
        s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, Metadata={"large": "x" * 2048})


def test_overwrite_forgets_metadata_and_tags(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=b"", Metadata={"a": "b"}, Tagging="c=d", ContentType="text/plain")
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    head = s3.head_object(Bucket=bucket, Key="data")
    assert (head["Metadata"], head["ContentType"]) == ({}, "binary/octet-stream")
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == []


def test_get_answers_with_the_headers_that_the_request_overrides(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, ContentType="text/plain")
    got = s3.get_object(
        Bucket=bucket, Key="data", ResponseContentType="text/html", ResponseContentDisposition="inline; filename=x",
        ResponseCacheControl="no-cache", ResponseContentEncoding="identity", ResponseContentLanguage="fr",
        ResponseExpires=LONG_AGO,
    )  # fmt: skip
    got["Body"].close()
    assert got["ContentType"] == "text/html"
    assert got["ContentDisposition"] == "inline; filename=x"
    assert got["CacheControl"] == "no-cache"
    assert got["ContentEncoding"] == "identity"
    assert got["ContentLanguage"] == "fr"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_put_with_a_checksum_gives_it_back_when_asked(s3: S3Client, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=bucket, Key="data", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert head["ChecksumType"] == "FULL_OBJECT"
    assert f"Checksum{algorithm}" not in s3.head_object(Bucket=bucket, Key="data", ChecksumMode="DISABLED")
    assert read(s3, bucket, "data", ChecksumMode="ENABLED") == CONTENT


def test_put_with_default_settings_stores_the_clients_checksum(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    head = s3.head_object(Bucket=bucket, Key="data", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == base64.b64encode(zlib.crc32(CONTENT).to_bytes(4)).decode()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, "BadDigest"),
        ({"ContentMD5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
        ({"ChecksumCRC32": "short"}, "BadDigest"),
        ({"ContentMD5": "short"}, "InvalidDigest"),
    ],
)
def test_put_with_a_wrong_checksum_stores_nothing(
    s3: S3Client, impatient_s3: S3Client, bucket: str, wrong: dict[str, str], code: str
) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with raises_s3_error(code, 400):
        impatient_s3.put_object(Bucket=bucket, Key="data", Body=b"other", **wrong)
    assert read(s3, bucket, "data") == CONTENT


def test_copy_takes_content_metadata_and_tags_with_it(s3: S3Client, new_bucket: Callable[[], str]) -> None:
    source, target = new_bucket(), new_bucket()
    s3.put_object(Bucket=source, Key="from", Body=CONTENT, Metadata={"a": "b"}, ContentType="text/plain", Tagging="c=d")
    copied = s3.copy_object(Bucket=target, Key="to", CopySource={"Bucket": source, "Key": "from"})
    head = s3.head_object(Bucket=target, Key="to")
    assert copied["CopyObjectResult"]["ETag"] == head["ETag"] == ETAG
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b"}, "text/plain")
    assert s3.get_object_tagging(Bucket=target, Key="to")["TagSet"] == [{"Key": "c", "Value": "d"}]
    assert read(s3, target, "to") == CONTENT


def test_copy_with_replace_takes_the_requests_metadata(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=CONTENT, Metadata={"a": "b"}, Tagging="c=d")
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"}, MetadataDirective="REPLACE",
        Metadata={"e": "f"}, ContentType="text/css", TaggingDirective="REPLACE", Tagging="g=h",
    )  # fmt: skip
    head = s3.head_object(Bucket=bucket, Key="to")
    assert (head["Metadata"], head["ContentType"]) == ({"e": "f"}, "text/css")
    assert s3.get_object_tagging(Bucket=bucket, Key="to")["TagSet"] == [{"Key": "g", "Value": "h"}]


def test_copy_onto_itself_is_only_for_changing_something(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, Metadata={"a": "b"})
    itself = {"Bucket": bucket, "Key": "data"}
    with raises_s3_error("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="data", CopySource=itself)
    s3.copy_object(Bucket=bucket, Key="data", CopySource=itself, MetadataDirective="REPLACE", Metadata={"c": "d"})
    assert s3.head_object(Bucket=bucket, Key="data")["Metadata"] == {"c": "d"}
    assert read(s3, bucket, "data") == CONTENT


def test_copy_whose_condition_on_the_source_fails_is_refused(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=CONTENT)
    source = {"Bucket": bucket, "Key": "from"}
    with raises_s3_error("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch='"other"')
    with raises_s3_error("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfNoneMatch=ETAG)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["from"]


def test_copy_of_a_missing_source_is_no_such_key(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "absent"})


def test_tags_are_put_read_counted_and_deleted(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, Tagging="a=b&c%20d=e%2Bf")
    both = [{"Key": "a", "Value": "b"}, {"Key": "c d", "Value": "e+f"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == both
    got = s3.get_object(Bucket=bucket, Key="data")
    assert (got["TagCount"], got["Body"].read()) == (2, CONTENT)
    s3.put_object_tagging(Bucket=bucket, Key="data", Tagging={"TagSet": [{"Key": "x", "Value": "ü"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == [{"Key": "x", "Value": "ü"}]
    s3.delete_object_tagging(Bucket=bucket, Key="data")
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == []
    assert read(s3, bucket, "data") == CONTENT


@pytest.mark.parametrize(
    "tags",
    [[("k", "v"), ("k", "w")], [(f"k{number}", "") for number in range(11)], [("k" * 129, "")], [("k", "v" * 257)]],
)
def test_tags_over_the_limits_are_refused(s3: S3Client, bucket: str, tags: list[tuple[str, str]]) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with pytest.raises(ClientError) as caught:
        s3.put_object_tagging(
            Bucket=bucket, Key="data", Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
        )
    assert caught.value.response["Error"]["Code"] in {"InvalidTag", "BadRequest"}


def test_object_attributes_tell_what_is_asked(s3: S3Client, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    got = s3.get_object_attributes(
        Bucket=bucket, Key="data", ObjectAttributes=["ETag", "Checksum", "StorageClass", "ObjectSize"]
    )
    assert got["ETag"] == ETAG.strip('"')
    assert got["Checksum"]["ChecksumCRC32"] == put["ChecksumCRC32"]
    assert (got["StorageClass"], got["ObjectSize"]) == ("STANDARD", len(CONTENT))
