import base64
import hashlib
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.assertions import Answer, S3Client, keys_of, raises_s3_error, read

MIB = 1024 * 1024
PART = 5 * MIB
FIRST = random.Random(1).randbytes(PART)
LAST = random.Random(2).randbytes(1000)


def etag_of_parts(*parts: bytes) -> str:
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


class Upload:
    """A multipart upload of ``key`` to ``bucket``, and the parts that it was given."""

    def __init__(self, s3: S3Client, bucket: str, key: str = "data", **parameters: object) -> None:
        self._s3 = s3
        self._name = {"Bucket": bucket, "Key": key}
        self.id: str = s3.create_multipart_upload(**self._name, **parameters)["UploadId"]
        self.parts: list[dict[str, Any]] = []

    def put(self, number: int, content: bytes, **parameters: object) -> Answer:
        put = self._s3.upload_part(**self._name, UploadId=self.id, PartNumber=number, Body=content, **parameters)
        checksums = {
            name: value for name, value in put.items() if name.startswith("Checksum") and name != "ChecksumType"
        }
        self.parts.append({"PartNumber": number, "ETag": put["ETag"], **checksums})
        return put

    def copy(self, number: int, source: dict[str, str], **parameters: object) -> None:
        copied = self._s3.upload_part_copy(
            **self._name, UploadId=self.id, PartNumber=number, CopySource=source, **parameters
        )
        self.parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})

    def list_parts(self, **parameters: object) -> Answer:
        return self._s3.list_parts(**self._name, UploadId=self.id, **parameters)

    def complete(self, parts: list[dict[str, Any]] | None = None, **parameters: object) -> Answer:
        named = {"Parts": self.parts if parts is None else parts}
        return self._s3.complete_multipart_upload(**self._name, UploadId=self.id, MultipartUpload=named, **parameters)

    def abort(self) -> None:
        self._s3.abort_multipart_upload(**self._name, UploadId=self.id)


