"""From a request to an operation, in two steps: find the route, then, once it is authenticated, parse.

``find_route(method, address, fields)`` needs the head alone and says what body the operation takes;
``route.parse(RequestText(...))`` gives the operation.
"""

from s3proxy.s3.requests.routes import BodyKind, Route, find_route
from s3proxy.s3.requests.text import Fields, RequestText, header_fields

__all__ = ["BodyKind", "Fields", "RequestText", "Route", "find_route", "header_fields"]
