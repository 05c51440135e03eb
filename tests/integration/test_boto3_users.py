import pytest

from tests.integration.assertions import S3Client, keys_of, raises_s3_error, read
from tests.integration.conftest import make_client
from tests.integration.watched import ANN, WatchedServer
from tests.signing import Keys

CONTENT = b"0123456789abcdefghijklmnopqrstuvwxyz"


def test_canned_acl_private_is_accepted(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT, ACL="private")
    assert s3.get_object_acl(Bucket=bucket, Key="data")["Grants"][0]["Permission"] == "FULL_CONTROL"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_object", {"Key": "data"}),
        ("put_object", {"Key": "data", "Body": b"other"}),
        ("delete_object", {"Key": "data"}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "data"}]}}),
        ("create_multipart_upload", {"Key": "data"}),
        ("list_objects_v2", {}),
        ("get_bucket_tagging", {}),
        ("delete_bucket", {}),
    ],
)
def test_another_users_bucket_is_access_denied(
    s3: S3Client, bobs_s3: S3Client, bucket: str, operation: str, parameters: dict[str, object]
) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with raises_s3_error("AccessDenied", 403):
        getattr(bobs_s3, operation)(Bucket=bucket, **parameters)
    assert read(s3, bucket, "data") == CONTENT


def test_copy_from_another_users_bucket_is_access_denied(s3: S3Client, bobs_s3: S3Client, bucket: str) -> None:
    # RustFS CVE-2026-39360: a copy did not ask who may read the source.
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    bobs = f"{bucket}-bob"
    bobs_s3.create_bucket(Bucket=bobs)
    with raises_s3_error("AccessDenied", 403):
        bobs_s3.copy_object(Bucket=bobs, Key="data", CopySource={"Bucket": bucket, "Key": "data"})
    upload = bobs_s3.create_multipart_upload(Bucket=bobs, Key="data")["UploadId"]
    with raises_s3_error("AccessDenied", 403):
        bobs_s3.upload_part_copy(
            Bucket=bobs, Key="data", UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "data"}
        )
    bobs_s3.abort_multipart_upload(Bucket=bobs, Key="data", UploadId=upload)
    assert keys_of(bobs_s3.list_objects_v2(Bucket=bobs)) == []


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (Keys(ANN.access_key, "a wrong secret"), "SignatureDoesNotMatch"),
        (Keys("AKEVE", ANN.secret_key), "InvalidAccessKeyId"),
    ],
)
def test_wrong_keys_are_refused(server: WatchedServer, bucket: str, keys: Keys, code: str) -> None:
    client = make_client(server.url, keys)
    with raises_s3_error(code, 403):
        client.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    client.close()
