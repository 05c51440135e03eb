from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode
from tests.s3.requests.asking import ask, refuse

BUCKET, KEY = model.Bucket("bucket"), model.Key("key")


def _copy(source: str, headers: dict[str, str] | None = None) -> model.CopyObject:
    operation = ask("PUT", "/bucket/key", {"x-amz-copy-source": source, **(headers or {})})
    assert isinstance(operation, model.CopyObject)
    return operation


@pytest.mark.parametrize(
    ("header", "bucket", "key", "version_id"),
    [
        ("source/a/b", "source", "a/b", None),
        ("/source/a/b", "source", "a/b", None),
        ("source/a%20b%2Bc+d", "source", "a b+c+d", None),
        ("source%2Fa%2Fb", "source", "a/b", None),
        ("%2Fsource%2Fa", "source", "a", None),
        ("source/anyfilename%25.txt", "source", "anyfilename%.txt", None),
        ("source/anyfilename%2525.txt", "source", "anyfilename%25.txt", None),
        ("source/%3FversionId", "source", "?versionId", None),
        ("source/a?versionId=null", "source", "a", "null"),
        ("source/a?versionId=x%2By", "source", "a", "x+y"),
        ("source/%20", "source", " ", None),
        ("source//x", "source", "/x", None),
        ("source/a/../b", "source", "a/../b", None),
    ],
)
def test_copy_source_is_decoded_once(header: str, bucket: str, key: str, version_id: str | None) -> None:
    # gaul/s3proxy #769: a copy source is an address like any other, never normalised
    source = _copy(header).source
    assert (source.bucket, source.key, source.version_id) == (bucket, key, version_id)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
@settings(max_examples=100)
def test_copy_source_names_the_key_that_was_encoded(key: str) -> None:
    assert _copy(f"/source/{quote(key)}").source.key == key


@pytest.mark.parametrize(
    "header", ["", "/", "source", "source/", "//key", "source/%zz", "source/%ff", "a/b?versionId=%"]
)
def test_copy_source_of_another_form_is_invalid_argument(header: str) -> None:
    assert refuse("PUT", "/bucket/key", {"x-amz-copy-source": header}).code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize("header", ["../key", "..%2Fkey", "%2e%2e/key", ".s3proxy/key", "a%5Cb/key", "a%00/key"])
def test_copy_source_with_traversal_in_its_bucket_is_refused(header: str) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg
    assert refuse("PUT", "/bucket/key", {"x-amz-copy-source": header}).code is ErrorCode.INVALID_BUCKET_NAME


def test_access_point_as_source_is_not_implemented() -> None:
    header = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine/object/key"
    assert refuse("PUT", "/bucket/key", {"x-amz-copy-source": header}).code is ErrorCode.NOT_IMPLEMENTED


def test_copy_without_directives_keeps_metadata_and_tags() -> None:
    operation = _copy("source/key", {"x-amz-meta-a": "ignored", "x-amz-tagging": "a=ignored"})
    assert operation.metadata is None
    assert operation.tags is None


def test_copy_with_replace_takes_the_request_s_metadata_and_tags() -> None:
    operation = _copy(
        "source/key",
        {
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-tagging-directive": "REPLACE",
            "x-amz-meta-a": "1",
            "content-type": "text/plain",
        },
    )
    assert operation.metadata == model.ObjectMetadata(content_type="text/plain", user={"a": "1"})
    assert operation.tags == {}


@pytest.mark.parametrize("name", ["x-amz-metadata-directive", "x-amz-tagging-directive"])
def test_unknown_directive_is_invalid_argument(name: str) -> None:
    failure = refuse("PUT", "/bucket/key", {"x-amz-copy-source": "source/key", name: "MERGE"})
    assert failure.code is ErrorCode.INVALID_ARGUMENT


def test_redirect_with_copied_metadata_is_not_implemented() -> None:
    headers = {"x-amz-copy-source": "source/key", "x-amz-website-redirect-location": "/x"}
    assert refuse("PUT", "/bucket/key", headers).code is ErrorCode.NOT_IMPLEMENTED


def test_copy_has_conditions_on_source_and_destination() -> None:
    operation = _copy("source/key", {"x-amz-copy-source-if-none-match": '"a"', "if-none-match": "*"})
    assert operation.source.conditions == model.ReadConditions(if_none_match=("a",))
    assert operation.conditions == model.WriteConditions(if_none_match="*")


@pytest.mark.parametrize("source", ["bucket/key", "/bucket/key", "bucket/key?versionId=null"])
def test_copy_to_itself_that_changes_nothing_is_invalid_request(source: str) -> None:
    failure = refuse("PUT", "/bucket/key", {"x-amz-copy-source": source})
    assert failure.code is ErrorCode.INVALID_REQUEST
    assert failure.message.startswith("This copy request is illegal because it is trying to copy an object to itself")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-checksum-algorithm", "SHA256"),
    ],
)
def test_copy_to_itself_that_changes_something_is_accepted(name: str, value: str) -> None:
    assert _copy("bucket/key", {name: value}).source.key == KEY


def test_source_with_a_customer_key_is_not_implemented() -> None:
    headers = {
        "x-amz-copy-source": "source/key",
        "x-amz-copy-source-server-side-encryption-customer-algorithm": "AES256",
    }
    assert refuse("PUT", "/bucket/key", headers).code is ErrorCode.NOT_IMPLEMENTED
    assert refuse("PUT", "/bucket/key?partNumber=1&uploadId=u", headers).code is ErrorCode.NOT_IMPLEMENTED
