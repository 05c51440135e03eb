import pytest

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode
from tests.s3.requests.asking import ask, refuse


def _put(headers: dict[str, str]) -> model.PutObject:
    operation = ask("PUT", "/bucket/key", headers)
    assert isinstance(operation, model.PutObject)
    return operation


def test_metadata_is_everything_that_is_given_back() -> None:
    metadata = _put(
        {
            "content-type": "text/plain",
            "content-encoding": "gzip",
            "content-language": "de",
            "content-disposition": "attachment",
            "cache-control": "public, max-age=14400",
            "expires": "Wed, 21 Oct 2015 07:28:00 GMT",
            "x-amz-website-redirect-location": "/elsewhere",
            "x-amz-meta-one": "1",
            "x-amz-meta-empty": "",
            "x-amz-date": "20250101T000000Z",
        }
    ).metadata
    assert metadata == model.ObjectMetadata(
        content_type="text/plain",
        content_encoding="gzip",
        content_language="de",
        content_disposition="attachment",
        cache_control="public, max-age=14400",
        expires="Wed, 21 Oct 2015 07:28:00 GMT",
        website_redirect_location="/elsewhere",
        user={"one": "1", "empty": ""},
    )


def test_empty_content_type_is_none() -> None:
    assert _put({"content-type": ""}).metadata.content_type is None


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("gzip", "gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("AWS-Chunked,deflate,gzip", "deflate, gzip"),
        ("aws-chunked", None),
        ("aws-chunked, aws-chunked", None),
    ],
)
def test_content_encoding_is_stored_without_aws_chunked(sent: str, stored: str | None) -> None:
    assert _put({"content-encoding": sent}).metadata.content_encoding == stored


@pytest.mark.parametrize("value", ["Hello World\xe9", "漢字".encode().decode("latin-1"), "=?UTF-8?B?w6k=?="])
def test_metadata_value_keeps_its_bytes(value: str) -> None:
    assert _put({"x-amz-meta-meta1": value}).metadata.user == {"meta1": value}


@pytest.mark.parametrize("name", ["x-amz-meta-a", "content-type", "cache-control", "x-amz-website-redirect-location"])
@pytest.mark.parametrize("character", ["\r", "\n", "\0"])
def test_stored_header_with_a_line_end_is_refused(name: str, character: str) -> None:
    # Ceph CVE-2020-10753: what is stored must not be able to end a header later
    assert refuse("PUT", "/bucket/key", {name: f"a{character}b"}).code is ErrorCode.INVALID_ARGUMENT


def test_metadata_of_two_kilobytes_is_the_most() -> None:
    assert len(_put({"x-amz-meta-a": "v" * 2000, "x-amz-meta-b": "v" * 46}).metadata.user) == 2
    failure = refuse("PUT", "/bucket/key", {"x-amz-meta-a": "v" * 2000, "x-amz-meta-b": "v" * 47})
    assert failure.code is ErrorCode.METADATA_TOO_LARGE
    assert failure.detail == {"Size": "2049", "MaxSizeAllowed": "2048"}


WITH_ACL = pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("PUT", "/bucket", {}),
        ("PUT", "/bucket/key", {}),
        ("PUT", "/bucket/key", {"x-amz-copy-source": "/source/key"}),
        ("POST", "/bucket/key?uploads", {}),
    ],
)


@pytest.mark.parametrize(
    ("name", "acl"),
    [
        (None, model.CannedAcl.PRIVATE),
        ("private", model.CannedAcl.PRIVATE),
        ("public-read", model.CannedAcl.PUBLIC_READ),
        ("public-read-write", model.CannedAcl.PUBLIC_READ_WRITE),
        ("authenticated-read", model.CannedAcl.AUTHENTICATED_READ),
        ("bucket-owner-read", model.CannedAcl.PRIVATE),
        ("bucket-owner-full-control", model.CannedAcl.PRIVATE),
    ],
)
@WITH_ACL
def test_canned_acl_becomes_the_operation_s(
    method: str, target: str, headers: dict[str, str], name: str | None, acl: model.CannedAcl
) -> None:
    operation = ask(method, target, headers if name is None else {**headers, "x-amz-acl": name})
    assert isinstance(operation, model.CreateBucket | model.PutObject | model.CopyObject | model.CreateMultipartUpload)
    assert operation.acl is acl


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("aws-exec-read", ErrorCode.NOT_IMPLEMENTED),
        ("log-delivery-write", ErrorCode.NOT_IMPLEMENTED),
        ("public-ready", ErrorCode.INVALID_ARGUMENT),
        ("Public-Read", ErrorCode.INVALID_ARGUMENT),
        ("private,public-read", ErrorCode.INVALID_ARGUMENT),
        ("", ErrorCode.INVALID_ARGUMENT),
    ],
)
@WITH_ACL
def test_canned_acl_that_cannot_be_honoured_is_refused(
    method: str, target: str, headers: dict[str, str], name: str, code: ErrorCode
) -> None:
    assert refuse(method, target, {**headers, "x-amz-acl": name}).code is code


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-legal-hold",
        "x-amz-grant-read",
        "x-amz-grant-full-control",
        "x-amz-write-offset-bytes",
        "if-unmodified-since",
    ],
)
@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("PUT", "/bucket/key", {}),
        ("PUT", "/bucket/key", {"x-amz-copy-source": "/source/key"}),
        ("POST", "/bucket/key?uploads", {}),
    ],
)
def test_header_that_cannot_be_honoured_is_named(method: str, target: str, headers: dict[str, str], name: str) -> None:
    failure = refuse(method, target, {**headers, name: "1"})
    assert failure.code is ErrorCode.NOT_IMPLEMENTED
    assert failure.detail == {"Header": name}


@pytest.mark.parametrize(("headers", "expected"), [({}, "STANDARD"), ({"x-amz-storage-class": "GLACIER"}, "GLACIER")])
def test_storage_class_is_kept(headers: dict[str, str], expected: str) -> None:
    assert _put(headers).storage_class == expected


def test_unknown_storage_class_is_refused() -> None:
    assert refuse("PUT", "/bucket/key", {"x-amz-storage-class": "COLD"}).code is ErrorCode.INVALID_STORAGE_CLASS


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, model.WriteConditions()),
        ({"if-none-match": "*"}, model.WriteConditions(if_none_match="*")),
        ({"if-none-match": '"abc"'}, model.WriteConditions(if_none_match="abc")),
        ({"if-match": '"abc"'}, model.WriteConditions(if_match="abc")),
        ({"if-match": "abc"}, model.WriteConditions(if_match="abc")),
        ({"if-match": "*"}, model.WriteConditions(if_match="*")),
        ({"if-match": 'W/"abc"'}, model.WriteConditions(if_match="")),
    ],
)
def test_write_conditions_are_read(headers: dict[str, str], expected: model.WriteConditions) -> None:
    assert _put(headers).conditions == expected


@pytest.mark.parametrize(
    "headers",
    [{"if-none-match": '"a", "b"'}, {"if-none-match": "*", "if-match": "abc"}, {"if-match": '"a", "b"'}],
)
def test_write_condition_that_aws_does_not_have_is_not_implemented(headers: dict[str, str]) -> None:
    assert refuse("PUT", "/bucket/key", headers).code is ErrorCode.NOT_IMPLEMENTED
