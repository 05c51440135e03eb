"""The XML document that a request carries: received whole, within its bound, and verified like any body."""

from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.requests import Route
from s3proxy.s3.verified_body import open_body


async def receive_xml(verified: VerifiedRequest, route: Route) -> bytes:
    """Receive the document.

    Returns:
        At most ``route.max_xml_bytes``; nothing when the request has no body.

    Raises:
        S3Error: MALFORMED_XML when it is larger, INVALID_REQUEST when the digest that the route requires is missing, or
            whatever of the body does not verify.
        ConnectionLostError: the client went away.
    """
    body = open_body(
        verified.request,
        verified.payload,
        chain=verified.chain,
        is_open=verified.is_open,
        is_checksum_its_own=not route.checksum_is_of_object,
    )
    if route.requires_digest and body.checksum_claim is None and not verified.request.header(b"content-md5"):
        raise S3Error(ErrorCode.INVALID_REQUEST, "Missing required header for this request: Content-MD5")
    if body.length is not None and body.length > route.max_xml_bytes:
        raise S3Error(ErrorCode.MALFORMED_XML, f"The document is larger than {route.max_xml_bytes} bytes.")
    # One byte more than allowed, so that one too many is noticed where no length was given.
    buffer = memoryview(bytearray(route.max_xml_bytes + 1 if body.length is None else body.length + 1))
    received = 0
    while count := await body.receive_into(buffer[received:]):
        received += count
        if received > route.max_xml_bytes:
            raise S3Error(ErrorCode.MALFORMED_XML, f"The document is larger than {route.max_xml_bytes} bytes.")
    body.digest(buffer[:received])
    body.verify()
    return bytes(buffer[:received])
