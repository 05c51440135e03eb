"""What a verified user may do: the only place where access is granted.

The rule of the first stage: a bucket and all in it belong to its owner alone; a bucket that was made through the file
system, and so has no owner, belongs to every user; an anonymous request may do nothing.
"""

from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import ObjectStore


async def authorize(verified: VerifiedRequest, operation: type[model.Operation], store: ObjectStore) -> None:
    """Let a request for ``operation`` at its address pass if its author may do that; before its body is touched.

    Raises:
        S3Error: ACCESS_DENIED; NO_SUCH_BUCKET when there is nothing to have access to.
    """
    if operation is model.ListBuckets:
        return  # answers with what the user owns, which for an anonymous one is nothing
    if verified.user is None:
        raise S3Error(ErrorCode.ACCESS_DENIED)
    if operation is not model.CreateBucket:
        assert verified.address.bucket is not None, "only the two operations above have no bucket of their own"
        await _authorize_bucket(verified, verified.address.bucket, store)


async def authorize_source(verified: VerifiedRequest, operation: model.Operation, store: ObjectStore) -> None:
    """Let ``operation`` pass if its author may read what it copies (RustFS CVE-2026-39360).

    Raises:
        S3Error: like ``authorize``.
    """
    if isinstance(operation, model.CopyObject | model.UploadPartCopy):
        await _authorize_bucket(verified, operation.source.bucket, store)


def may_use(verified: VerifiedRequest, bucket: model.BucketInfo) -> bool:
    """Whether the author of the request may use ``bucket``."""
    if verified.user is None:
        return False
    return bucket.owner is None or verified.is_superuser or bucket.owner.id == verified.user.id


async def _authorize_bucket(verified: VerifiedRequest, bucket: model.Bucket, store: ObjectStore) -> None:
    if not may_use(verified, await store.get_bucket(bucket)):
        raise S3Error(ErrorCode.ACCESS_DENIED)
