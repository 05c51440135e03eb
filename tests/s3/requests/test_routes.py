import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.requests import BodyKind
from tests.s3.requests.asking import ask, refuse, route

COPY = {"x-amz-copy-source": "/source/key"}


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/", model.ListBuckets),
        ("GET", "/b", model.ListObjects),
        ("GET", "/b/?prefix=x", model.ListObjects),
        ("GET", "/b?list-type=2", model.ListObjectsV2),
        ("GET", "/b?versions", model.ListObjectVersions),
        ("GET", "/b?uploads", model.ListMultipartUploads),
        ("GET", "/b?location", model.GetBucketLocation),
        ("GET", "/b?acl", model.GetBucketAcl),
        ("GET", "/b?tagging", model.GetBucketTagging),
        ("PUT", "/b?tagging=", model.PutBucketTagging),
        ("DELETE", "/b?tagging", model.DeleteBucketTagging),
        ("HEAD", "/b", model.HeadBucket),
        ("PUT", "/b", model.CreateBucket),
        ("DELETE", "/b", model.DeleteBucket),
        ("POST", "/b?delete", model.DeleteObjects),
        ("GET", "/b/k", model.GetObject),
        ("GET", "/b/k?x-id=GetObject&foo=bar&X-Amz-Signature=0", model.GetObject),
        ("GET", "/b/k?partNumber=1", model.GetObject),
        ("GET", "/b/k?versionId=null", model.GetObject),
        ("HEAD", "/b/k?partNumber=1", model.HeadObject),
        ("PUT", "/b/k", model.PutObject),
        ("PUT", "/b/k?x-id=PutObject", model.PutObject),
        ("DELETE", "/b/k", model.DeleteObject),
        ("GET", "/b/k?acl", model.GetObjectAcl),
        ("GET", "/b/k?attributes", model.GetObjectAttributes),
        ("GET", "/b/k?tagging", model.GetObjectTagging),
        ("PUT", "/b/k?tagging", model.PutObjectTagging),
        ("DELETE", "/b/k?tagging", model.DeleteObjectTagging),
        ("POST", "/b/k?uploads", model.CreateMultipartUpload),
        ("PUT", "/b/k?partNumber=1&uploadId=u", model.UploadPart),
        ("POST", "/b/k?uploadId=u", model.CompleteMultipartUpload),
        ("DELETE", "/b/k?uploadId=u", model.AbortMultipartUpload),
        ("GET", "/b/k?uploadId=u", model.ListParts),
    ],
)
def test_method_and_subresource_choose_the_operation(
    method: str, target: str, operation: type[model.Operation]
) -> None:
    assert route(method, target).operation is operation


@pytest.mark.parametrize(
    ("target", "operation"),
    [("/b/k", model.CopyObject), ("/b/k?partNumber=1&uploadId=u", model.UploadPartCopy)],
)
def test_copy_source_makes_a_put_a_copy_without_a_body(target: str, operation: type[model.Operation]) -> None:
    found = route("PUT", target, COPY)
    assert found.operation is operation
    assert found.body is BodyKind.NONE


def test_copy_source_means_nothing_to_other_operations() -> None:
    assert route("PUT", "/b/k?tagging", COPY).operation is model.PutObjectTagging
    assert route("GET", "/b/k", COPY).operation is model.GetObject


@pytest.mark.parametrize(
    ("method", "target", "body", "digest"),
    [
        ("GET", "/b/k", BodyKind.NONE, False),
        ("PUT", "/b/k", BodyKind.OBJECT, False),
        ("PUT", "/b/k?partNumber=1&uploadId=u", BodyKind.OBJECT, False),
        ("POST", "/b?delete", BodyKind.XML, True),
        ("PUT", "/b", BodyKind.XML, False),
        ("POST", "/b/k?uploadId=u", BodyKind.XML, False),
        ("POST", "/b/k?uploads", BodyKind.NONE, False),
    ],
)
def test_route_says_what_body_it_takes(method: str, target: str, body: BodyKind, digest: bool) -> None:
    found = route(method, target)
    assert (found.body, found.requires_digest) == (body, digest)
    assert (found.max_xml_bytes > 0) is (body is BodyKind.XML)


