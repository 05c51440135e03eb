"""Multipart uploads in progress, each a directory with a record and its parts.

    uploads/<bucket>/<upload id>/record     what was said when it was created
    uploads/<bucket>/<upload id>/00001      part 1

A part is written like an object and published by a rename, with its record in an attribute (or hidden beside it, see
records.py). So a part that is uploaded twice at once is one of the two, whole.

Who may do what is settled by ``flock`` on ``record``. Publishing a part takes it shared, for the rename; completing and
aborting take it exclusive until the upload is gone. Whoever gets the lock then looks whether the record is still
linked: a part cannot be acknowledged into an upload that another process has completed or aborted.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from s3proxy.body import Digests
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    Bucket,
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CreateMultipartUpload,
    ETag,
    Key,
    ListParts,
    ObjectInfo,
    ObjectMetadata,
    Part,
    PartsPage,
    Tags,
    Upload,
    UploadId,
)
from s3proxy.stores.local import locks, metadata, records
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.records import HiddenFiles
from s3proxy.stores.local.staging import Staging, Temporary

_RECORD = "record"
_PATIENCE_SECONDS = 20.0
_ATTEMPTS = 10  # each is lost only to a deletion of the bucket in the same microseconds
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC

# The time in front makes ids sort by the time of creation, as listings want them; 144 random bits nobody can guess.
# Nothing that is not of this form becomes part of a path.
_is_id = re.compile(r"[0-9a-f]{16}[A-Za-z0-9_-]{24}").fullmatch
_is_part = re.compile(r"[0-9]{5}").fullmatch


def no_such_upload(upload_id: str) -> S3Error:
    """The error for an upload that is not there."""
    return S3Error(ErrorCode.NO_SUCH_UPLOAD, detail={"UploadId": upload_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """What was said when an upload was created."""

    upload: Upload
    metadata: ObjectMetadata
    tags: Tags
    acl: CannedAcl


class OpenUpload:
    """An upload held open.

    *Closes:* whoever opened it calls ``close``, which also frees its lock.
    """

    def __init__(self, dir_fd: int, record_fd: int, stored: StoredUpload, staging: Staging | None) -> None:
        self.stored: Final = stored
        self._dir_fd = dir_fd
        self._record_fd = record_fd
        self._staging = staging
        self._hidden = HiddenFiles(dir_fd, staging)

    def try_hold(self) -> bool:
        """Keep every other request away from the upload, until it is closed; say whether that was possible now.

        Raises:
            S3Error: NO_SUCH_UPLOAD when it was completed or aborted meanwhile.
        """
        if not locks.try_lock(self._record_fd, fcntl.LOCK_EX):
            return False
        self._require_linked()
        return True

    def hold(self) -> None:
        """Like ``try_hold``, but wait for those who have the upload; blocks.

        Raises:
            S3Error: NO_SUCH_UPLOAD when it was completed or aborted meanwhile; SLOW_DOWN when that takes too long.
        """
        locks.lock(self._record_fd, fcntl.LOCK_EX, patience_seconds=_PATIENCE_SECONDS)
        self._require_linked()

    def publish_part(self, number: int, temporary: Temporary, digests: Digests) -> Part:
        """Make a written file the part; blocks.

        Raises:
            S3Error: NO_SUCH_UPLOAD when it was completed or aborted meanwhile.
        """
        assert self._staging is not None
        status = os.fstat(temporary.fd)
        info = ObjectInfo(
            size=status.st_size,
            etag=ETag(digests.md5_hex),
            last_modified_ns=status.st_mtime_ns,
            metadata=ObjectMetadata(),
            checksum=checksum_of(digests),
        )
        records.save(temporary.fd, Record(info=info), self._hidden, ("", ""))
        temporary.sync()
        locks.lock(self._record_fd, fcntl.LOCK_SH, patience_seconds=_PATIENCE_SECONDS)
        try:
            self._require_linked()
            os.rename(temporary.name, f"{number:05d}", src_dir_fd=temporary.dir_fd, dst_dir_fd=self._dir_fd)
            temporary.published()
            if self._staging.is_synced:
                os.fsync(self._dir_fd)
        finally:
            fcntl.flock(self._record_fd, fcntl.LOCK_UN)
        return _part_of(number, info)

    @contextlib.contextmanager
    def reading_part(self, number: int) -> Iterator[int]:
        """The descriptor of a part; blocks."""
        fd = os.open(f"{number:05d}", _FILE, dir_fd=self._dir_fd)
        try:
            yield fd
        finally:
            os.close(fd)

    def part(self, number: int) -> Part | None:
        """What is known of a part, or None when there is none; blocks."""
        try:
            with self.reading_part(number) as fd:
                record, _ = records.load(fd, os.fstat(fd), self._hidden)
        except FileNotFoundError:
            return None
        # Without a valid record it is not the part that was acknowledged.
        return None if "-" in record.info.etag else _part_of(number, record.info)

    def page_of_parts(self, operation: ListParts) -> PartsPage:
        """One page of the stored parts; blocks."""
        marker = operation.part_number_marker
        names = os.listdir(self._dir_fd)
        numbers = sorted(number for number in map(int, filter(_is_part, names)) if number > marker)
        parts = [part for part in map(self.part, numbers[: operation.max_parts]) if part is not None]
        return PartsPage(
            upload=self.stored.upload,
            parts=tuple(parts),
            is_truncated=0 < operation.max_parts < len(numbers),
            next_part_number_marker=parts[-1].number if parts else 0,
        )

    def last_touched_ns(self) -> int:
        """When it was created or a part last stored."""
        return max(os.fstat(self._dir_fd).st_mtime_ns, os.fstat(self._record_fd).st_mtime_ns)

    def close(self) -> None:
        """Free the lock and the descriptors."""
        os.close(self._record_fd)
        os.close(self._dir_fd)

    def _require_linked(self) -> None:
        if not os.fstat(self._record_fd).st_nlink:
            raise no_such_upload(self.stored.upload.upload_id)


class Uploads:
    """The uploads of all buckets. All of it blocks.

    Args:
        uploads_fd: the directory; None when a read-only store has none.
        staging: where files and directories are made; None of a read-only store.
    """

    def __init__(self, uploads_fd: int | None, staging: Staging | None) -> None:
        self._uploads_fd = uploads_fd
        self._staging = staging

    def create(self, operation: CreateMultipartUpload) -> UploadId:
        """Begin an upload."""
        assert self._staging is not None
        assert self._uploads_fd is not None
        initiated_ns = time.time_ns()
        upload_id = UploadId(f"{initiated_ns:016x}{secrets.token_urlsafe(18)}")
        made = self._staging.make_directory()
        try:
            self._write_record(made, _encode(operation, initiated_ns))
            self._publish(made, f"{operation.bucket}/{upload_id}")
        except OSError:
            self._staging.destroy(*made)
            raise
        self._sync(operation.bucket)
        return upload_id

    def open(self, bucket: Bucket, key: Key, upload_id: str) -> OpenUpload:
        """Open an upload.

        Raises:
            S3Error: NO_SUCH_UPLOAD, also for an upload of another key.
        """
        upload = self._open(bucket, upload_id)
        if upload.stored.upload.key != key:
            upload.close()
            raise no_such_upload(upload_id)
        return upload

    def in_progress(self, bucket: Bucket) -> list[Upload]:
        """The uploads of a bucket, by key and then by time of creation."""
        found = []
        for upload_id in self._ids(bucket):
            with contextlib.suppress(S3Error):  # completed or aborted meanwhile
                upload = self._open(bucket, upload_id)
                found.append(upload.stored.upload)
                upload.close()
        return sorted(found, key=lambda upload: (upload.key, upload.upload_id))

    def destroy(self, bucket: Bucket, upload_id: UploadId) -> None:
        """Remove an upload that the caller holds."""
        assert self._staging is not None
        assert self._uploads_fd is not None
        self._staging.destroy(self._uploads_fd, f"{bucket}/{upload_id}")

    def discard(self, bucket: Bucket, upload_id: UploadId) -> None:
        """Remove an upload that somebody else may be removing, too.

        Raises:
            S3Error: NO_SUCH_UPLOAD; SLOW_DOWN when it is being completed.
        """
        upload = self._open(bucket, upload_id)
        try:
            upload.hold()
            self.destroy(bucket, upload_id)
        finally:
            upload.close()

    def drop(self, bucket: Bucket, *, before_ns: int) -> None:
        """Remove the uploads of a bucket that was deleted.

        Args:
            bucket: its name, which may already be that of a new bucket.
            before_ns: when it was deleted; later uploads are the new bucket's.
        """
        for upload_id in self._ids(bucket):
            if int(upload_id[:16], 16) < before_ns:
                with contextlib.suppress(S3Error):  # gone, or being completed in vain, and then left to ``abort_idle``
                    self.discard(bucket, upload_id)
        with contextlib.suppress(OSError):
            os.rmdir(bucket, dir_fd=self._uploads_fd)

    def abort_idle(self, *, before_ns: int) -> Iterator[UploadId]:
        """Abort the uploads that nobody has touched for long; yields between them, so that the caller can stop.

        Args:
            before_ns: those not touched since then.

        Yields:
            The id of each upload that was looked at.
        """
        assert self._uploads_fd is not None
        for bucket in os.listdir(self._uploads_fd):
            for upload_id in self._ids(Bucket(bucket)):
                with contextlib.suppress(S3Error):
                    self._abort_if_idle(Bucket(bucket), upload_id, before_ns)
                yield upload_id

    def _abort_if_idle(self, bucket: Bucket, upload_id: UploadId, before_ns: int) -> None:
        upload = self._open(bucket, upload_id)
        try:
            if upload.last_touched_ns() < before_ns and upload.try_hold():
                self.destroy(bucket, upload_id)
        finally:
            upload.close()

    def _ids(self, bucket: Bucket) -> list[UploadId]:
        if self._uploads_fd is None:
            return []
        try:
            fd = os.open(bucket, _DIRECTORY, dir_fd=self._uploads_fd)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return [UploadId(name) for name in os.listdir(fd) if _is_id(name)]
        finally:
            os.close(fd)

    def _open(self, bucket: Bucket, upload_id: str) -> OpenUpload:
        if self._uploads_fd is None or not _is_id(upload_id):
            raise no_such_upload(upload_id)
        with contextlib.ExitStack() as on_error:
            try:
                dir_fd = os.open(f"{bucket}/{upload_id}", _DIRECTORY, dir_fd=self._uploads_fd)
                on_error.callback(os.close, dir_fd)
                record_fd = os.open(_RECORD, _FILE, dir_fd=dir_fd)
                on_error.callback(os.close, record_fd)
            except FileNotFoundError as error:
                raise no_such_upload(upload_id) from error
            stored = _decode(_read_all(record_fd), UploadId(upload_id))
            on_error.pop_all()
        return OpenUpload(dir_fd, record_fd, stored, self._staging)

    def _write_record(self, made: tuple[int, str], data: bytes) -> None:
        assert self._staging is not None
        fd = os.open(f"{made[1]}/{_RECORD}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=made[0])
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            if self._staging.is_synced:
                os.fsync(fd)

    def _publish(self, made: tuple[int, str], path: str) -> None:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.dirname(path), 0o700, dir_fd=self._uploads_fd)
            with contextlib.suppress(FileNotFoundError):
                os.rename(made[1], path, src_dir_fd=made[0], dst_dir_fd=self._uploads_fd)
                return
        raise FileNotFoundError(path)

    def _sync(self, bucket: Bucket) -> None:
        """Bring a new upload's directory entries to the disk."""
        assert self._staging is not None
        if not self._staging.is_synced:
            return
        for path in (bucket, "."):
            fd = os.open(path, _DIRECTORY, dir_fd=self._uploads_fd)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def checksum_of(digests: Digests) -> Checksum | None:
    """The checksum of a body that was verified, if one was wanted."""
    if digests.checksum_algorithm is None or digests.checksum_base64 is None:
        return None
    return Checksum(ChecksumAlgorithm(digests.checksum_algorithm), digests.checksum_base64)


