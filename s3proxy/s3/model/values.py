"""Identifiers and what is stored: owners, access lists, checksums, objects, buckets, conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, NewType

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


class ByteRange(NamedTuple):  # which is made in a third of the time of a frozen dataclass
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


@dataclass(frozen=True, slots=True)
class SelectedPart:
    """The one part that a read asked for, from a store that tells of it but not of all the others."""

    number: int
    span: ByteRange
    count: int
    """How many parts the object has."""
    checksum: Checksum | None = None
    """Of the part; its type is that of the object's."""


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
    """What it was completed from, in order; empty for an object of one PUT, or where the store does not list them."""
    selected_part: SelectedPart | None = None
    """For a read with a part number, where ``parts`` cannot tell."""
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
