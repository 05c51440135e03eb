"""Which operation a request asks for: one table of methods for each level, and one for each sub-resource.

Rule: a query parameter that names a sub-resource which is not in a table answers 501 by its name, whatever the method.
It is never passed over, because then ``PUT /bucket/key?retention`` would replace the object. Other unknown parameters
(``x-id``, those of a presigned URL) mean nothing here.

Source: S3 API, "Actions"; Amazon S3 User Guide, list of sub-resources.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

from s3proxy.s3 import model
from s3proxy.s3.addressing import Address
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.requests import buckets, copies, deletes, listings, multipart, objects
from s3proxy.s3.requests.tagging import MAX_TAGGING_BYTES
from s3proxy.s3.requests.text import Fields, RequestText, invalid_argument


class BodyKind(Enum):
    """What an operation does with the request's body."""

    NONE = "none"
    """Nothing; one that comes is not read."""
    XML = "xml"
    """Parses it: at most ``Route.max_xml_bytes``, and it may be missing."""
    OBJECT = "object"
    """Streams it into the store."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How requests for one operation are read. Routes are constants: there is one of each."""

    operation: type[model.Operation]
    parse: Callable[[RequestText], model.Operation]
    """Raises only S3Error."""
    body: BodyKind = BodyKind.NONE
    max_xml_bytes: int = 0
    requires_digest: bool = False
    """Whether the body must come with Content-MD5 or a checksum."""
    checksum_is_of_object: bool = False
    """Whether an x-amz-checksum-* header is about the object that comes of it, and not about the body."""


_PUT_OBJECT = Route(model.PutObject, objects.parse_put_object, BodyKind.OBJECT)
_UPLOAD_PART = Route(model.UploadPart, multipart.parse_upload_part, BodyKind.OBJECT)
_LIST_OBJECTS = Route(model.ListObjects, listings.parse_list_objects)
_LIST_OBJECTS_V2 = Route(model.ListObjectsV2, listings.parse_list_objects_v2)

# With x-amz-copy-source these take no body but read another object.
_COPIES = {
    _PUT_OBJECT: Route(model.CopyObject, copies.parse_copy_object),
    _UPLOAD_PART: Route(model.UploadPartCopy, multipart.parse_upload_part_copy),
}


class _NotImplemented(Enum):
    """Stands in the tables for a method that S3 has and this server has not."""

    ROW = 0


_LATER = _NotImplemented.ROW
_Row = Mapping[bytes, Route | _NotImplemented]

_SERVICE: _Row = {b"GET": Route(model.ListBuckets, listings.parse_list_buckets)}
_BUCKET: _Row = {
    b"GET": _LIST_OBJECTS,
    b"HEAD": Route(model.HeadBucket, buckets.parse_head_bucket),
    b"PUT": Route(
        model.CreateBucket, buckets.parse_create_bucket, BodyKind.XML, max_xml_bytes=buckets.MAX_CONFIGURATION_BYTES
    ),
    b"DELETE": Route(model.DeleteBucket, buckets.parse_delete_bucket),
    b"POST": _LATER,  # the browser's form upload
}
_OBJECT: _Row = {
    b"GET": Route(model.GetObject, objects.parse_get_object),
    b"HEAD": Route(model.HeadObject, objects.parse_head_object),
    b"PUT": _PUT_OBJECT,
    b"DELETE": Route(model.DeleteObject, deletes.parse_delete_object),
}


def _default(subresource: str, *later: bytes) -> _Row:
    """A configuration whose default can be read, and which S3 lets change with the methods of ``later``."""
    parse = partial(buckets.parse_get_bucket_default, subresource=subresource)
    return {b"GET": Route(model.GetBucketDefault, parse), **dict.fromkeys(later, _LATER)}


