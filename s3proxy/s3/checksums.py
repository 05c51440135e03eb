"""Checksums of objects: computing, claiming, and joining those of parts.

Source: S3 User Guide, "Checking object integrity in Amazon S3".
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from awscrt import checksums as crt
from isal import isal_zlib

from s3proxy.http1.messages import Request
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType, ETag

_CHECKSUM_PREFIX = b"x-amz-checksum-"
_CHECKSUM_HEADERS = {_CHECKSUM_PREFIX + member.value.lower().encode(): member for member in ChecksumAlgorithm}
_OTHER_HEADERS = (b"x-amz-checksum-algorithm", b"x-amz-checksum-mode", b"x-amz-checksum-type")


class Hash(Protocol):
    """A digest in progress, as in hashlib."""

    def update(self, data: memoryview, /) -> None:
        """Take ``data`` in; lets go of the interpreter lock on large buffers."""

    def digest(self) -> bytes:
        """The digest of what was taken in so far."""
        ...


class _Crc:
    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[memoryview, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@dataclass(frozen=True, slots=True)
class _CrcKind:
    """A CRC's functions: ``combine(a, b, size of b's data)`` is the CRC of both pieces of data joined."""

    function: Callable[[memoryview, int], int]
    combine: Callable[[int, int, int], int]


# GB/s on buffers of 256 KiB: isal 65 against zlib 7 and awscrt 3 for CRC32; awscrt 57 and 64 for the others.
_CRCS = {
    ChecksumAlgorithm.CRC32: _CrcKind(isal_zlib.crc32, crt.combine_crc32),
    ChecksumAlgorithm.CRC32C: _CrcKind(crt.crc32c, crt.combine_crc32c),
    ChecksumAlgorithm.CRC64NVME: _CrcKind(crt.crc64nvme, crt.combine_crc64nvme),
}
_DIGEST_SIZES = {
    ChecksumAlgorithm.CRC32: 4,
    ChecksumAlgorithm.CRC32C: 4,
    ChecksumAlgorithm.CRC64NVME: 8,
    ChecksumAlgorithm.SHA1: 20,
    ChecksumAlgorithm.SHA256: 32,
}


def new_hash(algorithm: ChecksumAlgorithm) -> Hash:
    """A digest of nothing yet."""
    if algorithm in _CRCS:
        return _Crc(_CRCS[algorithm].function, _DIGEST_SIZES[algorithm])
    if algorithm is ChecksumAlgorithm.SHA1:
        return hashlib.sha1(usedforsecurity=False)
    return hashlib.sha256()


def base64_digest(digest: Hash) -> str:
    """The digest of what was taken in so far, as checksums are on the wire."""
    return base64.b64encode(digest.digest()).decode()


def is_checksum(algorithm: ChecksumAlgorithm, value: str) -> bool:
    """Whether ``value`` is base64 of a digest of the right size."""
    digest = _decode_base64(value)
    return digest is not None and len(digest) == _DIGEST_SIZES[algorithm]


def _decode_base64(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


# What a client claims


@dataclass(frozen=True, slots=True)
class ChecksumClaim:
    """The checksum that a client gives of a body: now, or in a trailer when ``value`` is None."""

    algorithm: ChecksumAlgorithm
    value: str | None


def parse_checksum_algorithm(value: str) -> ChecksumAlgorithm:
    """Read x-amz-checksum-algorithm, whatever its case.

    Raises:
        S3Error: INVALID_REQUEST for one that S3 does not have.
    """
    try:
        return ChecksumAlgorithm(value.upper())
    except ValueError:
        valid = ", ".join(member.value for member in ChecksumAlgorithm)
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{valid}]",
        ) from None


def parse_checksum_claim(request: Request) -> ChecksumClaim | None:
    """Which checksum of the body ``request`` claims, in an x-amz-checksum-* header or by announcing a trailer.

    Raises:
        S3Error: INVALID_REQUEST for two claims, an unknown algorithm, a trailer that is no checksum, or an
            x-amz-sdk-checksum-algorithm that does not fit; BAD_DIGEST for a value of the wrong form.
    """
    claims = []
    for name, value in request.headers:
        if name.startswith(_CHECKSUM_PREFIX) and name not in _OTHER_HEADERS:
            claims.append(_header_claim(name, value))
        elif name == b"x-amz-trailer":
            claims.append(_trailer_claim(value))
    if len(claims) > 1:
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    claim = claims[0] if claims else None
    _refuse_other_sdk_algorithm(request, claim)
    return claim


def _header_claim(name: bytes, value: bytes) -> ChecksumClaim:
    algorithm = _CHECKSUM_HEADERS.get(name)
    if algorithm is None:
        raise S3Error(
            ErrorCode.INVALID_REQUEST, "The algorithm type you specified in x-amz-checksum- header is invalid."
        )
    text = value.decode("latin-1")
    if not is_checksum(algorithm, text):
        raise S3Error(ErrorCode.BAD_DIGEST, f"Value for {name.decode()} header is invalid.")
    return ChecksumClaim(algorithm, text)


def _trailer_claim(value: bytes) -> ChecksumClaim:
    algorithm = _CHECKSUM_HEADERS.get(value.lower())
    if algorithm is None:
        message = "The value specified in the x-amz-trailer header is not supported"
        raise S3Error(ErrorCode.INVALID_REQUEST, message)
    return ChecksumClaim(algorithm, None)


def _refuse_other_sdk_algorithm(request: Request, claim: ChecksumClaim | None) -> None:
    named = request.header(b"x-amz-sdk-checksum-algorithm")
    if named is None:
        return
    if claim is None:
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.",
        )
    if named.decode("latin-1").upper() != claim.algorithm.value:
        message = "Value for x-amz-sdk-checksum-algorithm header is invalid."
        raise S3Error(ErrorCode.INVALID_REQUEST, message)


def trailer_name(algorithm: ChecksumAlgorithm) -> bytes:
    """The header or trailer that carries a checksum of ``algorithm``."""
    return _CHECKSUM_PREFIX + algorithm.value.lower().encode()


def parse_content_md5(request: Request) -> bytes | None:
    """The digest in Content-MD5, or None without one.

    Raises:
        S3Error: INVALID_DIGEST.
    """
    value = request.header(b"content-md5")
    if value is None:
        return None
    digest = _decode_base64(value.decode("latin-1"))
    if digest is None or len(digest) != 16:
        raise S3Error(ErrorCode.INVALID_DIGEST, "The Content-MD5 you specified was invalid.")
    return digest


# Multipart objects


def composite_checksum(algorithm: ChecksumAlgorithm, parts: Sequence[str]) -> Checksum:
    """The checksum of the checksums of ``parts``, each in base64."""
    digest = new_hash(algorithm)
    digest.update(memoryview(b"".join([base64.b64decode(part) for part in parts])))
    return Checksum(algorithm, f"{base64_digest(digest)}-{len(parts)}", ChecksumType.COMPOSITE)


def full_object_checksum(algorithm: ChecksumAlgorithm, parts: Iterable[tuple[str, int]]) -> Checksum:
    """The checksum of the joined bytes of ``parts``, from each one's checksum in base64 and size in bytes.

    Args:
        algorithm: one of the CRCs; of a SHA it cannot be known without the bytes.
        parts: in order.
    """
    combine = _CRCS[algorithm].combine
    value = 0
    for part, size in parts:
        value = combine(value, int.from_bytes(base64.b64decode(part), "big"), size)
    digest = value.to_bytes(_DIGEST_SIZES[algorithm], "big")
    return Checksum(algorithm, base64.b64encode(digest).decode(), ChecksumType.FULL_OBJECT)


def multipart_etag(part_etags: Sequence[ETag]) -> ETag:
    """The ETag of an object joined from parts whose ETags are the MD5s of their bytes."""
    digests = b"".join([bytes.fromhex(etag) for etag in part_etags])
    return ETag(f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(part_etags)}")
