"""Every error that a client can be answered, in one table.

Source: S3 API, "Error responses", list of error codes.
"""

from enum import Enum


class ErrorCode(Enum):
    """A member holds (name on the wire, HTTP status, default message)."""

    ACCESS_DENIED = ("AccessDenied", 403, "Access Denied")
    ACCESS_FORBIDDEN = ("AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket.")
    AUTHORIZATION_HEADER_MALFORMED = (
        "AuthorizationHeaderMalformed",
        400,
        "The authorization header that you provided is not valid.",
    )
    AUTHORIZATION_QUERY_PARAMETERS_ERROR = (
        "AuthorizationQueryParametersError",
        400,
        "The authorization query parameters that you provided are not valid.",
    )
    BAD_DIGEST = (
        "BadDigest",
        400,
        "The Content-MD5 or checksum value that you specified did not match what we received.",
    )
    BAD_REQUEST = ("BadRequest", 400, "Bad Request")
    BUCKET_ALREADY_EXISTS = (
        "BucketAlreadyExists",
        409,
        "The requested bucket name is not available. Select a different name and try again.",
    )
    BUCKET_ALREADY_OWNED_BY_YOU = (
        "BucketAlreadyOwnedByYou",
        409,
        "The bucket that you tried to create already exists, and you own it.",
    )
    BUCKET_NOT_EMPTY = ("BucketNotEmpty", 409, "The bucket that you tried to delete is not empty.")
    CONDITIONAL_REQUEST_CONFLICT = (
        "ConditionalRequestConflict",
        409,
        "A conflicting operation occurred during this request. Try again.",
    )
    ENTITY_TOO_LARGE = ("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size.")
    ENTITY_TOO_SMALL = ("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size.")
    EXPIRED_TOKEN = ("ExpiredToken", 400, "The provided token has expired.")
    HTTP_VERSION_NOT_SUPPORTED = ("HttpVersionNotSupported", 505, "The HTTP version specified is not supported.")
    ILLEGAL_LOCATION_CONSTRAINT_EXCEPTION = (
        "IllegalLocationConstraintException",
        400,
        "The specified location constraint is not valid for this endpoint.",
    )
    INCOMPLETE_BODY = (
        "IncompleteBody",
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    )
    INTERNAL_ERROR = ("InternalError", 500, "We encountered an internal error. Please try again.")
    INVALID_ACCESS_KEY_ID = (
        "InvalidAccessKeyId",
        403,
        "The AWS access key ID that you provided does not exist in our records.",
    )
    INVALID_ARGUMENT = ("InvalidArgument", 400, "Invalid Argument")
    INVALID_BUCKET_NAME = ("InvalidBucketName", 400, "The specified bucket is not valid.")
    INVALID_CHUNK_SIZE_ERROR = (
        "InvalidChunkSizeError",
        403,
        "Only the last chunk is allowed to have a size less than 8192 bytes",
    )
    INVALID_DIGEST = ("InvalidDigest", 400, "The Content-MD5 or checksum value that you specified is not valid.")
    INVALID_LOCATION_CONSTRAINT = (
        "InvalidLocationConstraint",
        400,
        "The specified location constraint is not valid.",
    )
    INVALID_OBJECT_STATE = (
        "InvalidObjectState",
        403,
        "The operation is not valid for the current state of the object.",
    )
    INVALID_PART = (
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found. The part might not have been uploaded, or the "
        "specified entity tag might not have matched the part's entity tag.",
    )
    INVALID_PART_NUMBER = ("InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
    INVALID_PART_ORDER = (
        "InvalidPartOrder",
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    )
    INVALID_RANGE = ("InvalidRange", 416, "The requested range is not satisfiable")
    INVALID_REQUEST = ("InvalidRequest", 400, "Invalid Request")
    INVALID_STORAGE_CLASS = ("InvalidStorageClass", 400, "The storage class that you specified is not valid.")
    INVALID_TAG = ("InvalidTag", 400, "The tag provided was not a valid tag.")
    INVALID_TOKEN = ("InvalidToken", 400, "The provided token is malformed or otherwise not valid.")
    INVALID_URI = ("InvalidURI", 400, "The specified URI couldn't be parsed.")
    KEY_TOO_LONG_ERROR = ("KeyTooLongError", 400, "Your key is too long.")
    MALFORMED_ACL_ERROR = (
        "MalformedACLError",
        400,
        "The ACL that you provided was not well formed or did not validate against our published schema.",
    )
    MALFORMED_TRAILER_ERROR = (
        "MalformedTrailerError",
        400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
    MALFORMED_XML = (
        "MalformedXML",
        400,
        "The XML that you provided was not well formed or did not validate against our published schema.",
    )
    METADATA_TOO_LARGE = (
        "MetadataTooLarge",
        400,
        "Your metadata headers exceed the maximum allowed metadata size.",
    )
    METHOD_NOT_ALLOWED = ("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
    MISSING_CONTENT_LENGTH = ("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
    MISSING_SECURITY_HEADER = ("MissingSecurityHeader", 400, "Your request is missing a required header.")
    NO_SUCH_BUCKET = ("NoSuchBucket", 404, "The specified bucket does not exist")
    NO_SUCH_BUCKET_POLICY = ("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
    NO_SUCH_CORS_CONFIGURATION = ("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist")
    NO_SUCH_KEY = ("NoSuchKey", 404, "The specified key does not exist.")
    NO_SUCH_LIFECYCLE_CONFIGURATION = (
        "NoSuchLifecycleConfiguration",
        404,
        "The lifecycle configuration does not exist",
    )
    NO_SUCH_OBJECT_LOCK_CONFIGURATION = (
        "NoSuchObjectLockConfiguration",
        404,
        "The specified object does not have a ObjectLock configuration",
    )
    NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION = (
        "NoSuchPublicAccessBlockConfiguration",
        404,
        "The public access block configuration was not found",
    )
    NO_SUCH_TAG_SET = ("NoSuchTagSet", 404, "The TagSet does not exist")
    NO_SUCH_UPLOAD = (
        "NoSuchUpload",
        404,
        "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might "
        "have been aborted or completed.",
    )
    NO_SUCH_VERSION = ("NoSuchVersion", 404, "The specified version does not exist.")
    NO_SUCH_WEBSITE_CONFIGURATION = (
        "NoSuchWebsiteConfiguration",
        404,
        "The specified bucket does not have a website configuration",
    )
    NOT_IMPLEMENTED = (
        "NotImplemented",
        501,
        "A header or query you provided implies functionality that is not implemented.",
    )
    NOT_MODIFIED = ("NotModified", 304, "Not Modified")
    OBJECT_LOCK_CONFIGURATION_NOT_FOUND_ERROR = (
        "ObjectLockConfigurationNotFoundError",
        404,
        "Object Lock configuration does not exist for this bucket",
    )
    OWNERSHIP_CONTROLS_NOT_FOUND_ERROR = (
        "OwnershipControlsNotFoundError",
        404,
        "The bucket ownership controls were not found",
    )
    PRECONDITION_FAILED = (
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold",
    )
    REPLICATION_CONFIGURATION_NOT_FOUND_ERROR = (
        "ReplicationConfigurationNotFoundError",
        404,
        "The replication configuration was not found",
    )
    REQUEST_HEADER_SECTION_TOO_LARGE = (
        "RequestHeaderSectionTooLarge",
        431,
        "Your request header section exceeds the maximum allowed.",
    )
    REQUEST_TIME_TOO_SKEWED = (
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the server's time is too large.",
    )
    REQUEST_TIMEOUT = (
        "RequestTimeout",
        400,
        "Your socket connection to the server was not read from or written to within the timeout period.",
    )
    SERVER_SIDE_ENCRYPTION_CONFIGURATION_NOT_FOUND_ERROR = (
        "ServerSideEncryptionConfigurationNotFoundError",
        404,
        "The server side encryption configuration was not found",
    )
    SERVICE_UNAVAILABLE = ("ServiceUnavailable", 503, "Service is unable to handle request.")
    SIGNATURE_DOES_NOT_MATCH = (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
    )
    SLOW_DOWN = ("SlowDown", 503, "Please reduce your request rate.")
    TOO_MANY_BUCKETS = ("TooManyBuckets", 400, "You have attempted to create more buckets than allowed.")
    UPLOAD_ALREADY_EXISTS = ("UploadAlreadyExists", 409, "The specified multipart upload already exists.")
    X_AMZ_CONTENT_SHA256_MISMATCH = (
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )

    def __init__(self, wire_name: str, status: int, message: str) -> None:
        self.wire_name = wire_name
        self.status = status
        self.message = message


class S3Error(Exception):
    """A request that ends with an error document.

    Args:
        code: the row of the table.
        message: what is wrong with this request, where the default would leave the user guessing.
        detail: extra elements of the document, in order, as AWS gives them (``{"ArgumentName": "max-keys"}``).
        headers: response headers that the status calls for (``{"Allow": "GET, HEAD"}`` with a 405).
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        detail: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code.wire_name}: {message or code.message}")
        self.code = code
        self.message = message or code.message
        self.detail = detail or {}
        self.headers = headers or {}
