"""What this gateway keeps of objects and buckets that S3 does not: canned ACLs, and whose a bucket is.

S3 knows owners and ACLs, but its owners are accounts of its own, and all that the gateway stores there belongs to the
one account that it signs with. So an object's ACL is in user metadata, beside the bytes that it is about, and what is
known of a bucket is in one tag, which leaves 49 of 50 to clients. Neither reaches a client, nor comes from one.
"""

import re
from dataclasses import dataclass, replace

from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.dates import NANOSECONDS
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, BucketInfo, CannedAcl, ObjectMetadata, Owner, Tags

ACL_NAME = "s3proxy-acl"
"""The name behind ``x-amz-meta-``; an object without it is private."""

TAG_PREFIX = "s3proxy:"
BUCKET_TAG = "s3proxy:bucket"

MOST_TAGS = 50
_MAX_TAG_VALUE = 256
_ACLS = {acl.value: acl for acl in CannedAcl}


# Objects


def hide_acl(metadata: ObjectMetadata, acl: CannedAcl) -> ObjectMetadata:
    """The metadata as the store keeps it.

    Raises:
        S3Error: INVALID_ARGUMENT when it has an entry of that name already.
    """
    if ACL_NAME in metadata.user:
        name = f"x-amz-meta-{ACL_NAME}"
        raise S3Error(ErrorCode.INVALID_ARGUMENT, "This name is reserved.", {"ArgumentName": name})
    if acl is CannedAcl.PRIVATE:
        return metadata
    return replace(metadata, user={**metadata.user, ACL_NAME: acl.value})


def take_acl(user: dict[str, str]) -> CannedAcl:
    """Remove the ACL from user metadata that the store gave; what is no ACL grants nothing."""
    return _ACLS.get(user.pop(ACL_NAME, ""), CannedAcl.PRIVATE)


# Buckets


@dataclass(frozen=True, slots=True)
class BucketTags:
    """The tags of a bucket, told apart: those of clients, and our own where there is one."""

    visible: Tags
    hidden: str | None

    def merged(self, visible: Tags) -> dict[str, str]:
        """The tags to store so that clients have ``visible``.

        Raises:
            S3Error: INVALID_TAG for more than fit beside ours, and for names that are ours.
        """
        if any(name.startswith(TAG_PREFIX) for name in visible):
            raise S3Error(ErrorCode.INVALID_TAG, f"Tags that begin with {TAG_PREFIX} are reserved.")
        if self.hidden is None:
            return dict(visible)
        if len(visible) >= MOST_TAGS:
            raise S3Error(ErrorCode.INVALID_TAG, f"Bucket tags cannot be greater than {MOST_TAGS - 1}")
        return {**visible, BUCKET_TAG: self.hidden}


def split_tags(tags: Tags) -> BucketTags:
    """Tell the tags of a bucket apart."""
    visible = {name: value for name, value in tags.items() if not name.startswith(TAG_PREFIX)}
    return BucketTags(visible, tags.get(BUCKET_TAG))


def render_bucket(info: BucketInfo) -> str:
    """What is kept of a bucket, as the value of a tag: ``1/created/acl/location/owner/name of the owner``.

    Raises:
        S3Error: INVALID_REQUEST when that is longer than a tag may be.
    """
    assert info.owner is not None, "a bucket that is made has an owner"
    seconds = str(info.created_ns // NANOSECONDS)
    location = "" if info.location is None else f"+{_escape(info.location)}"  # it may be there and empty
    fields = ("1", seconds, info.acl.value, location, _escape(info.owner.id), _escape(info.owner.display_name))
    value = "/".join(fields)
    if len(value) > _MAX_TAG_VALUE:
        raise S3Error(ErrorCode.INVALID_REQUEST, "The name of the bucket's owner is too long for the store to keep.")
    return value


def parse_bucket(name: Bucket, value: str) -> BucketInfo:
    """The inverse of ``render_bucket``.

    Raises:
        MalformedAnswerError: it is nothing that ``render_bucket`` gives. Whose the bucket is cannot be told then, and
            it must not be taken for nobody's.
    """
    fields = value.split("/")
    if len(fields) != 6 or fields[0] != "1" or not _is_seconds(fields[1]) or fields[2] not in _ACLS:
        raise MalformedAnswerError(f"the tag {BUCKET_TAG} of {name} cannot be read")
    return BucketInfo(
        name=name,
        owner=Owner(_unescape(fields[4]), _unescape(fields[5])),
        created_ns=int(fields[1]) * NANOSECONDS,
        acl=_ACLS[fields[2]],
        location=_unescape(fields[3][1:]) if fields[3] else None,
    )


_is_seconds = re.compile(r"[0-9]{1,12}", re.ASCII).fullmatch
_UNSAFE = re.compile(rb"[^A-Za-z0-9 +\-._:@]")  # what Amazon allows in tags of every service, but "/" and "="
_ESCAPED = re.compile(rb"=([0-9A-F]{2})")


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda match: b"=%02X" % match[0][0], text.encode()).decode()


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode()).decode(errors="replace")
