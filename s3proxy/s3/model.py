"""The vocabulary of S3: identifiers, stored values, operations and their results, as AWS names them.

ETags are held without their quotes. Times are integer nanoseconds since the epoch. Ranges are half-open. Checksums are
base64 as on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType

Bucket = NewType("Bucket", str)
Key = NewType("Key", str)
ETag = NewType("ETag", str)
UploadId = NewType("UploadId", str)


@dataclass(frozen=True, slots=True)
class Owner:
    """A user, as the owner of a bucket or the author of a request."""

    id: str
    display_name: str


class Group(Enum):
    """Those whom a canned ACL grants something; the value is the name on the wire."""

    ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
    """Anonymous ones too."""
    AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


class Permission(Enum):
    """What is granted: READ lists a bucket or reads an object, WRITE changes what a bucket holds."""

    READ = "READ"
    WRITE = "WRITE"


class CannedAcl(Enum):
    """Who has access to a bucket or an object besides its owner; the value is the name on the wire.

    Source: Amazon S3 User Guide, "Access control list (ACL) overview", canned ACL.
    """

    PRIVATE = "private"
    PUBLIC_READ = "public-read"
    PUBLIC_READ_WRITE = "public-read-write"
    AUTHENTICATED_READ = "authenticated-read"

    @property
    def grants(self) -> tuple[tuple[Group, Permission], ...]:
        """What is granted, and to whom; both what GetBucketAcl shows and what is decided by."""
        return _GRANTS[self]


_GRANTS = {
    CannedAcl.PRIVATE: (),
    CannedAcl.PUBLIC_READ: ((Group.ALL_USERS, Permission.READ),),
    CannedAcl.PUBLIC_READ_WRITE: ((Group.ALL_USERS, Permission.READ), (Group.ALL_USERS, Permission.WRITE)),
    CannedAcl.AUTHENTICATED_READ: ((Group.AUTHENTICATED_USERS, Permission.READ),),
}


class ChecksumAlgorithm(Enum):
    """The checksums of ``x-amz-checksum-*``; the value is the name on the wire."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"


class ChecksumType(Enum):
    """Whether a multipart object's checksum covers its bytes or its parts' checksums."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True)
class Checksum:
    """A stored or claimed checksum; ``value`` is base64, with ``-N`` behind it for a composite of N parts."""

    algorithm: ChecksumAlgorithm
    value: str
    type: ChecksumType = ChecksumType.FULL_OBJECT


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Half-open ``[start, stop)`` in bytes."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMetadata:
    """What a client stored beside the bytes, given back on GET and HEAD."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    expires: str | None = None
    website_redirect_location: str | None = None
    user: Mapping[str, str] = field(default_factory=dict)
    """x-amz-meta-*: lower-case name without the prefix -> value."""


Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of an upload or of a completed multipart object."""

    number: int
    size: int
    etag: ETag
    last_modified_ns: int
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One version of an object, without its bytes."""

    size: int
    etag: ETag
    last_modified_ns: int
    metadata: ObjectMetadata
    checksum: Checksum | None = None
    tag_count: int = 0
    storage_class: str = "STANDARD"
    parts: tuple[Part, ...] = ()
    """The parts it was completed from, in order; empty for an object of one PUT."""
    acl: CannedAcl = CannedAcl.PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """A bucket. ``owner`` is None where it was made through the file system and belongs to nobody."""

    name: Bucket
    owner: Owner | None
    created_ns: int
    acl: CannedAcl = CannedAcl.PRIVATE
    location: str | None = None
    """The LocationConstraint it was created with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConditions:
    """Preconditions of a read, or of a copy's source. ETags unquoted, ``*`` kept; times in whole seconds."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to check."""
        return (
            self.if_match is None
            and self.if_none_match is None
            and self.if_modified_since is None
            and self.if_unmodified_since is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteConditions:
    """Preconditions of a write, checked in the same step that makes it visible.

    ETags unquoted, ``*`` kept. The last two are DeleteObject's.
    """

    if_match: str | None = None
    if_none_match: str | None = None
    if_match_last_modified: int | None = None
    """In whole seconds since the epoch."""
    if_match_size: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to check."""
        return (
            self.if_match is None
            and self.if_none_match is None
            and self.if_match_last_modified is None
            and self.if_match_size is None
        )


NO_READ_CONDITIONS = ReadConditions()
NO_WRITE_CONDITIONS = WriteConditions()


# Operations: what a request asks for. Each is handled in gateway/dispatch.py.


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObject:
    """GET /bucket/key."""

    bucket: Bucket
    key: Key
    version_id: str | None = None
    range: str | None = None
    """The Range header as sent."""
    part_number: int | None = None
    conditions: ReadConditions = NO_READ_CONDITIONS
    if_range: str | None = None
    checksum_mode: bool = False
    response_headers: Mapping[str, str] = field(default_factory=dict)
    """The response-* overrides: lower-case header name -> value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadObject:
    """HEAD /bucket/key; same fields as GetObject."""

    bucket: Bucket
    key: Key
    version_id: str | None = None
    range: str | None = None
    part_number: int | None = None
    conditions: ReadConditions = NO_READ_CONDITIONS
    if_range: str | None = None
    checksum_mode: bool = False
    response_headers: Mapping[str, str] = field(default_factory=dict)


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


# Results: what a store answers.


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """One page of a listing, as every listing operation asks the store for it."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    """Only keys greater than this."""
    after_is_prefix: bool = False
    """``after`` was a common prefix: skip every key that starts with it too."""
    max_keys: int = 1000
    """0 to 1000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """One key of a listing."""

    key: Key
    size: int
    etag: ETag
    last_modified_ns: int
    storage_class: str = "STANDARD"
    checksum_algorithm: ChecksumAlgorithm | None = None
    checksum_type: ChecksumType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page: objects and common prefixes, each in byte order, together at most ``max_keys``.

    When ``is_truncated``, the next page starts after ``next_after`` (a key or, when ``next_is_prefix``, a common
    prefix): the last entry of this page.
    """

    objects: tuple[ListedObject, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    next_after: str = ""
    next_is_prefix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """What PutObject, UploadPart and CompleteMultipartUpload stored."""

    etag: ETag
    size: int
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """What CopyObject and UploadPartCopy stored."""

    etag: ETag
    last_modified_ns: int
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload in progress."""

    key: Key
    upload_id: UploadId
    initiated_ns: int
    storage_class: str = "STANDARD"
    checksum_algorithm: ChecksumAlgorithm | None = None
    checksum_type: ChecksumType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPage:
    """One page of ListParts, by part number."""

    upload: Upload
    parts: tuple[Part, ...]
    is_truncated: bool
    next_part_number_marker: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsPage:
    """One page of ListMultipartUploads, by key and then by time of creation."""

    uploads: tuple[Upload, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    next_key_marker: str = ""
    next_upload_id_marker: str = ""
