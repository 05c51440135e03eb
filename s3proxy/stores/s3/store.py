"""``S3Store``: the object store over any S3.

One account signs for everything. What S3 does not keep as this gateway needs it is in hidden metadata and a hidden tag,
see ``s3.client.hidden``. A bucket without the tag belongs to every user of the gateway.

What no S3 gives: the parts of an object, except to GetObjectAttributes (a read of one part tells where it lies and how
many there are), and when an upload began, except in the list of uploads.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from s3proxy.body import IncomingBody
from s3proxy.http1.client import ClientLimits
from s3proxy.metrics.meters import StoreMeter
from s3proxy.s3 import model
from s3proxy.s3.client import listings
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import ObjectStore, OpenObject, StoreUnavailableError
from s3proxy.stores.s3.buckets import Buckets
from s3proxy.stores.s3.conditional import Conditional, ConditionalWrites
from s3proxy.stores.s3.connections import Connections
from s3proxy.stores.s3.copies import Copies
from s3proxy.stores.s3.credentials import CredentialsProvider, ProviderChain
from s3proxy.stores.s3.endpoint import Addressing, Endpoint
from s3proxy.stores.s3.exchange import Exchange, Limiter, Patience
from s3proxy.stores.s3.looking import Looking
from s3proxy.stores.s3.multipart import Multipart
from s3proxy.stores.s3.writing import Writing

_US_EAST_1 = "us-east-1"  # which wants no LocationConstraint, as it was there before the others
_MOST_EMPTY_PAGES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a store is and how it is treated."""

    endpoint: str | None = None
    """``http://host:port`` or https; Amazon's of the region when None."""

    region: str = _US_EAST_1
    """That requests are signed for."""

    addressing: Addressing | None = None
    """Of buckets, in the path or in the host name; in the path by default, but at Amazon."""

    ca_file: Path | None = None
    """Certificates to trust instead of those of the system."""

    checksum_trailers: bool | None = None
    """The store takes checksums behind a body; by default only Amazon's does. See uploading.py."""

    conditional_writes: ConditionalWrites | None = None
    """Of what the store honours If-Match and If-None-Match; by default Amazon's of all writes, others of PutObject."""

    bucket_seconds: float = 5.0
    """How long it may go unnoticed that another process changed a bucket."""

    patience: Patience = field(default_factory=Patience)
    """How long the store may take."""

    limits: ClientLimits | None = None
    """Of connections. By default the head of an answer may take as long as ``patience`` has for slow ones."""

    @property
    def place(self) -> Endpoint:
        """The endpoint.

        Raises:
            EndpointError: it is none.
        """
        if self.endpoint is None:
            return Endpoint.of_aws(self.region, self.addressing or "virtual")
        return Endpoint.parse(self.endpoint, self.addressing or "path")

    @property
    def location(self) -> str | None:
        """The LocationConstraint that the store itself wants of new buckets."""
        return self.region if self.endpoint is None and self.region != _US_EAST_1 else None

    @property
    def takes_trailers(self) -> bool:
        """Whether the store takes checksums behind a body."""
        return self.endpoint is None if self.checksum_trailers is None else self.checksum_trailers

    @property
    def honoured(self) -> ConditionalWrites:
        """What the store honours conditions of."""
        return self.conditional_writes or ("all" if self.endpoint is None else "put")


