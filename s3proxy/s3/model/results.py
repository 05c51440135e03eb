"""What a store answers."""

from dataclasses import dataclass

from s3proxy.s3.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    Key,
    Part,
    UploadId,
)


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
