"""Operations that list, and those on a bucket as a whole."""

from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.gateway.authorize import may_use
from s3proxy.http1.messages import Response
from s3proxy.s3 import model, responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.listing import list_query, page_of_buckets
from s3proxy.stores.base import ObjectStore

ANONYMOUS = model.Owner("anonymous", "anonymous")


async def list_buckets(store: ObjectStore, verified: VerifiedRequest, operation: model.ListBuckets) -> Response:
    """The buckets that the caller may use; none for an anonymous one."""
    buckets = [bucket for bucket in await store.list_buckets() if may_use(verified, bucket)]
    page, token = page_of_buckets(operation, buckets)
    return responses.list_buckets(operation, verified.user or ANONYMOUS, page, token)


async def create_bucket(store: ObjectStore, verified: VerifiedRequest, operation: model.CreateBucket) -> Response:
    """200 also for a bucket that is the caller's already, as us-east-1 answers, unless another ACL is asked for."""
    assert verified.user is not None, "authorize lets no anonymous request pass"
    try:
        await store.create_bucket(operation, verified.user)
    except S3Error as error:
        if error.code is not ErrorCode.BUCKET_ALREADY_EXISTS:
            raise
        bucket = await store.get_bucket(operation.bucket)
        if bucket.owner is None or bucket.owner.id != verified.user.id or bucket.acl is not operation.acl:
            raise  # AWS would replace the ACL, and Ceph refuses as well
    return responses.create_bucket(operation.bucket)


async def list_objects(
    store: ObjectStore,
    verified: VerifiedRequest,
    operation: model.ListObjects | model.ListObjectsV2 | model.ListObjectVersions,
) -> Response:
    """One page in the dialect that was asked for."""
    page = await store.list_objects(operation.bucket, list_query(operation))
    owner = await owner_of(store, verified, operation.bucket)
    match operation:
        case model.ListObjects():
            return responses.list_objects(operation, page, owner)
        case model.ListObjectsV2():
            return responses.list_objects_v2(operation, page, owner)
        case model.ListObjectVersions():
            return responses.list_object_versions(operation, page, owner)


async def list_multipart_uploads(
    store: ObjectStore, verified: VerifiedRequest, operation: model.ListMultipartUploads
) -> Response:
    """One page of the uploads in progress."""
    page = await store.list_multipart_uploads(operation)
    return responses.list_multipart_uploads(operation, page, await owner_of(store, verified, operation.bucket))


async def list_parts(store: ObjectStore, verified: VerifiedRequest, operation: model.ListParts) -> Response:
    """One page of an upload's parts."""
    page = await store.list_parts(operation)
    return responses.list_parts(operation, page, await owner_of(store, verified, operation.bucket))


async def owner_of(store: ObjectStore, verified: VerifiedRequest, bucket: model.Bucket) -> model.Owner:
    """The bucket's owner, or the caller where it belongs to nobody."""
    return (await store.get_bucket(bucket)).owner or verified.user or ANONYMOUS
