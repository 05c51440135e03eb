from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.assertions import S3Client, raises_s3_error
from tests.integration.conftest import make_client
from tests.integration.watched import ANN, WatchedServer


def test_created_bucket_is_listed_with_its_owner_and_date(s3: S3Client, bucket: str) -> None:
    listed = s3.list_buckets()
    created = {each["Name"]: each["CreationDate"] for each in listed["Buckets"]}
    assert abs(created[bucket] - datetime.now(UTC)) < timedelta(seconds=30)
    assert listed["Owner"]["ID"]


def test_list_buckets_shows_only_the_callers_own(bobs_s3: S3Client, bucket: str) -> None:
    assert bucket not in [each["Name"] for each in bobs_s3.list_buckets()["Buckets"]]


def test_list_buckets_pages_through_a_prefix(s3: S3Client, bucket: str) -> None:
    names = [bucket, f"{bucket}-1", f"{bucket}-2"]
    for name in names[1:]:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix=bucket, PaginationConfig={"PageSize": 2})
    assert [[each["Name"] for each in page["Buckets"]] for page in pages] == [names[:2], names[2:]]


def test_head_bucket_tells_the_region(s3: S3Client, bucket: str) -> None:
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    with raises_s3_error("404", 404):
        s3.head_bucket(Bucket="no-such-bucket")


def test_bucket_location_of_us_east_1_is_empty(s3: S3Client, bucket: str) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


def test_creating_ones_own_bucket_again_succeeds(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=b"")
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_creating_another_users_bucket_is_bucket_already_exists(bobs_s3: S3Client, bucket: str) -> None:
    with raises_s3_error("BucketAlreadyExists", 409):
        bobs_s3.create_bucket(Bucket=bucket)


@pytest.mark.parametrize("name", ["ab", "UpperCase", "under_score", "dot..dot", "-dash", "192.168.1.1", "x" * 64])
def test_bucket_name_that_s3_forbids_is_refused(s3: S3Client, name: str) -> None:
    with raises_s3_error("InvalidBucketName", 400):
        s3.create_bucket(Bucket=name)


def test_bucket_is_a_directory_of_the_root(s3: S3Client, directory: Path, bucket: str) -> None:
    assert directory.is_dir()
    s3.delete_bucket(Bucket=bucket)
    assert not directory.exists()
    with raises_s3_error("404", 404):
        s3.head_bucket(Bucket=bucket)


def test_bucket_with_an_object_cannot_be_deleted(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"")
    with raises_s3_error("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="a/b")
    s3.delete_bucket(Bucket=bucket)


def test_bucket_tags_are_put_read_and_deleted(s3: S3Client, bucket: str) -> None:
    with raises_s3_error("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    tags = [{"Key": "team", "Value": "analytics"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    with raises_s3_error("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)


def test_fresh_bucket_has_no_versioning_and_a_private_acl(s3: S3Client, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert [grant["Permission"] for grant in s3.get_bucket_acl(Bucket=bucket)["Grants"]] == ["FULL_CONTROL"]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ],
)
def test_fresh_bucket_has_nothing_configured(s3: S3Client, bucket: str, operation: str, code: str) -> None:
    with raises_s3_error(code, 404):
        getattr(s3, operation)(Bucket=bucket)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("put_bucket_policy", {"Policy": "{}"}),
        ("get_bucket_website", {}),
        ("put_bucket_acl", {"ACL": "public-read"}),
    ],
)
def test_what_comes_later_is_not_implemented(
    s3: S3Client, bucket: str, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(s3.exceptions.ClientError) as caught:
        getattr(s3, operation)(Bucket=bucket, **parameters)
    assert caught.value.response["Error"]["Code"] in {"NotImplemented", "NoSuchWebsiteConfiguration"}


def test_client_of_another_region_is_told_the_right_one(server: WatchedServer, new_bucket: Callable[[], str]) -> None:
    bucket = new_bucket()
    client = make_client(server.url, ANN, region_name="eu-central-1")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    client.close()