def _part_of(number: int, info: ObjectInfo) -> Part:
    return Part(
        number=number,
        size=info.size,
        etag=info.etag,
        last_modified_ns=info.last_modified_ns,
        checksum=info.checksum,
    )


def _read_all(fd: int) -> bytes:
    with open(fd, "rb", closefd=False) as file:
        return file.read()


def _encode(operation: CreateMultipartUpload, initiated_ns: int) -> bytes:
    """A line of JSON with what only uploads have, then what the object will have, encoded as an object's record."""
    algorithm, kind = operation.checksum_algorithm, operation.checksum_type
    line = [operation.key, algorithm.value if algorithm else None, kind.value if kind else None, initiated_ns]
    info = ObjectInfo(
        size=0,
        etag=ETag(""),
        last_modified_ns=initiated_ns,
        metadata=operation.metadata,
        storage_class=operation.storage_class,
        acl=operation.acl,
    )
    return json.dumps(line).encode("ascii") + b"\n" + metadata.encode(Record(info=info, tags=operation.tags))


def _decode(data: bytes, upload_id: UploadId) -> StoredUpload:
    line, _, encoded = data.partition(b"\n")
    key, algorithm, kind, initiated_ns = json.loads(line)
    record = metadata.decode(encoded, 0, initiated_ns)
    assert record is not None
    upload = Upload(
        key=Key(key),
        upload_id=upload_id,
        initiated_ns=initiated_ns,
        storage_class=record.info.storage_class,
        checksum_algorithm=ChecksumAlgorithm(algorithm) if algorithm else None,
        checksum_type=ChecksumType(kind) if kind else None,
    )
    return StoredUpload(upload=upload, metadata=record.info.metadata, tags=record.tags, acl=record.info.acl)
