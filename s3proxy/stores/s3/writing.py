"""What changes single objects: the bytes of clients on their way to the store, deletions, conditions, tags."""

import re
from dataclasses import dataclass, replace

import trio

from s3proxy.body import Digests, IncomingBody
from s3proxy.s3 import conditions
from s3proxy.s3.client import answers, buckets, objects, uploads
from s3proxy.s3.client.request import StoreRequest
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    DeleteObject,
    ETag,
    Key,
    PutObject,
    PutResult,
    Tags,
    UploadPart,
)
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.receiving import WHOLE_BYTES, LargeBuffers, receive_whole
from s3proxy.stores.s3.conditional import Conditional, told_apart
from s3proxy.stores.s3.exchange import Answer, Exchange
from s3proxy.stores.s3.looking import Looking
from s3proxy.stores.s3.uploading import Trailer, Upload, headers_of_short

_THREADS = 8  # which compute: more than there are cores gain nothing

_is_md5 = re.compile(r"[0-9a-f]{32}").fullmatch
# With these an ETag looks like an MD5 and is none.
_KEY_HEADERS = frozenset(
    {b"x-amz-server-side-encryption-aws-kms-key-id", b"x-amz-server-side-encryption-customer-algorithm"}
)


@dataclass(frozen=True, slots=True)
class _Stored:
    etag: ETag
    is_encrypted: bool


class Writing:
    """Writes objects and parts.

    Args:
        exchange: with the store.
        looking: at what is there.
        conditional: judges conditions.
        checksum_trailers: whether the store takes checksums behind a body; see uploading.py.
    """

    def __init__(
        self, exchange: Exchange, looking: Looking, conditional: Conditional, *, checksum_trailers: bool
    ) -> None:
        self._exchange = exchange
        self._looking = looking
        self._conditional = conditional
        self._checksum_trailers = checksum_trailers
        self._buffers = LargeBuffers()
        self._threads = trio.CapacityLimiter(_THREADS)

    async def put_object(self, operation: PutObject, body: IncomingBody) -> PutResult:
        """Store an object."""
        when = operation.conditions
        pinned = await self._conditional.pinned("PutObject", operation.bucket, operation.key, when)
        request = objects.put_object(replace(operation, conditions=pinned))
        try:
            with told_apart(when, pinned):
                return await self._store(request, body, can_repeat=when.is_empty)
        except S3Error as error:
            if error.code is ErrorCode.NO_SUCH_KEY and when.is_empty:
                # What else could a new object lack? Ceph says so when the bucket goes while the body comes.
                raise S3Error(ErrorCode.NO_SUCH_BUCKET) from error
            raise

    async def upload_part(self, operation: UploadPart, body: IncomingBody) -> PutResult:
        """Store a part."""
        with uploads.as_no_such_upload():
            return await self._store(uploads.upload_part(operation), body, can_repeat=True)

    async def delete_object(self, operation: DeleteObject) -> None:
        """Remove an object.

        Stores know few conditions of a deletion. So they are judged here, and the version that met them is all that is
        removed, by stores that know If-Match.
        """
        bucket, key = operation.bucket, operation.key
        if operation.conditions.is_empty:
            await self._exchange.ask(objects.delete_object(bucket, key), _nothing)
            return
        self._conditional.require("DeleteObject")
        current = await self._looking.current(bucket, key)
        if current is not None:  # a missing object meets every condition
            conditions.check_delete(operation.conditions, current)
            request = objects.delete_object(bucket, key, if_match=current.etag or None)
            await self._exchange.ask(request, _nothing, can_repeat=False)

    async def put_tags(self, bucket: Bucket, key: Key, tags: Tags) -> None:
        """Replace the tags of an object."""
        await self._exchange.ask(buckets.put_tagging(tags, bucket, key), _nothing)

    async def _store(self, request: StoreRequest, body: IncomingBody, *, can_repeat: bool) -> PutResult:
        length = body.length
        if length is None:  # S3 takes none of these; and its SDKs announce a length even where they send chunks
            raise S3Error(ErrorCode.MISSING_CONTENT_LENGTH)
        if length <= WHOLE_BYTES:
            stored, digests = await self._store_short(request, body, length, can_repeat=can_repeat)
        else:
            upload = Upload(
                body,
                length,
                buffers=self._buffers,
                threads=self._threads,
                trailer=self._trailer_of(body, length),
            )
            stored = await self._exchange.send(request, upload, _stored)
            digests = upload.digests
        _refuse_other_bytes(stored, digests)
        return PutResult(etag=stored.etag or ETag(digests.md5_hex), size=length, checksum=_checksum_of(digests))

    async def _store_short(
        self, request: StoreRequest, body: IncomingBody, length: int, *, can_repeat: bool
    ) -> tuple[_Stored, Digests]:
        data = await receive_whole(body, length)
        body.digest(data)  # in the event loop: 0.1 ms for 64 KiB, and a hop to a thread costs more
        digests = body.verify()
        whole = replace(request, headers=request.headers + headers_of_short(digests), body=bytes(data))
        return await self._exchange.ask(whole, _stored, can_repeat=can_repeat), digests

    def _trailer_of(self, body: IncomingBody, length: int) -> Trailer | None:
        name = body.checksum_algorithm
        return Trailer(ChecksumAlgorithm(name), length) if self._checksum_trailers and name is not None else None


def _nothing(_: Answer) -> None:
    """An answer of which only the status counts."""


def _stored(answer: Answer) -> _Stored:
    return _Stored(
        objects.parse_stored_etag(answer.headers), not _KEY_HEADERS.isdisjoint(answers.fields_of(answer.headers))
    )


def _refuse_other_bytes(stored: _Stored, digests: Digests) -> None:
    """Make sure that what is stored is what was sent, where the ETag can tell."""
    if _is_md5(stored.etag) and not stored.is_encrypted and stored.etag != digests.md5_hex:
        raise StoreUnavailableError(f"the store has other bytes than were sent: {stored.etag}, not {digests.md5_hex}")


def _checksum_of(digests: Digests) -> Checksum | None:
    if digests.checksum_algorithm is None or digests.checksum_base64 is None:
        return None
    return Checksum(ChecksumAlgorithm(digests.checksum_algorithm), digests.checksum_base64)
