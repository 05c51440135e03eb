"""Operations that take an object's bytes or change objects."""

from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.http1.messages import Response
from s3proxy.s3 import model, responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.verified_body import VerifiedBody, open_body
from s3proxy.stores.base import ObjectStore

MAX_PUT_BYTES = 5 * 1024**3  # S3 API PutObject and UploadPart


async def put_object(store: ObjectStore, verified: VerifiedRequest, operation: model.PutObject) -> Response:
    """Store the body; without a checksum of the client's, one is computed, as AWS does since 2024."""
    body = _object_body(verified, model.ChecksumAlgorithm.CRC64NVME)
    return responses.put_object(await store.put_object(operation, body))


async def upload_part(store: ObjectStore, verified: VerifiedRequest, operation: model.UploadPart) -> Response:
    """Store the body as a part, with the checksum that the upload was created for."""
    upload = await store.get_upload(operation.bucket, operation.key, operation.upload_id)
    body = _object_body(verified, upload.checksum_algorithm)
    claim = body.checksum_claim
    if claim is not None and upload.checksum_algorithm is not None and upload.checksum_algorithm != claim.algorithm:
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_algorithm.value.lower()}, "
            f"actual checksum Type: {claim.algorithm.value.lower()}",
        )
    return responses.upload_part(await store.upload_part(operation, body))


async def delete_objects(store: ObjectStore, operation: model.DeleteObjects, told: dict[str, str]) -> Response:
    """Delete one by one; each object has its own outcome.

    The longest keys go first, so that what lies below ``dir/`` is gone before ``dir/`` itself (Hadoop's habit). What
    became of each key is ``told``: its error code, or ``-``.
    """
    outcomes: dict[int, S3Error | None] = {}
    order = sorted(range(len(operation.objects)), key=lambda index: -len(operation.objects[index].key))
    for index in order:
        entry = operation.objects[index]
        outcomes[index] = error = await _delete_one(store, operation.bucket, entry)
        told[entry.key] = "-" if error is None else error.code.wire_name
    return responses.delete_objects(
        operation, ((entry, outcomes[index]) for index, entry in enumerate(operation.objects))
    )


async def _delete_one(store: ObjectStore, bucket: model.Bucket, entry: model.ObjectToDelete) -> S3Error | None:
    try:
        await store.delete_object(
            model.DeleteObject(bucket=bucket, key=entry.key, version_id=entry.version_id, conditions=entry.conditions)
        )
    except S3Error as error:
        return error
    return None


def _object_body(verified: VerifiedRequest, default_algorithm: model.ChecksumAlgorithm | None) -> VerifiedBody:
    request = verified.request
    if request.body.length == 0 and request.header(b"content-length") is None:
        raise S3Error(ErrorCode.MISSING_CONTENT_LENGTH)
    body = open_body(
        request,
        verified.payload,
        chain=verified.chain,
        default_algorithm=default_algorithm,
        is_open=verified.is_open,
    )
    if body.length is not None and body.length > MAX_PUT_BYTES:
        detail = {"ProposedSize": str(body.length), "MaxSizeAllowed": str(MAX_PUT_BYTES)}
        raise S3Error(ErrorCode.ENTITY_TOO_LARGE, detail=detail)
    return body
