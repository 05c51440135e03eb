"""The configurations of a bucket that nobody has configured, as AWS answers for a fresh one.

Except where that would promise what does not hold here: AWS blocks public access to a fresh bucket, turns access lists
off and encrypts. Here canned ACLs are honoured and nothing is encrypted, so these are answered as not configured.
"""

from collections.abc import Mapping

from s3proxy.http1.messages import Response
from s3proxy.s3 import xml
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import GetBucketDefault
from s3proxy.s3.responses.fields import xml_response

_DOCUMENTS: Mapping[str, bytes] = {
    "accelerate": xml.document("AccelerateConfiguration"),
    "logging": xml.document("BucketLoggingStatus"),
    "notification": xml.document("NotificationConfiguration"),
    "requestPayment": xml.document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    "versioning": xml.document("VersioningConfiguration"),
}
_ERRORS: Mapping[str, ErrorCode] = {
    "cors": ErrorCode.NO_SUCH_CORS_CONFIGURATION,
    "encryption": ErrorCode.SERVER_SIDE_ENCRYPTION_CONFIGURATION_NOT_FOUND_ERROR,
    "lifecycle": ErrorCode.NO_SUCH_LIFECYCLE_CONFIGURATION,
    "object-lock": ErrorCode.OBJECT_LOCK_CONFIGURATION_NOT_FOUND_ERROR,
    "ownershipControls": ErrorCode.OWNERSHIP_CONTROLS_NOT_FOUND_ERROR,
    "policy": ErrorCode.NO_SUCH_BUCKET_POLICY,
    "policyStatus": ErrorCode.NO_SUCH_BUCKET_POLICY,
    "publicAccessBlock": ErrorCode.NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION,
    "replication": ErrorCode.REPLICATION_CONFIGURATION_NOT_FOUND_ERROR,
    "website": ErrorCode.NO_SUCH_WEBSITE_CONFIGURATION,
}


def get_bucket_default(operation: GetBucketDefault) -> Response:
    """The default of one configuration.

    Args:
        operation: of an existing bucket.

    Raises:
        S3Error: the code that says that there is no such configuration.
    """
    document = _DOCUMENTS.get(operation.subresource)
    if document is not None:
        return xml_response(document)
    raise S3Error(_ERRORS[operation.subresource], detail={"BucketName": operation.bucket})
