"""CompleteMultipartUpload as a decision: whether the listed parts make an object, and which."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from s3proxy.s3 import checksums
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    CompleteMultipartUpload,
    ETag,
    Part,
    Upload,
)

_SHAS = {ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """The object that an upload becomes."""

    parts: tuple[Part, ...]
    etag: ETag
    checksum: Checksum | None


def assemble(
    operation: CompleteMultipartUpload, upload: Upload, stored: Callable[[int], Part | None], *, min_part_size: int
) -> Assembly:
    """Check a completion against what is stored.

    Args:
        operation: names the parts, which are all that count: other stored parts are dropped.
        upload: as it was created.
        stored: looks up a part by its number.
        min_part_size: in bytes, for every part but the last.

    Raises:
        S3Error: MALFORMED_XML without parts; INVALID_PART_ORDER; INVALID_PART for one that is not stored, or is
            stored with another ETag or checksum; ENTITY_TOO_SMALL; INVALID_REQUEST for a wrong size or type of
            checksum; BAD_DIGEST for a wrong checksum of the whole.

    Source: S3 API CompleteMultipartUpload.
    """
    if not operation.parts:
        raise S3Error(ErrorCode.MALFORMED_XML)
    _check_order(operation.parts)
    parts = tuple(_find(listed, stored) for listed in operation.parts)
    _check_sizes(parts, min_part_size)
    if operation.object_size is not None and operation.object_size != sum(part.size for part in parts):
        raise S3Error(ErrorCode.INVALID_REQUEST, "The parts do not add up to the size in x-amz-mp-object-size.")
    checksum = _checksum_of(parts, upload, operation)
    _check_checksum(operation, checksum)
    return Assembly(parts=parts, etag=ETag(checksums.multipart_etag([part.etag for part in parts])), checksum=checksum)


def _check_order(listed: tuple[CompletedPart, ...]) -> None:
    if any(one.number >= next_one.number for one, next_one in pairwise(listed)):
        raise S3Error(ErrorCode.INVALID_PART_ORDER)


def _find(listed: CompletedPart, stored: Callable[[int], Part | None]) -> Part:
    part = stored(listed.number)
    if part is None or part.etag != listed.etag.strip('"'):
        raise S3Error(ErrorCode.INVALID_PART, detail={"PartNumber": str(listed.number), "ETag": listed.etag})
    if listed.checksum is not None and part.checksum is not None and not _is_same(listed.checksum, part.checksum):
        raise S3Error(ErrorCode.INVALID_PART, detail={"PartNumber": str(listed.number), "ETag": listed.etag})
    return part


def _is_same(claimed: Checksum, computed: Checksum) -> bool:
    return claimed.algorithm is not computed.algorithm or claimed.value == computed.value


def _check_sizes(parts: tuple[Part, ...], min_part_size: int) -> None:
    for part in parts[:-1]:
        if part.size < min_part_size:
            detail = {
                "ProposedSize": str(part.size),
                "MinSizeAllowed": str(min_part_size),
                "PartNumber": str(part.number),
                "ETag": part.etag,
            }
            raise S3Error(ErrorCode.ENTITY_TOO_SMALL, detail=detail)


def _checksum_of(parts: tuple[Part, ...], upload: Upload, operation: CompleteMultipartUpload) -> Checksum | None:
    """The checksum of the whole, from those of the parts; None when none was ever asked for."""
    claimed = operation.checksum
    algorithm = upload.checksum_algorithm or (claimed.algorithm if claimed else None)
    if algorithm is None:
        return None
    values = [
        part.checksum.value for part in parts if part.checksum is not None and part.checksum.algorithm is algorithm
    ]
    if len(values) != len(parts):
        raise S3Error(ErrorCode.INVALID_REQUEST, f"Not every part was uploaded with a {algorithm.value} checksum.")
    if (upload.checksum_type or default_type(algorithm)) is ChecksumType.COMPOSITE:
        return checksums.composite_checksum(algorithm, values)
    if algorithm in _SHAS:
        raise S3Error(ErrorCode.INVALID_REQUEST, f"There is no {algorithm.value} of a full object from its parts.")
    return checksums.full_object_checksum(
        algorithm, [(value, part.size) for value, part in zip(values, parts, strict=True)]
    )


def default_type(algorithm: ChecksumAlgorithm) -> ChecksumType:
    """What a multipart checksum covers where the client does not say.

    Source: S3 User Guide, "Checking object integrity": CRC64NVME has no composite type, the others default to it.
    """
    return ChecksumType.FULL_OBJECT if algorithm is ChecksumAlgorithm.CRC64NVME else ChecksumType.COMPOSITE


def _check_checksum(operation: CompleteMultipartUpload, checksum: Checksum | None) -> None:
    if checksum is None:
        return
    if operation.checksum_type is not None and operation.checksum_type is not checksum.type:
        message = f"The upload was created using the {checksum.type.value} checksum mode."
        raise S3Error(ErrorCode.INVALID_REQUEST, message)
    claimed = operation.checksum
    if claimed is None:
        return
    if claimed.algorithm is not checksum.algorithm:
        message = f"The upload was created using a {checksum.algorithm.value} checksum."
        raise S3Error(ErrorCode.INVALID_REQUEST, message)
    # A composite one is also given without its number of parts.
    if claimed.value not in {checksum.value, checksum.value.partition("-")[0]}:
        message = f"The {checksum.algorithm.value} you specified did not match the calculated checksum."
        raise S3Error(ErrorCode.BAD_DIGEST, message)
