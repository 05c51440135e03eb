"""The interface of everything that stores objects: one method for each S3 action.

A store is called only with operations that were authenticated and authorised. Unless a method says otherwise, a missing
bucket raises ``S3Error(NO_SUCH_BUCKET)``, a missing key ``NO_SUCH_KEY``, a version id other than ``null``
``NO_SUCH_VERSION``, an unknown upload ``NO_SUCH_UPLOAD``, a failed precondition ``PRECONDITION_FAILED``, and a store
that cannot be reached ``StoreUnavailableError``.
"""

from abc import ABC, abstractmethod

from s3proxy.body import Body, BrokenBodyError, IncomingBody
from s3proxy.s3 import model


class StoreUnavailableError(BrokenBodyError):
    """The store behind cannot be reached or answers too late; the cause is chained. The client may try again."""


class ObjectChangedError(BrokenBodyError):
    """The version that was opened is gone and none of its bytes were given out yet: open the object again."""


class OpenObject(ABC):
    """One version of an object, held open: what ``info`` says and what ``read`` gives never come from two versions.

    *Closes:* the receiver calls ``aclose`` on every path. A body from ``read`` stays usable after that.
    """

    info: model.ObjectInfo

    @abstractmethod
    async def read(self, span: model.ByteRange) -> Body:
        """A body of exactly the bytes of ``span``, which lies within the object.

        When it returns, the store has agreed to give these bytes of this version: what can be told to the client in
        an answer is raised here. Called once for each opened version, except by caches, which may call it again.

        Raises:
            ObjectChangedError: the version is gone.
            StoreUnavailableError: the store cannot be reached.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the version; idempotent."""


class ObjectStore(ABC):
    """Everything that the gateway, and a cache in front, can ask of a store."""

    # Buckets

    @abstractmethod
    async def list_buckets(self) -> list[model.BucketInfo]:
        """Every bucket, whoever owns it, by name in byte order."""

    @abstractmethod
    async def get_bucket(self, bucket: model.Bucket) -> model.BucketInfo:
        """What is known of one bucket; called for every request, so it must be quick."""

    @abstractmethod
    async def create_bucket(self, operation: model.CreateBucket, owner: model.Owner) -> None:
        """Make an empty bucket of ``owner``.

        Raises:
            S3Error: BUCKET_ALREADY_EXISTS when there is one of that name, whoever owns it.
        """

    @abstractmethod
    async def delete_bucket(self, bucket: model.Bucket) -> None:
        """Remove an empty bucket.

        Raises:
            S3Error: BUCKET_NOT_EMPTY.
        """

    @abstractmethod
    async def get_bucket_tagging(self, bucket: model.Bucket) -> model.Tags:
        """The bucket's tags; empty when it has none."""

    @abstractmethod
    async def put_bucket_tagging(self, bucket: model.Bucket, tags: model.Tags) -> None:
        """Replace the bucket's tags; empty removes them."""

    # Listings

    @abstractmethod
    async def list_objects(self, bucket: model.Bucket, query: model.ListQuery) -> model.ListPage:
        """One page of keys in UTF-8 byte order."""

    # Objects

    @abstractmethod
    async def get_object(self, operation: model.GetObject) -> OpenObject:
        """Open one version for reading. The gateway checks conditions and resolves the range against its ``info``."""

    @abstractmethod
    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        """What is known of an object. The gateway checks conditions."""

    async def get_object_attributes(self, operation: model.GetObjectAttributes) -> model.ObjectInfo:
        """What ``head_object`` says, and the parts where they are asked for and the store tells them only then."""
        head = model.HeadObject(bucket=operation.bucket, key=operation.key, version_id=operation.version_id)
        return await self.head_object(head)

    @abstractmethod
    async def put_object(self, operation: model.PutObject, body: IncomingBody) -> model.PutResult:
        """Store ``body`` as the object: visible whole and verified, or not at all."""

    @abstractmethod
    async def delete_object(self, operation: model.DeleteObject) -> None:
        """Remove the object; a missing key is no error unless a condition asks for one."""

    @abstractmethod
    async def copy_object(self, operation: model.CopyObject) -> model.CopyResult:
        """Copy within the store, checking the source's conditions against the version that is copied."""

    @abstractmethod
    async def get_object_tagging(self, operation: model.GetObjectTagging) -> model.Tags:
        """The object's tags; empty when it has none."""

    @abstractmethod
    async def put_object_tagging(self, operation: model.PutObjectTagging) -> None:
        """Replace the object's tags; neither its ETag nor its Last-Modified change."""

    # Multipart uploads

    @abstractmethod
    async def create_multipart_upload(self, operation: model.CreateMultipartUpload) -> model.UploadId:
        """Begin an upload. Its id cannot be guessed."""

    @abstractmethod
    async def upload_part(self, operation: model.UploadPart, body: IncomingBody) -> model.PutResult:
        """Store or replace one part."""

    @abstractmethod
    async def get_upload(self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId) -> model.Upload:
        """What was said when the upload was created; the gateway needs its checksum algorithm before a part's body."""

    @abstractmethod
    async def upload_part_copy(self, operation: model.UploadPartCopy) -> model.CopyResult:
        """Store one part from a range of an object."""

    @abstractmethod
    async def complete_multipart_upload(self, operation: model.CompleteMultipartUpload) -> model.PutResult:
        """Join exactly the listed parts; a retry of a completed upload answers the same again."""

    @abstractmethod
    async def abort_multipart_upload(self, operation: model.AbortMultipartUpload) -> None:
        """Forget the upload and its parts."""

    @abstractmethod
    async def list_parts(self, operation: model.ListParts) -> model.PartsPage:
        """One page of the parts stored so far."""

    @abstractmethod
    async def list_multipart_uploads(self, operation: model.ListMultipartUploads) -> model.UploadsPage:
        """One page of the uploads in progress."""
