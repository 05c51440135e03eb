"""Pages of the uploads in progress."""

from collections.abc import Iterable, Iterator

from s3proxy.s3.model import ListMultipartUploads, Upload, UploadId, UploadsPage


def page_of_uploads(uploads: Iterable[Upload], operation: ListMultipartUploads) -> UploadsPage:
    """One page of a bucket's uploads.

    Args:
        uploads: all of them, by key and then by time of creation.
        operation: which of them. Without ``upload_id_marker`` the page begins after all uploads of ``key_marker``.

    Source: S3 API ListMultipartUploads.
    """
    entries: list[Upload | str] = []
    is_truncated = False
    for entry in _entries(uploads, operation):
        if len(entries) == operation.max_uploads:
            is_truncated = bool(entries)  # of a page of 0 there is no next one
            break
        entries.append(entry)
    last = entries[-1] if entries else ""
    return UploadsPage(
        uploads=tuple(entry for entry in entries if not isinstance(entry, str)),
        common_prefixes=tuple(entry for entry in entries if isinstance(entry, str)),
        is_truncated=is_truncated,
        next_key_marker=last if isinstance(last, str) else last.key,
        next_upload_id_marker="" if isinstance(last, str) else last.upload_id,
    )


def _entries(uploads: Iterable[Upload], operation: ListMultipartUploads) -> Iterator[Upload | str]:
    """Uploads and common prefixes in order, each prefix once."""
    previous = operation.key_marker  # the last page may have ended with a common prefix
    for upload in uploads:
        if not upload.key.startswith(operation.prefix) or not _is_after(upload, operation):
            continue
        common_prefix = _common_prefix(upload.key, operation)
        if common_prefix is None:
            yield upload
        elif common_prefix != previous:
            previous = common_prefix
            yield common_prefix


def _is_after(upload: Upload, operation: ListMultipartUploads) -> bool:
    # Python compares by code point, which is the order of the UTF-8 bytes.
    if upload.key != operation.key_marker:
        return upload.key > operation.key_marker
    return bool(operation.upload_id_marker) and upload.upload_id > UploadId(operation.upload_id_marker)


def _common_prefix(key: str, operation: ListMultipartUploads) -> str | None:
    if not operation.delimiter:
        return None
    found = key.find(operation.delimiter, len(operation.prefix))
    return None if found < 0 else key[: found + len(operation.delimiter)]
