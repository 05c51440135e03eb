"""Responses as botocore, which knows nothing of this code, reads them."""

from functools import cache
from typing import Any

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel
from botocore.parsers import ResponseParser, create_parser

from s3proxy.http1.messages import Response


@cache
def _service() -> ServiceModel:
    return botocore.session.Session().get_service_model("s3")


@cache
def _parser() -> ResponseParser:
    return create_parser("rest-xml")


def read(operation: str, response: Response) -> dict[str, Any]:
    """What an SDK makes of a response to ``operation``."""
    assert isinstance(response.body, bytes)
    received = {
        "status_code": response.status,
        "headers": HeadersDict(headers_of(response)),
        "body": response.body,
        "context": {},
    }
    parsed: dict[str, Any] = _parser().parse(received, _service().operation_model(operation).output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed


def headers_of(response: Response) -> dict[str, str]:
    """The headers by name; none occurs twice or could break the head."""
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in response.headers}
    assert len(headers) == len(response.headers)
    assert not any(set(value) & set("\r\n\0") for value in headers.values())
    return headers
