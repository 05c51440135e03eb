import pytest

from s3proxy.s3.errors import ErrorCode, S3Error

# What a user of the Alluxio S3 proxy may have come to rely on, with the status that it has there.
OF_ALLUXIO = {
    "BadDigest": 400,
    "BucketAlreadyExists": 409,
    "BucketNotEmpty": 409,
    "EntityTooSmall": 400,
    "InternalError": 500,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRequest": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "PreconditionFailed": 412,
    "InvalidTag": 400,
    "UploadAlreadyExists": 409,
    "AuthorizationHeaderMalformed": 400,
    "AccessDenied": 403,
    "NotImplemented": 501,
}
BEYOND_ALLUXIO = {
    "SignatureDoesNotMatch": 403,
    "InvalidAccessKeyId": 403,
    "RequestTimeTooSkewed": 403,
    "ExpiredToken": 400,
    "InvalidRange": 416,
    "MissingContentLength": 411,
    "NoSuchTagSet": 404,
    "EntityTooLarge": 400,
    "SlowDown": 503,
    "MethodNotAllowed": 405,
    "XAmzContentSHA256Mismatch": 400,
    "IncompleteBody": 400,
    "KeyTooLongError": 400,
    "InvalidDigest": 400,
    "MalformedACLError": 400,
    "BucketAlreadyOwnedByYou": 409,
    "NotModified": 304,
    "InvalidURI": 400,
    "RequestTimeout": 400,
    "ServiceUnavailable": 503,
}
BY_NAME = {code.wire_name: code for code in ErrorCode}


@pytest.mark.parametrize(("name", "status"), (OF_ALLUXIO | BEYOND_ALLUXIO).items())
def test_error_has_the_status_that_aws_documents(name: str, status: int) -> None:
    assert BY_NAME[name].status == status


def test_names_on_the_wire_are_unique_and_member_names_spell_them() -> None:
    assert len(BY_NAME) == len(ErrorCode)
    for code in ErrorCode:
        assert code.name.replace("_", "").lower() == code.wire_name.lower()


def test_error_has_the_default_message_unless_it_is_given_one() -> None:
    assert S3Error(ErrorCode.NO_SUCH_KEY).message == "The specified key does not exist."
    assert str(S3Error(ErrorCode.NO_SUCH_KEY, "Gone.")) == "NoSuchKey: Gone."