_BUCKET_SUBRESOURCES: Mapping[str, _Row] = {
    "accelerate": _default("accelerate", b"PUT"),
    "acl": {b"GET": Route(model.GetBucketAcl, buckets.parse_get_bucket_acl), b"PUT": _LATER},
    "cors": _default("cors", b"PUT", b"DELETE"),
    "delete": {
        b"POST": Route(
            model.DeleteObjects,
            deletes.parse_delete_objects,
            BodyKind.XML,
            max_xml_bytes=deletes.MAX_DELETE_BYTES,
            requires_digest=True,
        )
    },
    "encryption": _default("encryption", b"PUT", b"DELETE"),
    "lifecycle": _default("lifecycle", b"PUT", b"DELETE"),
    "location": {b"GET": Route(model.GetBucketLocation, buckets.parse_get_bucket_location)},
    "logging": _default("logging", b"PUT"),
    "notification": _default("notification", b"PUT"),
    "object-lock": _default("object-lock", b"PUT"),
    "ownershipControls": _default("ownershipControls", b"PUT", b"DELETE"),
    "policy": _default("policy", b"PUT", b"DELETE"),
    "policyStatus": _default("policyStatus"),
    "publicAccessBlock": _default("publicAccessBlock", b"PUT", b"DELETE"),
    "replication": _default("replication", b"PUT", b"DELETE"),
    "requestPayment": _default("requestPayment", b"PUT"),
    "tagging": {
        b"GET": Route(model.GetBucketTagging, buckets.parse_get_bucket_tagging),
        b"PUT": Route(
            model.PutBucketTagging,
            buckets.parse_put_bucket_tagging,
            BodyKind.XML,
            max_xml_bytes=MAX_TAGGING_BYTES,
        ),
        b"DELETE": Route(model.DeleteBucketTagging, buckets.parse_delete_bucket_tagging),
    },
    "uploads": {b"GET": Route(model.ListMultipartUploads, listings.parse_list_multipart_uploads)},
    "versioning": _default("versioning", b"PUT"),
    "versions": {b"GET": Route(model.ListObjectVersions, listings.parse_list_object_versions)},
    "website": _default("website", b"PUT", b"DELETE"),
}
_OBJECT_SUBRESOURCES: Mapping[str, _Row] = {
    "acl": {b"GET": Route(model.GetObjectAcl, objects.parse_get_object_acl), b"PUT": _LATER},
    "attributes": {b"GET": Route(model.GetObjectAttributes, objects.parse_get_object_attributes)},
    "tagging": {
        b"GET": Route(model.GetObjectTagging, objects.parse_get_object_tagging),
        b"PUT": Route(
            model.PutObjectTagging,
            objects.parse_put_object_tagging,
            BodyKind.XML,
            max_xml_bytes=MAX_TAGGING_BYTES,
        ),
        b"DELETE": Route(model.DeleteObjectTagging, objects.parse_delete_object_tagging),
    },
    "uploadId": {
        b"GET": Route(model.ListParts, multipart.parse_list_parts),
        b"PUT": _UPLOAD_PART,
        b"POST": Route(
            model.CompleteMultipartUpload,
            multipart.parse_complete_multipart_upload,
            BodyKind.XML,
            max_xml_bytes=multipart.MAX_COMPLETE_BYTES,
            checksum_is_of_object=True,
        ),
        b"DELETE": Route(model.AbortMultipartUpload, multipart.parse_abort_multipart_upload),
    },
    "uploads": {b"POST": Route(model.CreateMultipartUpload, multipart.parse_create_multipart_upload)},
}
_SERVICE_SUBRESOURCES: Mapping[str, _Row] = {}

# Sub-resources that are implemented at no level.
_NOWHERE = frozenset({
    "abac",
    "analytics",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "renameObject",
    "restore",
    "retention",
    "select",
    "session",
    "torrent",
})  # fmt: skip
_SUBRESOURCES = _NOWHERE | _BUCKET_SUBRESOURCES.keys() | _OBJECT_SUBRESOURCES.keys()


def find_route(method: bytes, address: Address, fields: Fields) -> Route:
    """Find what a request asks for by its head.

    Raises:
        S3Error: NOT_IMPLEMENTED for a sub-resource or method of S3 that this server does not have; METHOD_NOT_ALLOWED,
            with Allow, for a method that S3 does not have either; INVALID_ARGUMENT for two sub-resources at once.
    """
    row, subresources, resource = _level(address)
    if address.parameters:
        named = _SUBRESOURCES.intersection(address.parameters)
        if named:
            resource = _single(named)
            row = _subresource_row(resource, subresources)
        elif row is _BUCKET and method == b"GET" and "list-type" in address.parameters:
            return _LIST_OBJECTS_V2
    route = row.get(method)
    if not isinstance(route, Route):
        raise _refusal(method, row, resource)
    if copies.COPY_SOURCE in fields:
        return _COPIES.get(route, route)
    return route


def _level(address: Address) -> tuple[_Row, Mapping[str, _Row], str]:
    if address.key is not None:
        return _OBJECT, _OBJECT_SUBRESOURCES, "OBJECT"
    if address.bucket is not None:
        return _BUCKET, _BUCKET_SUBRESOURCES, "BUCKET"
    return _SERVICE, _SERVICE_SUBRESOURCES, "SERVICE"


def _single(named: frozenset[str]) -> str:
    first = min(named)
    if len(named) > 1:
        conflicting = ", ".join(sorted(named))
        raise invalid_argument(f"Conflicting query string parameters: {conflicting}", "ResourceType", first)
    return first


def _subresource_row(name: str, subresources: Mapping[str, _Row]) -> _Row:
    row = subresources.get(name)
    if row is None:
        raise _not_implemented(name, {"ResourceType": name})
    return row


def _refusal(method: bytes, row: _Row, resource: str) -> S3Error:
    detail = {"Method": method.decode("latin-1"), "ResourceType": resource}
    if method in row:
        return _not_implemented(f"{detail['Method']} of {resource}", detail)
    allowed = ", ".join(sorted(known.decode() for known, route in row.items() if isinstance(route, Route)))
    return S3Error(ErrorCode.METHOD_NOT_ALLOWED, detail=detail, headers={"Allow": allowed})


def _not_implemented(what: str, detail: dict[str, str]) -> S3Error:
    return S3Error(ErrorCode.NOT_IMPLEMENTED, f"This functionality is not implemented here: {what}.", detail)
