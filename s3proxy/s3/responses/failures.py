"""Errors as responses.

Source: S3 API, "Error responses".
"""

from s3proxy.http1.messages import Header, Response
from s3proxy.s3 import xml
from s3proxy.s3.errors import S3Error
from s3proxy.s3.responses.fields import CONTENT_TYPE_XML, header_value


def error_document(failure: S3Error, *, resource: str, request_id: str, host_id: str) -> bytes:
    """The Error document, which has no namespace.

    Args:
        failure: what went wrong.
        resource: ``/bucket/key``, decoded.
        request_id: the same as in the x-amz-request-id header.
        host_id: the same as in the x-amz-id-2 header.
    """
    elements = {
        "Code": failure.code.wire_name,
        "Message": failure.message,
        **failure.detail,
        "Resource": resource,
        "RequestId": request_id,
        "HostId": host_id,
    }
    content = "".join(xml.element(name, text) for name, text in elements.items())
    return xml.XML_DECLARATION + f"<Error>{content}</Error>".encode()


def error(failure: S3Error, *, is_head: bool, resource: str, request_id: str, host_id: str) -> Response:
    """The response to a request that failed; no document after HEAD or with a 304.

    Args:
        failure: what went wrong.
        is_head: whether the method was HEAD.
        resource: as for ``error_document``.
        request_id: as for ``error_document``.
        host_id: as for ``error_document``.
    """
    headers: list[Header] = [
        (name.lower().encode("ascii"), header_value(value)) for name, value in failure.headers.items()
    ]
    status = failure.code.status
    if status == 304:
        return Response(status, headers)
    headers.append(CONTENT_TYPE_XML)
    if is_head:
        # Hadoop's client takes a missing length for a broken answer.
        return Response(status, headers, content_length=0)
    return Response(status, headers, error_document(failure, resource=resource, request_id=request_id, host_id=host_id))
