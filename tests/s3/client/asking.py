"""What this server's own parsers make of a request that was rendered for a store."""

from s3proxy.s3 import model
from s3proxy.s3.client.request import StoreRequest
from s3proxy.stores.s3.endpoint import Endpoint
from tests.s3.requests.asking import ask


def asked(request: StoreRequest) -> model.Operation:
    """The operation that a gateway behind this one would read: the inverse of rendering it."""
    target = Endpoint.parse("http://store").place_of(request).target.decode()
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    return ask(request.method.decode(), target, headers, request.body)
