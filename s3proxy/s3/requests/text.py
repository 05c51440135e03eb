"""What a parser sees of a request, and how it complains about it.

Header values are taken as latin-1: one character for each byte, so what a client stored comes back byte for byte
whatever encoding it had in mind.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from s3proxy.http1.messages import Header
from s3proxy.s3.addressing import Address
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, Key

Fields = Mapping[bytes, bytes]

MAX_INT = 2**31 - 1

# At most eleven characters: longer than any number in range, short enough for int().
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def header_fields(headers: Sequence[Header]) -> dict[bytes, bytes]:
    """Headers by lower-case name; the values of a repeated one are joined by a comma.

    Source: RFC 9110 section 5.2.
    """
    fields = dict(headers)
    if len(fields) != len(headers):
        fields.clear()
        for name, value in headers:
            fields[name] = fields[name] + b"," + value if name in fields else value
    return fields


class RequestText(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """The parts of one request that say which operation it is."""

    address: Address
    fields: Fields
    xml: bytes = b""
    """The body where the route takes XML."""

    @property
    def bucket(self) -> Bucket:
        """The bucket that the route made sure of."""
        assert self.address.bucket is not None
        return self.address.bucket

    @property
    def key(self) -> Key:
        """The key that the route made sure of."""
        assert self.address.key is not None
        return self.address.key

    @property
    def version_id(self) -> str | None:
        """The ``versionId``, ``null`` included, as sent.

        Raises:
            S3Error: INVALID_ARGUMENT when it is empty.
        """
        version_id = self.address.parameters.get("versionId")
        if version_id == "":
            raise invalid_argument("Version id cannot be the empty string", "versionId", "")
        return version_id

    @property
    def encoding_type(self) -> str | None:
        """The ``encoding-type`` of a listing: ``url`` or None.

        Raises:
            S3Error: INVALID_ARGUMENT for any other.
        """
        encoding_type = self.address.parameters.get("encoding-type")
        if encoding_type is not None and encoding_type != "url":
            raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding_type)
        return encoding_type

    def parameter(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.address.parameters.get(name, default)

    def field(self, name: bytes) -> str | None:
        """A header, or None."""
        value = self.fields.get(name)
        return None if value is None else value.decode("latin-1")

    def number(self, name: str, default: int, *, high: int = MAX_INT) -> int:
        """A query parameter that is a number from 0 to ``high``.

        Raises:
            S3Error: INVALID_ARGUMENT.
        """
        value = self.address.parameters.get(name)
        return default if value is None else parse_number(value, name, high=high)


def parse_number(value: str, name: str, *, low: int = 0, high: int = MAX_INT) -> int:
    """The number from ``low`` to ``high`` that ``value`` is.

    Raises:
        S3Error: INVALID_ARGUMENT, naming the argument.
    """
    if _INTEGER.fullmatch(value) is None:
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, value)
    number = int(value)
    if not low <= number <= high:
        raise invalid_argument(f"Argument {name} must be an integer between {low} and {high}", name, value)
    return number


def check_printable(value: str, name: str) -> str:
    """``value`` again, once it is known to be fit for a header.

    Raises:
        S3Error: INVALID_ARGUMENT at a CR, LF, NUL or another control character.
    """
    if _CONTROL.search(value) is not None:
        raise invalid_argument("Header value contains a control character", name, "")
    return value


def invalid_argument(message: str, name: str, value: str) -> S3Error:
    """The error for an argument that is not what the API says."""
    return S3Error(ErrorCode.INVALID_ARGUMENT, message, {"ArgumentName": name, "ArgumentValue": value})


def header_not_implemented(name: bytes) -> S3Error:
    """The error for a header that asks for what this server does not do."""
    return S3Error(ErrorCode.NOT_IMPLEMENTED, detail={"Header": name.decode("latin-1")})
