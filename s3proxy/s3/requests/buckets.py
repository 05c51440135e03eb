"""Requests about a bucket itself: its life, its tags, its configuration."""

import re

from s3proxy.s3 import xml
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    CreateBucket,
    DeleteBucket,
    DeleteBucketTagging,
    GetBucketAcl,
    GetBucketDefault,
    GetBucketLocation,
    GetBucketTagging,
    HeadBucket,
    PutBucketTagging,
)
from s3proxy.s3.names import check_new_bucket
from s3proxy.s3.requests.object_headers import GRANTS, parse_canned_acl, refuse_headers
from s3proxy.s3.requests.tagging import parse_bucket_tagging
from s3proxy.s3.requests.text import RequestText, header_not_implemented

MAX_CONFIGURATION_BYTES = 64 * 1024
_MAX_CONFIGURATION_ELEMENTS = 512
_UNSUPPORTED_ON_CREATE = GRANTS | {b"x-amz-object-ownership"}

# Names of regions, and those with a placement behind a colon that Ceph knows.
_is_location = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch


def parse_create_bucket(request: RequestText) -> CreateBucket:
    """PUT /bucket, with or without a CreateBucketConfiguration.

    Raises:
        S3Error: INVALID_BUCKET_NAME; INVALID_LOCATION_CONSTRAINT; MALFORMED_XML; INVALID_ARGUMENT for an unknown ACL;
            NOT_IMPLEMENTED for access, ownership or object lock that is not supported.

    Source: S3 API CreateBucket.
    """
    check_new_bucket(request.bucket)
    refuse_headers(request.fields, _UNSUPPORTED_ON_CREATE)
    if request.fields.get(b"x-amz-bucket-object-lock-enabled", b"false").lower() != b"false":
        raise header_not_implemented(b"x-amz-bucket-object-lock-enabled")
    return CreateBucket(
        bucket=request.bucket,
        location_constraint=_location_constraint(request.xml),
        acl=parse_canned_acl(request.fields),
    )


def _location_constraint(body: bytes) -> str | None:
    if not body:
        return None
    root = xml.parse(
        body,
        "CreateBucketConfiguration",
        max_bytes=MAX_CONFIGURATION_BYTES,
        max_elements=_MAX_CONFIGURATION_ELEMENTS,
    )
    if any(xml.local_name(element) == "Tags" for element in root):
        # Passed over, they would be missed only when somebody looks for them.
        message = "Tags in a CreateBucketConfiguration are not implemented here; use PutBucketTagging."
        raise S3Error(ErrorCode.NOT_IMPLEMENTED, message)
    location = xml.texts(root).get("LocationConstraint") or None
    if location is not None and not _is_location(location):
        raise S3Error(ErrorCode.INVALID_LOCATION_CONSTRAINT)
    return location


def parse_head_bucket(request: RequestText) -> HeadBucket:
    """HEAD /bucket."""
    return HeadBucket(bucket=request.bucket)


def parse_delete_bucket(request: RequestText) -> DeleteBucket:
    """DELETE /bucket."""
    return DeleteBucket(bucket=request.bucket)


def parse_get_bucket_location(request: RequestText) -> GetBucketLocation:
    """GET /bucket?location."""
    return GetBucketLocation(bucket=request.bucket)


def parse_get_bucket_acl(request: RequestText) -> GetBucketAcl:
    """GET /bucket?acl."""
    return GetBucketAcl(bucket=request.bucket)


def parse_get_bucket_tagging(request: RequestText) -> GetBucketTagging:
    """GET /bucket?tagging."""
    return GetBucketTagging(bucket=request.bucket)


def parse_put_bucket_tagging(request: RequestText) -> PutBucketTagging:
    """PUT /bucket?tagging.

    Raises:
        S3Error: INVALID_TAG; MALFORMED_XML.

    Source: S3 API PutBucketTagging.
    """
    return PutBucketTagging(bucket=request.bucket, tags=parse_bucket_tagging(request.xml))


def parse_delete_bucket_tagging(request: RequestText) -> DeleteBucketTagging:
    """DELETE /bucket?tagging."""
    return DeleteBucketTagging(bucket=request.bucket)


def parse_get_bucket_default(request: RequestText, subresource: str) -> GetBucketDefault:
    """GET of a configuration that nobody can have changed."""
    return GetBucketDefault(bucket=request.bucket, subresource=subresource)
