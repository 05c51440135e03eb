"""What may be a bucket's name and what may be a key.

Source: Amazon S3 User Guide, "Bucket naming rules" and "Naming Amazon S3 objects".
"""

import re

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, Key

MAX_KEY_BYTES = 1024

# What a request may name at all. Wider than what CreateBucket allows: buckets of S3's early years, and directories
# that were not made through S3. No name of this shape leaves a directory or hides in it.
_ADDRESSABLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}")

_CREATABLE = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORBIDDEN_INSIDE = ("..", ".-", "-.")
_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def parse_bucket(name: str) -> Bucket:
    """Take ``name`` as the name of a bucket that may exist.

    Raises:
        S3Error: INVALID_BUCKET_NAME.
    """
    if _ADDRESSABLE.fullmatch(name) is None:
        raise S3Error(ErrorCode.INVALID_BUCKET_NAME, detail={"BucketName": name})
    return Bucket(name)


def check_new_bucket(name: Bucket) -> None:
    """Check ``name`` against the rules for a bucket that is to be created.

    Raises:
        S3Error: INVALID_BUCKET_NAME.
    """
    if (
        _CREATABLE.fullmatch(name) is None
        or any(pair in name for pair in _FORBIDDEN_INSIDE)
        or _IPV4.fullmatch(name) is not None
        or name.startswith(_RESERVED_PREFIXES)
        or name.endswith(_RESERVED_SUFFIXES)
    ):
        raise S3Error(ErrorCode.INVALID_BUCKET_NAME, detail={"BucketName": name})


def parse_key(text: str) -> Key:
    """Take ``text`` as a key: any characters, ``..`` and NUL among them; nothing is normalised.

    Raises:
        S3Error: KEY_TOO_LONG_ERROR when it is over 1,024 bytes of UTF-8.
    """
    # No character takes more than four bytes, so most keys need not be encoded to know that they are short enough.
    if len(text) > MAX_KEY_BYTES // 4:
        size = len(text.encode())
        if size > MAX_KEY_BYTES:
            raise S3Error(
                ErrorCode.KEY_TOO_LONG_ERROR, detail={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_BYTES)}
            )
    return Key(text)
