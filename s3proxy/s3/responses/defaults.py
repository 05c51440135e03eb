"""The configurations of a bucket that nobody has configured, as AWS answers for a fresh one.

Two of them state what holds here as well: access lists are off, and nothing is public. Encryption is not configured,
because this server does not encrypt.
"""

from collections.abc import Mapping

from s3proxy.http1.messages import Response
from s3proxy.s3 import xml
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import GetBucketDefault, Owner
from s3proxy.s3.responses.buckets import get_acl
from s3proxy.s3.responses.fields import xml_response

_DOCUMENTS: Mapping[str, bytes] = {
    "accelerate": xml.document("AccelerateConfiguration"),
    "logging": xml.document("BucketLoggingStatus"),
    "notification": xml.document("NotificationConfiguration"),
    "ownershipControls": xml.document(
        "OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
    ),
    "publicAccessBlock": xml.document(
        "PublicAccessBlockConfiguration",
        "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>",
        "<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>",
    ),
    "requestPayment": xml.document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    "versioning": xml.document("VersioningConfiguration"),
}
_ERRORS: Mapping[str, ErrorCode] = {
    "cors": ErrorCode.NO_SUCH_CORS_CONFIGURATION,
    "encryption": ErrorCode.SERVER_SIDE_ENCRYPTION_CONFIGURATION_NOT_FOUND_ERROR,
    "lifecycle": ErrorCode.NO_SUCH_LIFECYCLE_CONFIGURATION,
    "object-lock": ErrorCode.OBJECT_LOCK_CONFIGURATION_NOT_FOUND_ERROR,
    "policy": ErrorCode.NO_SUCH_BUCKET_POLICY,
    "policyStatus": ErrorCode.NO_SUCH_BUCKET_POLICY,
    "replication": ErrorCode.REPLICATION_CONFIGURATION_NOT_FOUND_ERROR,
    "website": ErrorCode.NO_SUCH_WEBSITE_CONFIGURATION,
}


def get_bucket_default(operation: GetBucketDefault, owner: Owner) -> Response:
    """The default of one configuration.

    Args:
        operation: of an existing bucket.
        owner: who owns the bucket, or asks where nobody does.

    Raises:
        S3Error: the code that says that there is no such configuration.
    """
    if operation.subresource == "acl":
        return get_acl(owner)
    document = _DOCUMENTS.get(operation.subresource)
    if document is not None:
        return xml_response(document)
    raise S3Error(_ERRORS[operation.subresource], detail={"BucketName": operation.bucket})
