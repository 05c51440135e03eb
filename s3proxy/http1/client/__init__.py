"""A streaming HTTP/1.1 client with a pool of connections; knows nothing of S3."""

from s3proxy.http1.client.connecting import NotSentError
from s3proxy.http1.client.http_client import HttpClient
from s3proxy.http1.client.origin import ClientLimits, Origin
from s3proxy.http1.client.request import RequestStream, UnsendableRequestError
from s3proxy.http1.client.response import ClientResponse

__all__ = [
    "ClientLimits",
    "ClientResponse",
    "HttpClient",
    "NotSentError",
    "Origin",
    "RequestStream",
    "UnsendableRequestError",
]
