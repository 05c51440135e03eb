"""What a verified user may do: the only place where access is granted.

A bucket and all in it belong to its owner; a bucket that was made through the file system, and so has no owner, belongs
to every user. Everybody else, anonymous requests included, has what canned ACLs grant and nothing more: that of the
bucket lets them list it or change what it holds, that of an object lets them read the object. What counts is the ACL of
the version that is served: that an object was public says nothing about the one that replaces it meanwhile.

Source: Amazon S3 User Guide, "Access control list (ACL) overview", mapping of ACL permissions.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Permission
from s3proxy.stores.base import ObjectStore, OpenObject

CopyOperation = model.CopyObject | model.UploadPartCopy

_READS = frozenset({model.GetObject, model.HeadObject})

# What the ACL of a bucket can grant. Whatever is neither here nor above is the owner's alone.
_BUCKET_PERMISSIONS: Mapping[type[model.Operation], Permission] = {
    model.HeadBucket: Permission.READ,
    model.ListObjects: Permission.READ,
    model.ListObjectsV2: Permission.READ,
    model.ListObjectVersions: Permission.READ,
    model.ListMultipartUploads: Permission.READ,
    model.PutObject: Permission.WRITE,
    model.CopyObject: Permission.WRITE,
    model.DeleteObject: Permission.WRITE,
    model.DeleteObjects: Permission.WRITE,
    model.CreateMultipartUpload: Permission.WRITE,
    model.UploadPart: Permission.WRITE,
    model.UploadPartCopy: Permission.WRITE,
    model.CompleteMultipartUpload: Permission.WRITE,
    model.AbortMultipartUpload: Permission.WRITE,
    model.ListParts: Permission.WRITE,
}


async def authorize(
    verified: VerifiedRequest, operation: type[model.Operation], store: ObjectStore
) -> "ObjectStore | ReadableObjects":
    """Let a request for ``operation`` at its address pass if its author may do that; before its body is touched.

    Returns:
        What the operation has to read objects through.

    Raises:
        S3Error: ACCESS_DENIED; NO_SUCH_BUCKET when there is nothing to have access to.
    """
    if operation is model.ListBuckets:
        return store  # answers with what the user owns, which for an anonymous one is nothing
    if operation is model.CreateBucket:
        if verified.user is None:
            raise _denied()
        return store
    assert verified.address.bucket is not None, "only the two operations above have no bucket of their own"
    bucket = await store.get_bucket(verified.address.bucket)
    if may_use(verified, bucket):
        return store
    if operation in _READS:
        return _readable_objects(verified, bucket, store)
    permission = _BUCKET_PERMISSIONS.get(operation)
    if permission is None or not _is_granted(verified.user, permission, bucket.acl):
        raise _denied()
    return store


async def authorize_source(verified: VerifiedRequest, operation: CopyOperation, store: ObjectStore) -> CopyOperation:
    """Let a copy pass if its author may read what it copies (RustFS CVE-2026-39360).

    Returns:
        The operation, which from now on copies only a version that its author may read.

    Raises:
        S3Error: like ``authorize``; NO_SUCH_KEY for an author who may list the bucket of the source.
    """
    source = operation.source
    bucket = await store.get_bucket(source.bucket)
    if may_use(verified, bucket):
        return operation
    objects = _readable_objects(verified, bucket, store)
    head = model.HeadObject(bucket=source.bucket, key=source.key, version_id=source.version_id)
    info = await objects.inspect(head)
    if isinstance(operation, model.CopyObject) and operation.tags is None:
        if info.tag_count:
            raise _denied()  # copying the tags would read them
        operation = replace(operation, tags={})
    return replace(operation, source=replace(source, readable_acls=objects.acls))


def may_use(verified: VerifiedRequest, bucket: model.BucketInfo) -> bool:
    """Whether the author of the request may use ``bucket`` as a whole."""
    if verified.user is None:
        return False
    return bucket.owner is None or verified.is_superuser or bucket.owner.id == verified.user.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableObjects:
    """What somebody who may not use a bucket can read in it: the objects whose own ACL says so.

    Without the right to list the bucket, what is missing cannot be told from what may not be read.
    """

    store: ObjectStore
    acls: frozenset[model.CannedAcl]
    """Those that let an object be read."""
    may_list: bool

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        """Like that of the store.

        Raises:
            S3Error: ACCESS_DENIED; what the store raises only for one who may list.
        """
        with self._discreetly():
            opened = await self.store.get_object(operation)
        try:
            self._require_readable(opened.info)
        except S3Error:
            await opened.aclose()
            raise
        opened.info = _without_tags(opened.info)
        return opened

    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        """Like that of the store; raises like ``get_object``."""
        return _without_tags(await self.inspect(operation))

    async def inspect(self, operation: model.HeadObject) -> model.ObjectInfo:
        """Like ``head_object``, but for this server's eyes: with what only who may use the bucket is told."""
        with self._discreetly():
            info = await self.store.head_object(operation)
        self._require_readable(info)
        return info

    def _require_readable(self, info: model.ObjectInfo) -> None:
        if info.acl not in self.acls:
            raise _denied()

    @contextmanager
    def _discreetly(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if self.may_list or error.code.status >= 500:
                raise
            raise _denied() from error


def _without_tags(info: model.ObjectInfo) -> model.ObjectInfo:
    """An object's ACL cannot grant its tags, so not their number either."""
    return replace(info, tag_count=0)


def _readable_objects(verified: VerifiedRequest, bucket: model.BucketInfo, store: ObjectStore) -> ReadableObjects:
    return ReadableObjects(
        store=store,
        acls=frozenset(acl for acl in model.CannedAcl if _is_granted(verified.user, Permission.READ, acl)),
        may_list=_is_granted(verified.user, Permission.READ, bucket.acl),
    )


def _is_granted(user: model.Owner | None, permission: Permission, acl: model.CannedAcl) -> bool:
    return any(
        granted is permission and (group is model.Group.ALL_USERS or user is not None) for group, granted in acl.grants
    )


def _denied() -> S3Error:
    return S3Error(ErrorCode.ACCESS_DENIED)
