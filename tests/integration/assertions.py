"""What several files of tests assert in the same words, and the names of what comes from clients without types."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import pytest
from botocore.exceptions import ClientError

S3Client: TypeAlias = Any
"""A client that ``boto3.client("s3")`` made."""

Answer: TypeAlias = Any
"""What an operation of it gives: a dictionary by the shapes of the API."""


@contextmanager
def raises_s3_error(code: str, status: int) -> Iterator[pytest.ExceptionInfo[ClientError]]:
    """Expect an error of S3: its code and its HTTP status."""
    with pytest.raises(ClientError) as caught:
        yield caught
    response: Any = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def keys_of(page: Answer) -> list[str]:
    """The keys of a listing's page."""
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes_of(page: Answer) -> list[str]:
    """The common prefixes of a listing's page."""
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def read(client: S3Client, bucket: str, key: str, **parameters: object) -> bytes:
    """The bytes of an object."""
    with client.get_object(Bucket=bucket, Key=key, **parameters)["Body"] as body:
        content: bytes = body.read()
    return content
