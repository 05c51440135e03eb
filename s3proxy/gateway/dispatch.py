"""From an operation to its answer: one arm for each operation, and mypy sees to it that none is forgotten."""

from typing import assert_never

from s3proxy.gateway import listing, reading, writing
from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.gateway.authorize import ReadableObjects
from s3proxy.http1.messages import Response
from s3proxy.s3 import model, responses
from s3proxy.stores.base import ObjectStore


async def dispatch(  # noqa: C901, PLR0912, PLR0915 (a table, with one entry for each operation)
    store: ObjectStore,
    objects: ObjectStore | ReadableObjects,
    region: str,
    verified: VerifiedRequest,
    operation: model.Operation,
    *,
    outcomes: dict[str, str],
) -> Response:
    """Carry out an operation that was authorised; the ones that a node serves most come first.

    Args:
        store: where the objects are.
        objects: what GetObject and HeadObject read through, as ``authorize`` says.
        region: of this server.
        verified: who asks.
        operation: what for.
        outcomes: filled by DeleteObjects: key -> error code, or ``-`` where it was deleted.

    Raises:
        S3Error: the operation failed.
        StoreUnavailableError: the store behind cannot be reached.
        ConnectionLostError: the client went away while it sent the body.
    """
    match operation:
        case model.GetObject():
            return await reading.get_object(objects, operation)
        case model.HeadObject():
            return await reading.head_object(objects, operation)
        case model.PutObject():
            return await writing.put_object(store, verified, operation)
        case model.UploadPart():
            return await writing.upload_part(store, verified, operation)
        case model.ListObjects() | model.ListObjectsV2() | model.ListObjectVersions():
            return await listing.list_objects(store, verified, operation)
        case model.DeleteObject():
            await store.delete_object(operation)
            return responses.no_content()
        case model.DeleteObjects():
            return await writing.delete_objects(store, operation, outcomes)
        case model.CopyObject():
            return responses.copy_object(await store.copy_object(operation))
        case model.GetObjectAttributes():
            return await reading.get_object_attributes(store, operation)
        case model.CreateMultipartUpload():
            upload_id = await store.create_multipart_upload(operation)
            return responses.create_multipart_upload(operation, upload_id)
        case model.UploadPartCopy():
            return responses.upload_part_copy(await store.upload_part_copy(operation))
        case model.CompleteMultipartUpload():
            result = await store.complete_multipart_upload(operation)
            return responses.complete_multipart_upload(operation, result, verified.base_url)
        case model.AbortMultipartUpload():
            await store.abort_multipart_upload(operation)
            return responses.no_content()
        case model.ListParts():
            return await listing.list_parts(store, verified, operation)
        case model.ListMultipartUploads():
            return await listing.list_multipart_uploads(store, verified, operation)
        case model.GetObjectTagging():
            return responses.get_object_tagging(await store.get_object_tagging(operation))
        case model.PutObjectTagging():
            await store.put_object_tagging(operation)
            return responses.put_object_tagging()
        case model.DeleteObjectTagging(bucket=bucket, key=key, version_id=version_id):
            untag = model.PutObjectTagging(bucket=bucket, key=key, tags={}, version_id=version_id)
            await store.put_object_tagging(untag)
            return responses.no_content()
        case model.GetObjectAcl(bucket=bucket, key=key, version_id=version_id):
            info = await store.head_object(model.HeadObject(bucket=bucket, key=key, version_id=version_id))
            return responses.get_acl(await listing.owner_of(store, verified, bucket), info.acl)
        case model.ListBuckets():
            return await listing.list_buckets(store, verified, operation)
        case model.CreateBucket():
            return await listing.create_bucket(store, verified, operation)
        case model.HeadBucket():
            return responses.head_bucket((await store.get_bucket(operation.bucket)).location or region)
        case model.DeleteBucket():
            await store.delete_bucket(operation.bucket)
            return responses.no_content()
        case model.GetBucketLocation():
            return responses.get_bucket_location((await store.get_bucket(operation.bucket)).location, region)
        case model.GetBucketAcl():
            bucket_info = await store.get_bucket(operation.bucket)
            return responses.get_acl(await listing.owner_of(store, verified, operation.bucket), bucket_info.acl)
        case model.GetBucketTagging():
            return responses.get_bucket_tagging(await store.get_bucket_tagging(operation.bucket))
        case model.PutBucketTagging():
            await store.put_bucket_tagging(operation.bucket, operation.tags)
            return responses.no_content()
        case model.DeleteBucketTagging():
            await store.put_bucket_tagging(operation.bucket, {})
            return responses.no_content()
        case model.GetBucketDefault():
            return responses.get_bucket_default(operation)
        case _:
            assert_never(operation)
