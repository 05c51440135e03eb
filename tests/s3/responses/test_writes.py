from datetime import UTC, datetime

from s3proxy.s3 import responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    CompleteMultipartUpload,
    CopyResult,
    CreateMultipartUpload,
    DeleteObjects,
    ETag,
    Key,
    ObjectMetadata,
    ObjectToDelete,
    PutResult,
    UploadId,
)
from tests.s3.responses.reading import headers_of, read

BUCKET, KEY, UPLOAD = Bucket("bucket"), Key("a b&c"), UploadId("u")
CHECKSUM = Checksum(ChecksumAlgorithm.CRC32C, "c=", ChecksumType.FULL_OBJECT)
STORED = PutResult(etag=ETag("abc"), size=3, checksum=CHECKSUM)


def test_put_object_answers_etag_and_checksum() -> None:
    assert headers_of(responses.put_object(STORED)) == {
        "etag": '"abc"',
        "x-amz-checksum-crc32c": "c=",
        "x-amz-checksum-type": "FULL_OBJECT",
    }


def test_upload_part_answers_a_checksum_without_type() -> None:
    assert headers_of(responses.upload_part(STORED)) == {"etag": '"abc"', "x-amz-checksum-crc32c": "c="}
    assert headers_of(responses.upload_part(PutResult(etag=ETag("abc"), size=3))) == {"etag": '"abc"'}


def test_copies_answer_etag_time_and_checksum() -> None:
    result = CopyResult(etag=ETag("abc"), last_modified_ns=1_700_000_000_000_000_000, checksum=CHECKSUM)
    common = {
        "LastModified": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        "ETag": '"abc"',
        "ChecksumCRC32C": "c=",
    }
    assert read("CopyObject", responses.copy_object(result)) == {
        "CopyObjectResult": {**common, "ChecksumType": "FULL_OBJECT"}
    }
    assert read("UploadPartCopy", responses.upload_part_copy(result)) == {"CopyPartResult": common}


def test_delete_objects_answers_each_key_with_its_version_and_error() -> None:
    gone, failed = ObjectToDelete(key=Key("a\nb"), version_id="null"), ObjectToDelete(key=Key("c"))
    outcomes = [(gone, None), (failed, S3Error(ErrorCode.PRECONDITION_FAILED))]
    errors = [{"Key": "c", "Code": "PreconditionFailed", "Message": ErrorCode.PRECONDITION_FAILED.message}]
    operation = DeleteObjects(bucket=BUCKET, objects=(gone, failed))
    assert read("DeleteObjects", responses.delete_objects(operation, outcomes)) == {
        "Deleted": [{"Key": "a\nb", "VersionId": "null"}],
        "Errors": errors,
    }
    quiet = DeleteObjects(bucket=BUCKET, objects=(gone, failed), quiet=True)
    assert read("DeleteObjects", responses.delete_objects(quiet, outcomes)) == {"Errors": errors}


def test_create_multipart_upload_answers_id_and_checksum_headers() -> None:
    operation = CreateMultipartUpload(
        bucket=BUCKET,
        key=KEY,
        metadata=ObjectMetadata(),
        checksum_algorithm=ChecksumAlgorithm.SHA256,
        checksum_type=ChecksumType.COMPOSITE,
    )
    assert read("CreateMultipartUpload", responses.create_multipart_upload(operation, UPLOAD)) == {
        "Bucket": "bucket",
        "Key": "a b&c",
        "UploadId": "u",
        "ChecksumAlgorithm": "SHA256",
        "ChecksumType": "COMPOSITE",
    }
    plain = CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=ObjectMetadata())
    assert headers_of(responses.create_multipart_upload(plain, UPLOAD)) == {"content-type": "application/xml"}


def test_complete_multipart_upload_answers_location_etag_and_checksum() -> None:
    operation = CompleteMultipartUpload(
        bucket=BUCKET, key=KEY, upload_id=UPLOAD, parts=(CompletedPart(number=1, etag=ETag("e")),)
    )
    response = responses.complete_multipart_upload(operation, STORED, "http://host:1")
    assert read("CompleteMultipartUpload", response) == {
        "Location": "http://host:1/bucket/a%20b%26c",
        "Bucket": "bucket",
        "Key": "a b&c",
        "ETag": '"abc"',
        "ChecksumCRC32C": "c=",
        "ChecksumType": "FULL_OBJECT",
    }
