"""The body of a write, checked against everything that the client claimed about it.

Source: S3 API PutObject and UploadPart: Content-MD5, x-amz-content-sha256, x-amz-checksum-*, x-amz-trailer.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from s3proxy.body import ByteStream, Digests
from s3proxy.http1.messages import Request
from s3proxy.s3.awschunked import AwsChunkedBody, SignatureChain
from s3proxy.s3.checksums import (
    ChecksumClaim,
    Hash,
    base64_digest,
    is_checksum,
    new_hash,
    parse_checksum_claim,
    parse_content_md5,
    trailer_name,
)
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ChecksumAlgorithm
from s3proxy.s3.payload import Payload, PayloadMode

_is_length = re.compile(rb"[0-9]{1,18}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a client says about a body before it sends it."""

    length: int | None
    """In bytes, without framing; None when it did not say."""
    md5: bytes | None = None
    sha256_hex: str | None = None
    checksum: ChecksumClaim | None = None


def open_body(
    request: Request,
    payload: Payload,
    *,
    chain: SignatureChain | None,
    default_algorithm: ChecksumAlgorithm | None = None,
    is_open: bool = False,
    is_checksum_its_own: bool = True,
) -> "VerifiedBody":
    """The body of ``request``, to be received and verified.

    Args:
        request: its headers say what to check.
        payload: what x-amz-content-sha256 was found to say when the request was authorised.
        chain: what signed chunks are checked with; needed for the modes that have them.
        default_algorithm: the checksum to compute where the client claims none.
        is_open: nothing is authenticated here, so signed chunks pass unchecked without ``chain``.
        is_checksum_its_own: False where an x-amz-checksum-* header is about something else than this body.

    Raises:
        S3Error: for claims that contradict each other or are not of their form, MISSING_CONTENT_LENGTH for aws-chunked
            without x-amz-decoded-content-length, ACCESS_DENIED for signed chunks that nothing can check.
    """
    mode = payload.mode
    if mode.is_chunk_signed and chain is None and not is_open:
        raise S3Error(ErrorCode.ACCESS_DENIED)
    checksum = parse_checksum_claim(request) if is_checksum_its_own else None
    is_trailing = checksum is not None and checksum.value is None
    if is_trailing and not mode.has_trailer:
        raise S3Error(ErrorCode.INVALID_REQUEST, "x-amz-trailer needs a payload mode with a trailer.")
    if mode.has_trailer and not is_trailing:
        raise S3Error(ErrorCode.MALFORMED_TRAILER_ERROR)
    stream: ByteStream = request.body
    length = request.body.length
    if mode.is_streaming:
        length = _decoded_length(request)
        stream = AwsChunkedBody(request.body, mode, length, chain)
    claims = Claims(
        length=length,
        md5=parse_content_md5(request),
        sha256_hex=payload.text.decode().lower() if mode is PayloadMode.DIGEST else None,
        checksum=checksum,
    )
    return VerifiedBody(stream, claims, default_algorithm)


def _decoded_length(request: Request) -> int:
    value = request.header(b"x-amz-decoded-content-length")
    if value is None:
        message = "You must provide the x-amz-decoded-content-length HTTP header."
        raise S3Error(ErrorCode.MISSING_CONTENT_LENGTH, message)
    if not _is_length(value):
        detail = {"ArgumentName": "x-amz-decoded-content-length", "ArgumentValue": value.decode("latin-1")}
        raise S3Error(ErrorCode.INVALID_ARGUMENT, None, detail)
    return int(value)


