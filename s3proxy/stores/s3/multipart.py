"""Multipart uploads, which are the store's own, as are their ids."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Final

from cachetools import LRUCache

from s3proxy.s3.checksums import multipart_etag
from s3proxy.s3.client import uploads
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.listing import MAX_LISTED
from s3proxy.s3.model import (
    AbortMultipartUpload,
    Bucket,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    ETag,
    Key,
    ListMultipartUploads,
    ListParts,
    ObjectInfo,
    PartsPage,
    PutResult,
    Upload,
    UploadId,
    UploadsPage,
)
from s3proxy.stores.s3.conditional import Conditional, told_apart
from s3proxy.stores.s3.exchange import Answer, Exchange
from s3proxy.stores.s3.looking import Looking

_MOST_KEPT: Final = 4096

_is_md5 = re.compile(r"[0-9a-f]{32}").fullmatch


class Multipart:
    """The uploads in progress.

    What was said when an upload was created never changes, and is asked for before each part: it is kept.

    Args:
        exchange: with the store.
        looking: at what uploads became.
        conditional: judges conditions.
    """

    def __init__(self, exchange: Exchange, looking: Looking, conditional: Conditional) -> None:
        self._exchange = exchange
        self._looking = looking
        self._conditional = conditional
        self._kept: LRUCache[tuple[Bucket, Key, UploadId], Upload] = LRUCache(_MOST_KEPT)

    async def create(self, operation: CreateMultipartUpload) -> UploadId:
        """Begin an upload."""
        request = uploads.create_multipart_upload(operation)
        upload_id = await self._exchange.ask(
            request, lambda answer: uploads.parse_created_upload(answer.body), can_repeat=False
        )
        self._kept[operation.bucket, operation.key, upload_id] = Upload(
            key=operation.key,
            upload_id=upload_id,
            initiated_ns=0,
            storage_class=operation.storage_class,
            checksum_algorithm=operation.checksum_algorithm,
            checksum_type=operation.checksum_type,
        )
        return upload_id

    async def get(self, bucket: Bucket, key: Key, upload_id: UploadId) -> Upload:
        """What was said when an upload was created, but for when that was: S3 tells it only where it lists uploads."""
        upload = self._kept.get((bucket, key, upload_id))
        if upload is None:
            asked = ListParts(bucket=bucket, key=key, upload_id=upload_id, max_parts=1)
            upload = (await self.list_parts(asked)).upload
            self._kept[bucket, key, upload_id] = upload
        return upload

    async def complete(self, operation: CompleteMultipartUpload) -> PutResult:
        """Join exactly the listed parts.

        A store that has forgotten the upload may have completed it when this was asked before: if the object is made
        of exactly these parts, this is what became of them.
        """
        _check_order(operation)
        when = operation.conditions
        try:
            await self._check_upload(operation)
            pinned = await self._conditional.pinned("CompleteMultipartUpload", operation.bucket, operation.key, when)
            request = uploads.complete_multipart_upload(replace(operation, conditions=pinned))
            with uploads.as_no_such_upload(), told_apart(when, pinned):
                result = await self._exchange.ask(request, _parse_completed, can_repeat=when.is_empty, is_slow=True)
        except S3Error as error:
            info = await self._made(operation) if error.code is ErrorCode.NO_SUCH_UPLOAD else None
            if info is None:
                raise
            return _result_of(info)
        self._forget(operation)
        info = await self._made(operation, result.etag)
        return result if info is None else _result_of(info)

    async def abort(self, operation: AbortMultipartUpload) -> None:
        """Forget an upload and its parts."""
        request = uploads.abort_multipart_upload(operation)
        self._forget(operation)
        with uploads.as_no_such_upload():
            await self._exchange.ask(request, lambda _: None, can_repeat=False)

    async def list_parts(self, operation: ListParts) -> PartsPage:
        """One page of an upload's parts."""
        request = uploads.list_parts(operation)
        with uploads.as_no_such_upload():
            return await self._exchange.ask(request, lambda answer: uploads.parse_parts(operation, answer.body))

    async def list(self, operation: ListMultipartUploads) -> UploadsPage:
        """One page of the uploads in progress, in the store's order of those of one key."""
        request = uploads.list_multipart_uploads(operation)
        return await self._exchange.ask(request, lambda answer: uploads.parse_uploads(operation, answer.body))

    def forget_bucket(self, bucket: Bucket) -> None:
        """Keep nothing of the uploads of a bucket that was deleted."""
        for place in [place for place in self._kept if place[0] == bucket]:
            del self._kept[place]

    def _forget(self, operation: CompleteMultipartUpload | AbortMultipartUpload) -> None:
        self._kept.pop((operation.bucket, operation.key, operation.upload_id), None)

    async def _made(self, operation: CompleteMultipartUpload, etag: str = "") -> ObjectInfo | None:
        """The object, if it is the one that was made of the listed parts; its ETag says so."""
        expected = etag or _etag_of(operation)
        info = await self._looking.current(operation.bucket, operation.key)
        return info if info is not None and info.etag == expected else None

    async def _check_upload(self, operation: CompleteMultipartUpload) -> None:
        """Make sure that the upload is there, and of x-amz-mp-object-size, which only Amazon's S3 checks by itself.

        Ceph 16 answers 500 to the completion of an upload that it does not know.
        """
        asked = ListParts(bucket=operation.bucket, key=operation.key, upload_id=operation.upload_id, max_parts=1)
        if operation.object_size is None:
            await self.list_parts(asked)
            return
        listed = {part.number for part in operation.parts}
        size, is_truncated = 0, True
        while is_truncated:
            page = await self.list_parts(replace(asked, max_parts=MAX_LISTED))
            size += sum(part.size for part in page.parts if part.number in listed)
            asked = replace(asked, part_number_marker=page.next_part_number_marker)
            is_truncated = page.is_truncated
        if size != operation.object_size:
            raise S3Error(ErrorCode.INVALID_REQUEST, "The parts do not add up to the size in x-amz-mp-object-size.")


def _check_order(operation: CompleteMultipartUpload) -> None:
    if not operation.parts:
        raise S3Error(ErrorCode.MALFORMED_XML)
    if any(one.number >= other.number for one, other in pairwise(operation.parts)):
        raise S3Error(ErrorCode.INVALID_PART_ORDER)


def _etag_of(operation: CompleteMultipartUpload) -> ETag | None:
    """What the object's ETag will be, where the parts' are the MD5s of their bytes."""
    etags = [ETag(part.etag.strip('"')) for part in operation.parts]
    return multipart_etag(etags) if all(map(_is_md5, etags)) else None


def _parse_completed(answer: Answer) -> PutResult:
    # Of an object that was replaced as soon as it was made, nobody needs the size.
    return uploads.parse_completed(answer.body, 0)


def _result_of(info: ObjectInfo) -> PutResult:
    return PutResult(etag=info.etag, size=info.size, checksum=info.checksum)