class S3Store(ObjectStore):
    """An object store over S3. Make it with ``open``.

    *Closes:* ``aclose``, after the last operation.

    Args:
        exchange: with the store.
        connections: to it, which are closed with this.
        settings: see there.
        clock: seconds that only go forward.
    """

    def __init__(
        self, exchange: Exchange, connections: Connections, settings: Settings, *, clock: Callable[[], float]
    ) -> None:
        self._exchange = exchange
        self._connections = connections
        self._buckets = Buckets(exchange, location=settings.location, kept_seconds=settings.bucket_seconds, clock=clock)
        self._looking = Looking(exchange, self._buckets)
        conditional = Conditional(self._looking, settings.honoured)
        self._writing = Writing(exchange, self._looking, conditional, checksum_trailers=settings.takes_trailers)
        self._copies = Copies(exchange, self._looking, conditional, self._writing)
        self._multipart = Multipart(exchange, self._looking, conditional)

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        credentials: CredentialsProvider | None = None,
        limiter: Limiter | None = None,
        meter: StoreMeter | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> Self:
        """Make a store; nothing is sent before the first operation.

        Args:
            settings: where the store is and how it is treated.
            credentials: who signs; what botocore's provider chain finds when None.
            limiter: bounds the requests in flight; None for no bound.
            meter: counts what the store is asked; None for nobody.
            clock: seconds that only go forward.
            jitter: a number from 0 to 1, anew for each pause between attempts.

        Raises:
            EndpointError: the endpoint is none.
        """
        patience = settings.patience
        limits = settings.limits or ClientLimits(response_timeout_seconds=patience.slow_answer)
        connections = Connections(settings.place, limits=limits, ca_file=settings.ca_file, meter=meter)
        credentials = credentials or ProviderChain(settings.region)
        exchange = Exchange(connections, credentials, patience=patience, limiter=limiter, jitter=jitter)
        return cls(exchange, connections, settings, clock=clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    # Buckets

    async def list_buckets(self) -> list[model.BucketInfo]:
        """Every bucket of the account; one request for each whose owner is not known."""
        return await self._buckets.list()

    async def get_bucket(self, bucket: model.Bucket) -> model.BucketInfo:
        """What the hidden tag says, kept for a few seconds."""
        return await self._buckets.get(bucket)

    async def create_bucket(self, operation: model.CreateBucket, owner: model.Owner) -> None:
        """Make a bucket and its hidden tag, or neither."""
        await self._buckets.create(operation, owner)

    async def delete_bucket(self, bucket: model.Bucket) -> None:
        """Remove the bucket, with the uploads in progress."""
        await self._buckets.delete(bucket)
        self._multipart.forget_bucket(bucket)

    async def get_bucket_tagging(self, bucket: model.Bucket) -> model.Tags:
        """The tags, but for the hidden one."""
        return await self._buckets.tags(bucket)

    async def put_bucket_tagging(self, bucket: model.Bucket, tags: model.Tags) -> None:
        """Replace the tags, but for the hidden one: 49 at most beside it."""
        await self._buckets.put_tags(bucket, tags)

    # Listings

    async def list_objects(self, bucket: model.Bucket, query: model.ListQuery) -> model.ListPage:
        """One page. A store may need several requests to find its first entry."""
        token: str | None = None
        for _ in range(_MOST_EMPTY_PAGES):
            page, token = await self._exchange.ask(
                listings.list_objects(bucket, query, token), lambda answer: listings.parse_listing(query, answer.body)
            )
            if token is None:
                return page
        raise StoreUnavailableError("the store lists one empty page after another")

    # Objects

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        """Open an object; see ``Looking.open``."""
        _require_current(operation.version_id)
        return await self._looking.open(operation)

    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        """One request."""
        _require_current(operation.version_id)
        return await self._looking.head(operation.bucket, operation.key, operation.part_number)

    async def get_object_attributes(self, operation: model.GetObjectAttributes) -> model.ObjectInfo:
        """One request, and those for the parts; see ``Looking.attributes``."""
        _require_current(operation.version_id)
        return await self._looking.attributes(operation)

    async def put_object(self, operation: model.PutObject, body: IncomingBody) -> model.PutResult:
        """Send the body on while it comes, and its last byte when all was verified."""
        return await self._writing.put_object(operation, body)

    async def delete_object(self, operation: model.DeleteObject) -> None:
        """Remove the object."""
        _require_current(operation.version_id)
        await self._writing.delete_object(operation)

    async def copy_object(self, operation: model.CopyObject) -> model.CopyResult:
        """Copy within the store."""
        _require_current(operation.source.version_id)
        return await self._copies.copy_object(operation)

    async def get_object_tagging(self, operation: model.GetObjectTagging) -> model.Tags:
        """The object's tags."""
        _require_current(operation.version_id)
        return await self._looking.tags(operation.bucket, operation.key)

    async def put_object_tagging(self, operation: model.PutObjectTagging) -> None:
        """Replace the object's tags."""
        _require_current(operation.version_id)
        await self._writing.put_tags(operation.bucket, operation.key, operation.tags)

    # Multipart uploads

    async def create_multipart_upload(self, operation: model.CreateMultipartUpload) -> model.UploadId:
        """Begin an upload, whose id is the store's."""
        return await self._multipart.create(operation)

    async def upload_part(self, operation: model.UploadPart, body: IncomingBody) -> model.PutResult:
        """Like ``put_object``."""
        return await self._writing.upload_part(operation, body)

    async def get_upload(self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId) -> model.Upload:
        """What was said when the upload was created; see ``Multipart.get``."""
        return await self._multipart.get(bucket, key, upload_id)

    async def upload_part_copy(self, operation: model.UploadPartCopy) -> model.CopyResult:
        """Copy within the store."""
        _require_current(operation.source.version_id)
        return await self._copies.copy_part(operation)

    async def complete_multipart_upload(self, operation: model.CompleteMultipartUpload) -> model.PutResult:
        """Let the store join the parts."""
        return await self._multipart.complete(operation)

    async def abort_multipart_upload(self, operation: model.AbortMultipartUpload) -> None:
        """Let the store forget the upload."""
        await self._multipart.abort(operation)

    async def list_parts(self, operation: model.ListParts) -> model.PartsPage:
        """One page."""
        return await self._multipart.list_parts(operation)

    async def list_multipart_uploads(self, operation: model.ListMultipartUploads) -> model.UploadsPage:
        """One page, in the store's order."""
        return await self._multipart.list(operation)


def _require_current(version_id: str | None) -> None:
    """Refuse every version but the only one that there is."""
    if version_id not in {None, "null"}:
        raise S3Error(ErrorCode.NO_SUCH_VERSION, detail={"VersionId": str(version_id)})