DEFAULTS = [
    "accelerate", "cors", "encryption", "lifecycle", "logging", "notification", "object-lock",
    "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "versioning",
    "website",
]  # fmt: skip
NOWHERE = [
    "abac", "analytics", "intelligent-tiering", "inventory", "legal-hold", "metadataTable", "metrics", "renameObject",
    "restore", "retention", "select", "session", "torrent",
]  # fmt: skip


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_configuration_of_a_bucket_can_be_read(name: str) -> None:
    assert ask("GET", f"/bucket?{name}") == model.GetBucketDefault(bucket=model.Bucket("bucket"), subresource=name)


@pytest.mark.parametrize("name", ["acl", *(name for name in DEFAULTS if name != "policyStatus")])
def test_changing_a_configuration_is_not_implemented_by_name(name: str) -> None:
    failure = refuse("PUT", f"/bucket?{name}")
    assert failure.code is ErrorCode.NOT_IMPLEMENTED
    assert name in failure.message


@pytest.mark.parametrize("name", [*NOWHERE, *DEFAULTS])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_unknown_subresource_of_an_object_is_not_implemented_by_name(method: str, name: str) -> None:
    failure = refuse(method, f"/bucket/key?{name}&versionId=null")
    assert failure.code is ErrorCode.NOT_IMPLEMENTED
    assert name in failure.message


@pytest.mark.parametrize("target", ["/bucket", "/"])
@pytest.mark.parametrize("name", [*NOWHERE, "uploadId", "attributes"])
def test_subresource_at_the_wrong_level_is_not_implemented(name: str, target: str) -> None:
    assert refuse("GET", f"{target}?{name}").code is ErrorCode.NOT_IMPLEMENTED


def test_form_upload_is_not_implemented() -> None:
    assert refuse("POST", "/bucket", {"content-type": "multipart/form-data; boundary=x"}).code is (
        ErrorCode.NOT_IMPLEMENTED
    )


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("PUT", "/", "GET"),
        ("PATCH", "/b", "DELETE, GET, HEAD, PUT"),
        ("POST", "/b/k", "DELETE, GET, HEAD, PUT"),
        ("get", "/b/k", "DELETE, GET, HEAD, PUT"),
        ("PUT", "/b?versions", "GET"),
        ("GET", "/b?delete", "POST"),
        ("HEAD", "/b/k?uploadId=u", "DELETE, GET, POST, PUT"),
        ("DELETE", "/b?policyStatus", "GET"),
        ("DELETE", "/b?acl", "GET"),
    ],
)
def test_wrong_method_is_405_with_allow(method: str, target: str, allow: str) -> None:
    failure = refuse(method, target)
    assert failure.code is ErrorCode.METHOD_NOT_ALLOWED
    assert failure.headers == {"Allow": allow}
    assert failure.detail["Method"] == method


def test_two_subresources_at_once_are_refused() -> None:
    failure = refuse("GET", "/bucket?tagging&acl")
    assert failure.code is ErrorCode.INVALID_ARGUMENT
    assert failure.message == "Conflicting query string parameters: acl, tagging"


NAMES = st.sampled_from(["acl", "uploadId", "uploads", "partNumber", "versionId", "list-type", "max-keys", "delete"])
HEADERS = st.sampled_from([
    "range", "if-match", "if-none-match", "if-modified-since", "content-type", "x-amz-acl", "x-amz-tagging",
    "x-amz-storage-class", "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-meta-a", "x-amz-checksum-type",
    "x-amz-checksum-algorithm", "x-amz-mp-object-size", "x-amz-object-attributes", "x-amz-max-parts",
    "x-amz-if-match-size", "x-amz-if-match-last-modified-time", "x-amz-metadata-directive",
])  # fmt: skip
TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=20)


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    st.sampled_from(["/", "/bucket", "/bucket/key"]),
    st.dictionaries(NAMES, st.sampled_from(["", "1", "2", "null", "-1", "%00", "x"]), max_size=3),
    st.dictionaries(HEADERS, TEXT, max_size=3),
    st.binary(max_size=50),
)
@settings(max_examples=500)
def test_any_request_is_an_operation_or_an_s3_error(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    # Ceph CVE-2019-10222, CVE-2020-1700: a malformed request must not end in a crash.
    target = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
    try:
        operation = ask(method, target, headers, body)
    except S3Error:
        return
    assert isinstance(operation, model.Operation)
