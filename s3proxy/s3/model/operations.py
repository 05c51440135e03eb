"""What a request asks for, one class for each operation. Each is handled in gateway/dispatch.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from s3proxy.s3.model.values import (
    NO_READ_CONDITIONS,
    NO_WRITE_CONDITIONS,
    Bucket,
    ByteRange,
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    Key,
    ObjectMetadata,
    ReadConditions,
    Tags,
    UploadId,
    WriteConditions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBuckets:
    """GET /."""

    prefix: str = ""
    max_buckets: int = 10_000
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBucket:
    """PUT /bucket; ``location_constraint`` comes from its XML body."""

    bucket: Bucket
    location_constraint: str | None = None
    acl: CannedAcl = CannedAcl.PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadBucket:
    """HEAD /bucket."""

    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBucket:
    """DELETE /bucket."""

    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketLocation:
    """GET /bucket?location."""

    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketAcl:
    """GET /bucket?acl."""

    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketTagging:
    """GET /bucket?tagging."""

    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketTagging:
    """PUT /bucket?tagging."""

    bucket: Bucket
    tags: Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBucketTagging:
    """DELETE /bucket?tagging."""

    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketDefault:
    """GET /bucket?versioning, ?policy and the like, answered as AWS does for a fresh bucket."""

    bucket: Bucket
    subresource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectAcl:
    """GET /bucket/key?acl."""

    bucket: Bucket
    key: Key
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjects:
    """GET /bucket, version 1."""

    bucket: Bucket
    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    max_keys: int = 1000
    """As asked; the answer echoes it clamped to 1000."""
    encoding_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectsV2:
    """GET /bucket?list-type=2."""

    bucket: Bucket
    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    continuation_token: str | None = None
    max_keys: int = 1000
    encoding_type: str | None = None
    fetch_owner: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectVersions:
    """GET /bucket?versions, of a bucket that was never versioned."""

    bucket: Bucket
    prefix: str = ""
    delimiter: str = ""
    key_marker: str = ""
    version_id_marker: str | None = None
    max_keys: int = 1000
    encoding_type: str | None = None


@dataclass(slots=True, kw_only=True)  # not frozen: that takes five times as long to make
class ObjectRead:
    """What GetObject and HeadObject have in common, which is everything."""

    bucket: Bucket
    key: Key
    version_id: str | None = None
    range: str | None = None
    """The Range header as sent."""
    part_number: int | None = None
    """Never together with a range."""
    conditions: ReadConditions = NO_READ_CONDITIONS
    if_range: str | None = None
    checksum_mode: bool = False
    response_headers: Mapping[str, str] = field(default_factory=dict)
    """The response-* overrides: lower-case header name -> value."""
    no_store: bool = False
    """``x-s3proxy-cache: no-store``: what is not cached already shall not be cached for this read."""


class GetObject(ObjectRead):
    """GET /bucket/key."""

    __slots__ = ()


class HeadObject(ObjectRead):
    """HEAD /bucket/key."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectAttributes:
    """GET /bucket/key?attributes."""

    bucket: Bucket
    key: Key
    attributes: frozenset[str]
    """Of ETag, Checksum, ObjectParts, StorageClass, ObjectSize."""
    version_id: str | None = None
    max_parts: int = 1000
    part_number_marker: int = 0
    conditions: ReadConditions = NO_READ_CONDITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObject:
    """PUT /bucket/key; the body comes beside it."""

    bucket: Bucket
    key: Key
    metadata: ObjectMetadata
    tags: Tags = field(default_factory=dict)
    conditions: WriteConditions = NO_WRITE_CONDITIONS
    storage_class: str = "STANDARD"
    acl: CannedAcl = CannedAcl.PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObject:
    """DELETE /bucket/key."""

    bucket: Bucket
    key: Key
    version_id: str | None = None
    conditions: WriteConditions = NO_WRITE_CONDITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectToDelete:
    """One entry of DeleteObjects."""

    key: Key
    version_id: str | None = None
    conditions: WriteConditions = NO_WRITE_CONDITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObjects:
    """POST /bucket?delete."""

    bucket: Bucket
    objects: tuple[ObjectToDelete, ...]
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """Where a copy reads: x-amz-copy-source with its range and conditions."""

    bucket: Bucket
    key: Key
    version_id: str | None = None
    conditions: ReadConditions = NO_READ_CONDITIONS
    readable_acls: frozenset[CannedAcl] | None = None
    """Only a version with one of these may be read; None for any, because the author may use the whole bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyObject:
    """PUT /bucket/key with x-amz-copy-source."""

    bucket: Bucket
    key: Key
    source: CopySource
    metadata: ObjectMetadata | None = None
    """The new metadata with directive REPLACE; None to copy the source's."""
    tags: Tags | None = None
    """The new tags with directive REPLACE; None to copy the source's."""
    checksum_algorithm: ChecksumAlgorithm | None = None
    """The checksum to compute for the copy; None to keep the source's."""
    conditions: WriteConditions = NO_WRITE_CONDITIONS
    storage_class: str | None = None
    acl: CannedAcl = CannedAcl.PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectTagging:
    """GET /bucket/key?tagging."""

    bucket: Bucket
    key: Key
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectTagging:
    """PUT /bucket/key?tagging."""

    bucket: Bucket
    key: Key
    tags: Tags
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObjectTagging:
    """DELETE /bucket/key?tagging."""

    bucket: Bucket
    key: Key
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMultipartUpload:
    """POST /bucket/key?uploads."""

    bucket: Bucket
    key: Key
    metadata: ObjectMetadata
    tags: Tags = field(default_factory=dict)
    checksum_algorithm: ChecksumAlgorithm | None = None
    checksum_type: ChecksumType | None = None
    storage_class: str = "STANDARD"
    acl: CannedAcl = CannedAcl.PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """PUT /bucket/key?partNumber&uploadId; the body comes beside it."""

    bucket: Bucket
    key: Key
    upload_id: UploadId
    part_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPartCopy:
    """PUT /bucket/key?partNumber&uploadId with x-amz-copy-source."""

    bucket: Bucket
    key: Key
    upload_id: UploadId
    part_number: int
    source: CopySource
    range: ByteRange | None = None
    """From x-amz-copy-source-range; not yet checked against the source's size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedPart:
    """One part named in CompleteMultipartUpload."""

    number: int
    etag: ETag
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteMultipartUpload:
    """POST /bucket/key?uploadId."""

    bucket: Bucket
    key: Key
    upload_id: UploadId
    parts: tuple[CompletedPart, ...]
    checksum: Checksum | None = None
    """The checksum that the client expects of the whole object; its type as given or FULL_OBJECT."""
    checksum_type: ChecksumType | None = None
    object_size: int | None = None
    """x-amz-mp-object-size."""
    conditions: WriteConditions = NO_WRITE_CONDITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortMultipartUpload:
    """DELETE /bucket/key?uploadId."""

    bucket: Bucket
    key: Key
    upload_id: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListParts:
    """GET /bucket/key?uploadId."""

    bucket: Bucket
    key: Key
    upload_id: UploadId
    max_parts: int = 1000
    part_number_marker: int = 0
    encoding_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMultipartUploads:
    """GET /bucket?uploads."""

    bucket: Bucket
    prefix: str = ""
    delimiter: str = ""
    key_marker: str = ""
    upload_id_marker: str = ""
    max_uploads: int = 1000
    encoding_type: str | None = None


ServiceOperation = ListBuckets
BucketOperation = (
    CreateBucket
    | HeadBucket
    | DeleteBucket
    | GetBucketLocation
    | GetBucketAcl
    | GetBucketTagging
    | PutBucketTagging
    | DeleteBucketTagging
    | GetBucketDefault
    | ListObjects
    | ListObjectsV2
    | ListObjectVersions
    | DeleteObjects
    | ListMultipartUploads
)
ObjectOperation = (
    GetObject
    | HeadObject
    | GetObjectAttributes
    | GetObjectAcl
    | PutObject
    | DeleteObject
    | CopyObject
    | GetObjectTagging
    | PutObjectTagging
    | DeleteObjectTagging
    | CreateMultipartUpload
    | UploadPart
    | UploadPartCopy
    | CompleteMultipartUpload
    | AbortMultipartUpload
    | ListParts
)
Operation = ServiceOperation | BucketOperation | ObjectOperation
