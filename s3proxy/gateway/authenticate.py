"""Who sent a request: the only place where signatures are checked.

Rule: everything behind this takes a ``VerifiedRequest``, and only the two authenticators make one, so no route can be
reached around the check (MinIO CVE-2025-31489, CVE-2026-40344, CVE-2026-41145).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from s3proxy.http1.messages import Request
from s3proxy.s3 import sigv2, sigv4, sigv4_claim
from s3proxy.s3.addressing import Address, decode_path
from s3proxy.s3.authorization import Mechanism, mechanism_of
from s3proxy.s3.awschunked import SignatureChain
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Owner
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, Payload, parse_payload

_CREDENTIAL_NAME = re.compile(
    rb"(?:Credential=|[?&]X-Amz-Credential=|^AWS |[?&]AWSAccessKeyId=)([A-Za-z0-9_.@=+-]{1,128})(?:[/:&%]|$)"
)


@dataclass(frozen=True, slots=True)
class User:
    """One pair of keys and whom it stands for."""

    owner: Owner
    access_key: str
    secret_key: str = field(repr=False)


class VerifiedRequest(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """A request whose author is known.

    ``user`` is None for an anonymous request. A superuser may use every bucket. ``chain`` checks the chunks of a body
    that is signed piece by piece.
    """

    request: Request
    address: Address
    user: Owner | None
    payload: Payload
    is_superuser: bool = False
    chain: SignatureChain | None = None
    is_open: bool = False
    """Nothing was checked, by configuration."""

    @property
    def base_url(self) -> str:
        """How the client reached us: ``http://host:port`` or ``https://host:port``."""
        return f"{self.request.scheme}://{(self.request.header(b'host') or b'localhost').decode('latin-1')}"


class OpenAuthenticator:
    """Believes every name: the one in ``Credential=``, or that of the user who launched the service.

    Only for listeners that nobody else can reach. The launching user, who owns the files anyway, may use every bucket.
    """

    def __init__(self, launching_user: str) -> None:
        self._launching_user = Owner(launching_user, launching_user)
        self._names: dict[bytes, Owner] = {}

    def authenticate(self, request: Request, address: Address) -> VerifiedRequest:
        """Name the author of ``request``; nothing is checked but that the payload mode is known.

        Raises:
            S3Error: INVALID_ARGUMENT or NOT_IMPLEMENTED for a payload mode.
        """
        payload = _claimed_payload(request)
        author = self._author(request, address)
        if "X-Amz-Signature" in address.parameters or "Signature" in address.parameters:
            request = with_headers_of_query(request, address)
        is_launching_user = author is None or author == self._launching_user
        user = author or self._launching_user
        return VerifiedRequest(request, address, user, payload, is_launching_user, is_open=True)

    def _author(self, request: Request, address: Address) -> Owner | None:
        carrier = request.header(b"authorization") or (b"?" + address.raw_query if address.raw_query else None)
        match = _CREDENTIAL_NAME.search(carrier) if carrier else None
        if match is None:
            return None
        name = match[1].decode("ascii")
        return Owner(name, name)


class SignatureAuthenticator:
    """Believes only signatures: SigV4 and SigV2, in headers and presigned.

    Args:
        users: every pair of keys.
        clock: seconds since the epoch.
    """

    def __init__(self, users: Iterable[User], clock: Callable[[], float]) -> None:
        self._users = {user.access_key: user for user in users}
        self._clock = clock

    def authenticate(self, request: Request, address: Address) -> VerifiedRequest:
        """Check the signature of ``request``; without credentials it is anonymous.

        Raises:
            S3Error: whatever is wrong with the credentials, as AWS says it.
        """
        mechanism = mechanism_of(request)
        if mechanism is None:
            return VerifiedRequest(request, address, None, _claimed_payload(request))
        if mechanism in (Mechanism.SIGV4_HEADER, Mechanism.SIGV4_QUERY):
            return self._verify_v4(mechanism, request, address)
        return self._verify_v2(mechanism, request, address)

    def _verify_v4(self, mechanism: Mechanism, request: Request, address: Address) -> VerifiedRequest:
        parse = sigv4_claim.parse_header if mechanism is Mechanism.SIGV4_HEADER else sigv4_claim.parse_query
        claim = parse(request, self._clock())
        if claim.security_token is not None:
            raise S3Error(ErrorCode.INVALID_TOKEN)  # no temporary credentials are given out here
        user = self._user(claim.access_key)
        sigv4.verify(claim, request, user.secret_key)
        chain = SignatureChain(claim, user.secret_key) if claim.payload.mode.is_chunk_signed else None
        if claim.is_presigned:
            request = with_headers_of_query(request, address)
        return VerifiedRequest(request, address, user.owner, claim.payload, chain=chain)

    def _verify_v2(self, mechanism: Mechanism, request: Request, address: Address) -> VerifiedRequest:
        parse = sigv2.parse_header if mechanism is Mechanism.SIGV2_HEADER else sigv2.parse_query
        claim = parse(request, self._clock())
        user = self._user(claim.access_key)
        bucket = address.bucket if address.is_virtual_hosted else None
        sigv2.verify(claim, request, user.secret_key, bucket=bucket)
        if claim.is_presigned:
            request = with_headers_of_query(request, address)
        return VerifiedRequest(request, address, user.owner, claim.payload)

    def _user(self, access_key: str) -> User:
        user = self._users.get(access_key)
        if user is None:
            raise S3Error(ErrorCode.INVALID_ACCESS_KEY_ID, detail={"AWSAccessKeyId": access_key})
        return user


def _claimed_payload(request: Request) -> Payload:
    """What a request without a signature says of its body, whose framing and digest count all the same."""
    content_sha256 = request.header(b"x-amz-content-sha256")
    return UNSIGNED_PAYLOAD if content_sha256 is None else parse_payload(content_sha256)


_HEADER_NAME = re.compile(rb"x-amz-[a-z0-9-]+")
# They belong to the signature, or speak of a body that the signer did not have: SDKs presign the checksum of nothing.
_STAYS_IN_QUERY = re.compile(
    rb"x-amz-(?:algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256"
    rb"|decoded-content-length|trailer|sdk-checksum-algorithm|checksum-.*)"
)


def with_headers_of_query(request: Request, address: Address) -> Request:
    """A presigned request with those x-amz-* headers that its signer moved into the query, as botocore does.

    They are covered by the signature where they stand: of version 2 only those whose name is not escaped, so no others
    count. A header that was sent as well wins, since it was signed too.

    Raises:
        S3Error: INVALID_ARGUMENT for a control character, which no header could have brought, and for a ``+``, which
            one version signs as a space and the other as itself.
    """
    sent = {name for name, _ in request.headers}
    moved = []
    for pair in address.raw_query.split(b"&"):
        name, _, value = pair.partition(b"=")
        header = name.lower()
        if header in sent or not _HEADER_NAME.fullmatch(header) or _STAYS_IN_QUERY.fullmatch(header):
            continue
        text = decode_path(value)
        if b"+" in value or not text.isprintable():
            raise S3Error(ErrorCode.INVALID_ARGUMENT, None, {"ArgumentName": header.decode()})
        moved.append((header, text.encode()))
    if not moved:
        return request
    headers = (*request.headers, *moved)
    return Request(request.method, request.target, headers, request.body, request.peer, request.scheme)


Authenticator = OpenAuthenticator | SignatureAuthenticator