def test_upload_file_and_download_file_move_a_large_file_in_parts(s3: S3Client, bucket: str, tmp_path: Path) -> None:
    content = random.Random(3).randbytes(20 * MIB + 7)
    (tmp_path / "up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), bucket, "data")
    s3.download_file(bucket, "data", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content
    eight = 8 * MIB
    parts = [content[start : start + eight] for start in range(0, len(content), eight)]
    assert s3.head_object(Bucket=bucket, Key="data")["ETag"] == etag_of_parts(*parts)


def test_upload_shows_as_an_object_only_when_it_is_complete(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket, Metadata={"a": "b"}, ContentType="text/plain", Tagging="c=d")
    upload.put(1, FIRST)
    upload.put(2, LAST)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    with raises_s3_error("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="data")
    completed = upload.complete()
    head = s3.head_object(Bucket=bucket, Key="data")
    assert completed["ETag"] == head["ETag"] == etag_of_parts(FIRST, LAST)
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b"}, "text/plain")
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == [{"Key": "c", "Value": "d"}]
    assert read(s3, bucket, "data") == FIRST + LAST
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_complete_joins_exactly_the_listed_parts(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(3, FIRST)
    upload.put(7, FIRST)
    upload.put(10_000, LAST)
    upload.complete([upload.parts[0], upload.parts[2]])
    assert read(s3, bucket, "data") == FIRST + LAST


def test_complete_takes_the_last_of_parts_with_one_number(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(1, FIRST)
    upload.put(1, LAST)
    with raises_s3_error("InvalidPart", 400):
        upload.complete(upload.parts[:1])
    upload.complete(upload.parts[1:])
    assert read(s3, bucket, "data") == LAST


def test_complete_a_second_time_gives_the_same_answer(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(1, LAST)
    assert upload.complete()["ETag"] == upload.complete()["ETag"]


def test_complete_with_wrong_parts_is_refused_and_the_upload_stays(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(1, FIRST)
    upload.put(2, LAST)
    upload.put(3, LAST)
    one, two, three = upload.parts
    for parts, code in (
        ([two, one], "InvalidPartOrder"),
        ([one, two | {"PartNumber": 4}], "InvalidPart"),
        ([one, two | {"ETag": one["ETag"]}], "InvalidPart"),
        ([two, three], "EntityTooSmall"),
        ([], "MalformedXML"),
    ):
        with raises_s3_error(code, 400):
            upload.complete(parts)
    upload.complete([one, two])
    assert read(s3, bucket, "data") == FIRST + LAST


def test_complete_if_none_match_never_replaces(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=b"first")
    upload = Upload(s3, bucket)
    upload.put(1, LAST)
    with raises_s3_error("PreconditionFailed", 412):
        upload.complete(IfNoneMatch="*")
    assert read(s3, bucket, "data") == b"first"


def test_complete_checks_the_size_that_the_client_tells(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(1, LAST)
    with raises_s3_error("InvalidRequest", 400):
        upload.complete(MpuObjectSize=len(LAST) + 1)
    upload.complete(MpuObjectSize=len(LAST))


def test_abort_forgets_the_upload(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(1, FIRST)
    upload.abort()
    for refused in (upload.list_parts, upload.complete, upload.abort, lambda: upload.put(2, LAST)):
        with raises_s3_error("NoSuchUpload", 404):
            refused()
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    s3.delete_bucket(Bucket=bucket)


def test_upload_part_number_out_of_bounds_is_refused(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    for number in (0, 10_001):
        with raises_s3_error("InvalidArgument", 400):
            upload.put(number, LAST)


def test_upload_part_with_a_wrong_checksum_is_no_part(impatient_s3: S3Client, bucket: str) -> None:
    upload = Upload(impatient_s3, bucket)
    with raises_s3_error("BadDigest", 400):
        upload.put(1, LAST, ContentMD5=base64.b64encode(bytes(16)).decode())
    assert "Parts" not in upload.list_parts()


def test_list_parts_pages_through_the_parts(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    for number in (1, 2, 5):
        upload.put(number, LAST)
    page = upload.list_parts(MaxParts=2)
    assert [part["PartNumber"] for part in page["Parts"]] == [1, 2]
    assert {(part["Size"], part["ETag"]) for part in page["Parts"]} == {(len(LAST), upload.parts[0]["ETag"])}
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 2)
    rest = upload.list_parts(PartNumberMarker=2)
    assert ([part["PartNumber"] for part in rest["Parts"]], rest["IsTruncated"]) == ([5], False)
    upload.abort()


def test_list_multipart_uploads_pages_in_order_of_keys(s3: S3Client, bucket: str) -> None:
    uploads = {key: Upload(s3, bucket, key) for key in ("b/2", "a", "b/1", "b.")}
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    listed = [(each["Key"], each["UploadId"]) for page in pages for each in page.get("Uploads", [])]
    assert listed == [(key, uploads[key].id) for key in ("a", "b.", "b/1", "b/2")]
    below = s3.list_multipart_uploads(Bucket=bucket, Prefix="b", Delimiter="/")
    assert [each["Key"] for each in below["Uploads"]] == ["b."]
    assert [each["Prefix"] for each in below["CommonPrefixes"]] == ["b/"]


def test_upload_part_copy_takes_ranges_of_another_object(s3: S3Client, new_bucket: Callable[[], str]) -> None:
    source, target = new_bucket(), new_bucket()
    s3.put_object(Bucket=source, Key="from", Body=FIRST + LAST)
    upload = Upload(s3, target)
    upload.copy(1, {"Bucket": source, "Key": "from"}, CopySourceRange=f"bytes=0-{PART - 1}")
    upload.copy(2, {"Bucket": source, "Key": "from"}, CopySourceRange=f"bytes={PART}-{PART + 99}")
    upload.complete()
    assert read(s3, target, "data") == FIRST + LAST[:100]


def test_upload_part_copy_beyond_the_source_is_refused(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=LAST)
    upload = Upload(s3, bucket)
    with raises_s3_error("InvalidRange", 416):
        upload.copy(1, {"Bucket": bucket, "Key": "from"}, CopySourceRange="bytes=0-1000000")


def test_copy_of_a_multipart_object_by_the_client_library_gives_the_same_bytes(s3: S3Client, bucket: str) -> None:
    content = random.Random(4).randbytes(9 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=content)
    s3.copy({"Bucket": bucket, "Key": "from"}, bucket, "to")
    assert read(s3, bucket, "to") == content
    assert s3.head_object(Bucket=bucket, Key="to")["ETag"].endswith('-2"')


def test_get_part_number_gives_that_part(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    upload.put(1, FIRST)
    upload.put(2, LAST)
    upload.complete()
    got = s3.get_object(Bucket=bucket, Key="data", PartNumber=2)
    assert got["Body"].read() == LAST
    assert got["PartsCount"] == 2
    assert got["ContentRange"] == f"bytes {PART}-{PART + len(LAST) - 1}/{PART + len(LAST)}"
    with raises_s3_error("InvalidPartNumber", 416):
        s3.get_object(Bucket=bucket, Key="data", PartNumber=3)


def test_full_object_checksum_is_that_of_the_whole_object(s3: S3Client, impatient_s3: S3Client, bucket: str) -> None:
    upload = Upload(impatient_s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload.put(1, FIRST, ChecksumAlgorithm="CRC32")
    upload.put(2, LAST, ChecksumAlgorithm="CRC32")
    whole = base64.b64encode(zlib.crc32(FIRST + LAST).to_bytes(4)).decode()
    with raises_s3_error("BadDigest", 400):
        upload.complete(ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    completed = upload.complete(ChecksumCRC32=whole, ChecksumType="FULL_OBJECT")
    assert (completed["ChecksumCRC32"], completed["ChecksumType"]) == (whole, "FULL_OBJECT")
    assert read(s3, bucket, "data", ChecksumMode="ENABLED") == FIRST + LAST


def test_composite_checksum_is_that_of_the_parts_checksums(s3: S3Client, bucket: str) -> None:
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    upload.put(1, FIRST, ChecksumAlgorithm="SHA256")
    upload.put(2, LAST, ChecksumAlgorithm="SHA256")
    upload.complete()
    digests = hashlib.sha256(hashlib.sha256(FIRST).digest() + hashlib.sha256(LAST).digest()).digest()
    head = s3.head_object(Bucket=bucket, Key="data", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == f"{base64.b64encode(digests).decode()}-2"
    assert head["ChecksumType"] == "COMPOSITE"
    attributes = s3.get_object_attributes(Bucket=bucket, Key="data", ObjectAttributes=["ObjectParts", "Checksum"])
    assert attributes["ObjectParts"]["TotalPartsCount"] == 2
    assert [part["Size"] for part in attributes["ObjectParts"]["Parts"]] == [PART, len(LAST)]


@pytest.mark.parametrize("upload_id", ["absent", "../../etc", "a/b", "%00", "x" * 2000])
def test_upload_id_that_was_never_given_is_no_such_upload(s3: S3Client, bucket: str, upload_id: str) -> None:
    with raises_s3_error("NoSuchUpload", 404):
        s3.list_parts(Bucket=bucket, Key="data", UploadId=upload_id)
    with raises_s3_error("NoSuchUpload", 404):
        s3.upload_part(Bucket=bucket, Key="data", UploadId=upload_id, PartNumber=1, Body=LAST)
