"""From an operation's result to the response: one function for each operation, named like it.

The gateway adds ``x-amz-request-id`` and ``x-amz-id-2`` to the headers; the server adds Date, Server and the framing.
"""

from s3proxy.s3.responses.buckets import (
    create_bucket,
    get_acl,
    get_bucket_location,
    get_bucket_tagging,
    get_object_tagging,
    head_bucket,
    no_content,
    put_object_tagging,
)
from s3proxy.s3.responses.defaults import get_bucket_default
from s3proxy.s3.responses.failures import error, error_document
from s3proxy.s3.responses.listings import (
    list_buckets,
    list_multipart_uploads,
    list_object_versions,
    list_objects,
    list_objects_v2,
    list_parts,
)
from s3proxy.s3.responses.objects import (
    get_object,
    get_object_attributes,
    head_object,
    not_modified,
)
from s3proxy.s3.responses.writes import (
    complete_multipart_upload,
    copy_object,
    create_multipart_upload,
    delete_objects,
    put_object,
    upload_part,
    upload_part_copy,
)

__all__ = [
    "complete_multipart_upload",
    "copy_object",
    "create_bucket",
    "create_multipart_upload",
    "delete_objects",
    "error",
    "error_document",
    "get_acl",
    "get_bucket_default",
    "get_bucket_location",
    "get_bucket_tagging",
    "get_object",
    "get_object_attributes",
    "get_object_tagging",
    "head_bucket",
    "head_object",
    "list_buckets",
    "list_multipart_uploads",
    "list_object_versions",
    "list_objects",
    "list_objects_v2",
    "list_parts",
    "no_content",
    "not_modified",
    "put_object",
    "put_object_tagging",
    "upload_part",
    "upload_part_copy",
]