class VerifiedBody:
    """An ``IncomingBody``: every digest that is needed is computed in ``digest``, one after the other.

    MD5 is always among them, for the ETag, and is the slowest (0.7 GB/s); a SHA-256 of the payload, chunk signatures
    and a SHA checksum add half of that or more each, the CRCs nothing to speak of.

    Args:
        stream: the payload, without framing.
        claims: what to check it against.
        default_algorithm: the checksum to compute where ``claims`` has none.
    """

    def __init__(self, stream: ByteStream, claims: Claims, default_algorithm: ChecksumAlgorithm | None = None) -> None:
        self._stream = stream
        self._claims = claims
        self._algorithm = claims.checksum.algorithm if claims.checksum else default_algorithm
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = None if claims.sha256_hex is None else new_hash(ChecksumAlgorithm.SHA256)
        if self._sha256 is not None and self._algorithm is ChecksumAlgorithm.SHA256:
            self._checksum: Hash | None = self._sha256
        else:
            self._checksum = None if self._algorithm is None else new_hash(self._algorithm)
        self._hashes = [digest for digest in {self._md5, self._sha256, self._checksum} if digest is not None]
        self._received = 0
        self._digested = 0

    @property
    def length(self) -> int | None:
        """How many bytes ``receive_into`` gives in all, or None when the client did not say."""
        return self._claims.length

    @property
    def checksum_algorithm(self) -> str | None:
        """The checksum that is computed."""
        return None if self._algorithm is None else self._algorithm.value

    @property
    def checksum_claim(self) -> ChecksumClaim | None:
        """The checksum that the client gives or announces."""
        return self._claims.checksum

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``ByteStream.receive_into``.

        Raises:
            S3Error: INCOMPLETE_BODY when the body ends before its length, or what ``AwsChunkedBody`` raises.
            ConnectionLostError: the client went away.
        """
        count = await self._stream.receive_into(buffer)
        self._received += count
        if not count:
            self._refuse_short()
        return count

    def digest(self, data: memoryview) -> None:
        """Take ``data`` into every digest that is to be checked or kept. Blocks for as long as the hashing takes."""
        self._digested += len(data)
        for digest in self._hashes:
            digest.update(data)
        if isinstance(self._stream, AwsChunkedBody):
            self._stream.digest(data)

    def verify(self) -> Digests:
        """Check all that the client claimed about the body.

        Raises:
            S3Error: INCOMPLETE_BODY, SIGNATURE_DOES_NOT_MATCH, X_AMZ_CONTENT_SHA256_MISMATCH, BAD_DIGEST,
                MALFORMED_TRAILER_ERROR, or INVALID_REQUEST for a trailer's value that is no checksum.
        """
        assert self._digested == self._received, "the digests would be of something else than what was stored"
        self._refuse_short()
        trailers = self._stream.verify() if isinstance(self._stream, AwsChunkedBody) else {}
        self._verify_sha256()
        self._verify_md5()
        if self._checksum is None or self._algorithm is None:
            return Digests(self._md5.hexdigest())
        computed = base64_digest(self._checksum)
        claimed = self._claimed_checksum(trailers)
        if claimed is not None and claimed != computed:
            message = f"The {self._algorithm.value} you specified did not match the calculated checksum."
            raise S3Error(ErrorCode.BAD_DIGEST, message)
        return Digests(self._md5.hexdigest(), self._algorithm.value, computed)

    def _refuse_short(self) -> None:
        if self.length is not None and self._received < self.length:
            raise S3Error(ErrorCode.INCOMPLETE_BODY)

    def _verify_sha256(self) -> None:
        claimed = self._claims.sha256_hex
        if self._sha256 is None or claimed is None:
            return
        computed = self._sha256.digest().hex()
        if claimed != computed:
            detail = {"ClientComputedContentSHA256": claimed, "S3ComputedContentSHA256": computed}
            raise S3Error(ErrorCode.X_AMZ_CONTENT_SHA256_MISMATCH, None, detail)

    def _verify_md5(self) -> None:
        claimed = self._claims.md5
        if claimed is not None and claimed != self._md5.digest():
            detail = {
                "ExpectedDigest": base64.b64encode(claimed).decode(),
                "CalculatedDigest": base64.b64encode(self._md5.digest()).decode(),
            }
            message = "The Content-MD5 you specified did not match what we received."
            raise S3Error(ErrorCode.BAD_DIGEST, message, detail)

    def _claimed_checksum(self, trailers: dict[bytes, bytes]) -> str | None:
        claim = self._claims.checksum
        if claim is None or claim.value is not None:
            return None if claim is None else claim.value
        name = trailer_name(claim.algorithm)
        if set(trailers) != {name}:
            raise S3Error(ErrorCode.MALFORMED_TRAILER_ERROR)
        value = trailers[name].decode("latin-1")
        if not is_checksum(claim.algorithm, value):
            raise S3Error(ErrorCode.INVALID_REQUEST, f"Value for {name.decode()} trailing header is invalid.")
        return value
