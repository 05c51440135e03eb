"""Requests for listings: buckets, objects in three dialects, uploads."""

from s3proxy.s3.model import ListBuckets, ListMultipartUploads, ListObjects, ListObjectsV2, ListObjectVersions
from s3proxy.s3.requests.text import RequestText, invalid_argument, parse_number

_MAX_BUCKETS = 10_000
_DEFAULT_MAX = 1000


def parse_list_buckets(request: RequestText) -> ListBuckets:
    """GET /.

    Raises:
        S3Error: INVALID_ARGUMENT.

    Source: S3 API ListBuckets.
    """
    most = request.parameter("max-buckets", str(_MAX_BUCKETS))
    return ListBuckets(
        prefix=request.parameter("prefix"),
        max_buckets=parse_number(most, "max-buckets", low=1, high=_MAX_BUCKETS),
        continuation_token=request.address.parameters.get("continuation-token"),
    )


def parse_list_objects(request: RequestText) -> ListObjects:
    """GET /bucket, version 1.

    Raises:
        S3Error: INVALID_ARGUMENT.

    Source: S3 API ListObjects.
    """
    return ListObjects(
        bucket=request.bucket,
        prefix=request.parameter("prefix"),
        delimiter=request.parameter("delimiter"),
        marker=request.parameter("marker"),
        max_keys=request.number("max-keys", _DEFAULT_MAX),
        encoding_type=request.encoding_type,
    )


def parse_list_objects_v2(request: RequestText) -> ListObjectsV2:
    """GET /bucket?list-type=2.

    Raises:
        S3Error: INVALID_ARGUMENT; a continuation token is looked into only when the page is made.

    Source: S3 API ListObjectsV2.
    """
    if request.parameter("list-type") != "2":
        raise invalid_argument("Invalid List Type specified in Request", "list-type", request.parameter("list-type"))
    return ListObjectsV2(
        bucket=request.bucket,
        prefix=request.parameter("prefix"),
        delimiter=request.parameter("delimiter"),
        start_after=request.parameter("start-after"),
        continuation_token=request.address.parameters.get("continuation-token"),
        max_keys=request.number("max-keys", _DEFAULT_MAX),
        encoding_type=request.encoding_type,
        fetch_owner=request.parameter("fetch-owner").lower() == "true",
    )


def parse_list_object_versions(request: RequestText) -> ListObjectVersions:
    """GET /bucket?versions.

    Raises:
        S3Error: INVALID_ARGUMENT.

    Source: S3 API ListObjectVersions.
    """
    version_id_marker = request.address.parameters.get("version-id-marker")
    key_marker = request.parameter("key-marker")
    if version_id_marker and not key_marker:
        message = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(message, "version-id-marker", version_id_marker)
    return ListObjectVersions(
        bucket=request.bucket,
        prefix=request.parameter("prefix"),
        delimiter=request.parameter("delimiter"),
        key_marker=key_marker,
        version_id_marker=version_id_marker or None,
        max_keys=request.number("max-keys", _DEFAULT_MAX),
        encoding_type=request.encoding_type,
    )


def parse_list_multipart_uploads(request: RequestText) -> ListMultipartUploads:
    """GET /bucket?uploads.

    Raises:
        S3Error: INVALID_ARGUMENT.

    Source: S3 API ListMultipartUploads.
    """
    return ListMultipartUploads(
        bucket=request.bucket,
        prefix=request.parameter("prefix"),
        delimiter=request.parameter("delimiter"),
        key_marker=request.parameter("key-marker"),
        upload_id_marker=request.parameter("upload-id-marker"),
        max_uploads=min(request.number("max-uploads", _DEFAULT_MAX), _DEFAULT_MAX),
        encoding_type=request.encoding_type,
    )
