import pytest

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode
from tests.s3.requests.asking import ask, refuse

BUCKET, KEY = model.Bucket("bucket"), model.Key("key")
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(("method", "kind"), [("GET", model.GetObject), ("HEAD", model.HeadObject)])
def test_plain_read_has_nothing_but_its_name(method: str, kind: type[model.GetObject | model.HeadObject]) -> None:
    assert ask(method, "/bucket/key", {"user-agent": "x"}) == kind(bucket=BUCKET, key=KEY)


@pytest.mark.parametrize(("method", "kind"), [("GET", model.GetObject), ("HEAD", model.HeadObject)])
def test_read_takes_range_conditions_and_overrides(method: str, kind: type[model.GetObject | model.HeadObject]) -> None:
    headers = {
        "range": "bytes=0-1",
        "if-range": '"e"',
        "if-match": '"a"',
        "if-none-match": '"b"',
        "if-modified-since": DATE,
        "if-unmodified-since": "soon",
        "x-amz-checksum-mode": "ENABLED",
    }
    target = "/bucket/key?versionId=null&response-content-type=a%2Fb&response-expires=123&response-other=x"
    assert ask(method, target, headers) == kind(
        bucket=BUCKET,
        key=KEY,
        version_id="null",
        range="bytes=0-1",
        conditions=model.ReadConditions(if_match=("a",), if_none_match=("b",), if_modified_since=784111777),
        if_range='"e"',
        checksum_mode=True,
        response_headers={"content-type": "a/b", "expires": "123"},
    )


@pytest.mark.parametrize(
    ("value", "no_store"),
    [("no-store", True), ("No-Store", True), ("no-cache", False), ("no-store, x", False), ("", False)],
)
def test_read_that_shall_not_be_cached_says_so(value: str, no_store: bool) -> None:
    expected = model.GetObject(bucket=BUCKET, key=KEY, no_store=no_store)
    assert ask("GET", "/bucket/key", {"x-s3proxy-cache": value}) == expected


@pytest.mark.parametrize("number", [1, 10_000])
def test_part_number_is_read(number: int) -> None:
    operation = ask("GET", f"/bucket/key?partNumber={number}")
    assert operation == model.GetObject(bucket=BUCKET, key=KEY, part_number=number)


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
def test_part_number_out_of_range_is_invalid_argument(number: str) -> None:
    assert refuse("GET", f"/bucket/key?partNumber={number}").code is ErrorCode.INVALID_ARGUMENT


def test_part_together_with_a_range_is_refused() -> None:
    assert refuse("GET", "/bucket/key?partNumber=1", {"range": "bytes=0-1"}).code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("character", ["%0D", "%0A", "%00", "%0D%0ASet-Cookie:%20a", "%7F", "%E2%82%AC"])
@pytest.mark.parametrize(
    "name", ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"]
)
def test_override_that_cannot_be_a_header_is_refused(name: str, character: str) -> None:
    # Ceph CVE-2021-3524: CR and LF in response-* reached the head of the response
    failure = refuse("GET", f"/bucket/key?response-{name}=a{character}b")
    assert failure.code is ErrorCode.INVALID_ARGUMENT
    assert failure.detail["ArgumentName"] == f"response-{name}"


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/bucket/key"), ("HEAD", "/bucket/key"), ("GET", "/bucket/key?attributes")]
)
def test_read_with_a_customer_key_is_not_implemented(method: str, target: str) -> None:
    headers = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    assert refuse(method, target, headers).code is ErrorCode.NOT_IMPLEMENTED


def test_get_object_attributes_reads_its_headers() -> None:
    headers = {
        "x-amz-object-attributes": "ETag, ObjectSize",
        "x-amz-max-parts": "5000",
        "x-amz-part-number-marker": "3",
    }
    assert ask("GET", "/bucket/key?attributes", headers) == model.GetObjectAttributes(
        bucket=BUCKET, key=KEY, attributes=frozenset({"ETag", "ObjectSize"}), max_parts=1000, part_number_marker=3
    )


@pytest.mark.parametrize(
    ("attributes", "code"),
    [(None, ErrorCode.INVALID_REQUEST), ("", ErrorCode.INVALID_REQUEST), ("ETag,Owner", ErrorCode.INVALID_ARGUMENT)],
)
def test_get_object_attributes_without_known_attributes_is_refused(attributes: str | None, code: ErrorCode) -> None:
    headers = {} if attributes is None else {"x-amz-object-attributes": attributes}
    assert refuse("GET", "/bucket/key?attributes", headers).code is code


def test_put_object_without_headers_stores_no_metadata() -> None:
    expected = model.PutObject(bucket=BUCKET, key=KEY, metadata=model.ObjectMetadata())
    assert ask("PUT", "/bucket/key") == expected


def test_put_of_a_part_without_its_upload_is_refused() -> None:
    # Never stored as the whole object.
    assert refuse("PUT", "/bucket/key?partNumber=1").code is ErrorCode.INVALID_REQUEST


def test_object_tagging_names_the_version() -> None:
    body = b"<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>"
    assert ask("GET", "/bucket/key?tagging&versionId=null") == model.GetObjectTagging(
        bucket=BUCKET, key=KEY, version_id="null"
    )
    assert ask("DELETE", "/bucket/key?tagging") == model.DeleteObjectTagging(bucket=BUCKET, key=KEY)
    assert ask("PUT", "/bucket/key?tagging", body=body) == model.PutObjectTagging(
        bucket=BUCKET, key=KEY, tags={"a": ""}
    )


def test_get_object_acl_names_the_version() -> None:
    operation = ask("GET", "/bucket/key?acl&versionId=v1")
    assert operation == model.GetObjectAcl(bucket=BUCKET, key=KEY, version_id="v1")
