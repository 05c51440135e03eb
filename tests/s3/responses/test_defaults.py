from typing import Any

import pytest

from s3proxy.s3 import responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, GetBucketDefault
from tests.s3.requests.test_routes import DEFAULTS
from tests.s3.responses.reading import read


def _default(name: str) -> GetBucketDefault:
    return GetBucketDefault(bucket=Bucket("bucket"), subresource=name)


@pytest.mark.parametrize(
    ("name", "operation", "expected"),
    [
        ("accelerate", "GetBucketAccelerateConfiguration", {}),
        ("logging", "GetBucketLogging", {}),
        ("notification", "GetBucketNotificationConfiguration", {}),
        ("requestPayment", "GetBucketRequestPayment", {"Payer": "BucketOwner"}),
        ("versioning", "GetBucketVersioning", {}),
    ],
)
def test_default_that_has_a_document_is_read_by_sdks(name: str, operation: str, expected: dict[str, Any]) -> None:
    assert read(operation, responses.get_bucket_default(_default(name))) == expected


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cors", ErrorCode.NO_SUCH_CORS_CONFIGURATION),
        ("encryption", ErrorCode.SERVER_SIDE_ENCRYPTION_CONFIGURATION_NOT_FOUND_ERROR),
        ("lifecycle", ErrorCode.NO_SUCH_LIFECYCLE_CONFIGURATION),
        ("object-lock", ErrorCode.OBJECT_LOCK_CONFIGURATION_NOT_FOUND_ERROR),
        ("ownershipControls", ErrorCode.OWNERSHIP_CONTROLS_NOT_FOUND_ERROR),
        ("policy", ErrorCode.NO_SUCH_BUCKET_POLICY),
        ("policyStatus", ErrorCode.NO_SUCH_BUCKET_POLICY),
        ("publicAccessBlock", ErrorCode.NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION),
        ("replication", ErrorCode.REPLICATION_CONFIGURATION_NOT_FOUND_ERROR),
        ("website", ErrorCode.NO_SUCH_WEBSITE_CONFIGURATION),
    ],
)
def test_default_that_does_not_exist_says_so(name: str, code: ErrorCode) -> None:
    with pytest.raises(S3Error) as caught:
        responses.get_bucket_default(_default(name))
    assert caught.value.code is code


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_default_that_is_routed_is_answered(name: str) -> None:
    try:
        status = responses.get_bucket_default(_default(name)).status
    except S3Error as error:
        status = error.code.status
    assert status in {200, 404}
