from datetime import UTC, datetime

import pytest

from s3proxy.s3 import responses
from s3proxy.s3.listing import decode_token
from s3proxy.s3.model import (
    Bucket,
    BucketInfo,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    Key,
    ListBuckets,
    ListedObject,
    ListMultipartUploads,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListPage,
    ListParts,
    Owner,
    Part,
    PartsPage,
    Upload,
    UploadId,
    UploadsPage,
)
from tests.s3.responses.reading import read

BUCKET = Bucket("bucket")
OWNER = Owner("id", "name")
TIME_NS = 1_700_000_000_987_654_321
TIME = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
EMPTY = ListPage(objects=(), common_prefixes=(), is_truncated=False)


def _listed(key: str) -> ListedObject:
    return ListedObject(key=Key(key), size=3, etag=ETag("e"), last_modified_ns=TIME_NS)


def _body(response: object) -> str:
    body = getattr(response, "body", None)
    assert isinstance(body, bytes)
    return body.decode()


def test_list_buckets_names_owner_buckets_and_token() -> None:
    buckets = [BucketInfo(name=BUCKET, owner=None, created_ns=TIME_NS)]
    parsed = read("ListBuckets", responses.list_buckets(ListBuckets(prefix="b"), OWNER, buckets, "token"))
    assert parsed == {
        "Owner": {"ID": "id", "DisplayName": "name"},
        "Buckets": [{"Name": "bucket", "CreationDate": TIME}],
        "ContinuationToken": "token",
        "Prefix": "b",
    }


def test_list_objects_describes_every_key() -> None:
    page = ListPage(objects=(_listed("a<b"),), common_prefixes=("dir/",), is_truncated=False)
    parsed = read("ListObjects", responses.list_objects(ListObjects(bucket=BUCKET, delimiter="/"), page, OWNER))
    assert parsed == {
        "Name": "bucket",
        "Prefix": "",
        "Marker": "",
        "MaxKeys": 1000,
        "Delimiter": "/",
        "IsTruncated": False,
        "Contents": [
            {
                "Key": "a<b",
                "LastModified": TIME,
                "ETag": '"e"',
                "Size": 3,
                "StorageClass": "STANDARD",
                "Owner": {"ID": "id", "DisplayName": "name"},
            }
        ],
        "CommonPrefixes": [{"Prefix": "dir/"}],
    }


@pytest.mark.parametrize(("delimiter", "expected"), [("/", "dir/"), ("", None)])
def test_next_marker_is_given_only_with_a_delimiter(delimiter: str, expected: str | None) -> None:
    page = ListPage(objects=(), common_prefixes=("dir/",), is_truncated=True, next_after="dir/", next_is_prefix=True)
    parsed = read("ListObjects", responses.list_objects(ListObjects(bucket=BUCKET, delimiter=delimiter), page, None))
    assert parsed.get("NextMarker") == expected
    assert parsed["IsTruncated"] is True


@pytest.mark.parametrize(("asked", "shown"), [(0, 0), (5, 5), (5000, 1000)])
def test_max_keys_is_shown_clamped(asked: int, shown: int) -> None:
    parsed = read("ListObjects", responses.list_objects(ListObjects(bucket=BUCKET, max_keys=asked), EMPTY, None))
    assert parsed["MaxKeys"] == shown


def test_list_objects_v2_counts_and_continues() -> None:
    page = ListPage(
        objects=(_listed("a"),), common_prefixes=("b/",), is_truncated=True, next_after="b/", next_is_prefix=True
    )
    parsed = read("ListObjectsV2", responses.list_objects_v2(ListObjectsV2(bucket=BUCKET), page, OWNER))
    assert parsed["KeyCount"] == 2
    assert decode_token(parsed["NextContinuationToken"]) == ("b/", True)
    assert "Owner" not in parsed["Contents"][0]
    assert not parsed.keys() & {"ContinuationToken", "StartAfter", "Delimiter", "EncodingType", "Marker"}


def test_list_objects_v2_echoes_even_an_empty_token() -> None:
    operation = ListObjectsV2(bucket=BUCKET, continuation_token="", start_after="bar", fetch_owner=True)
    page = ListPage(objects=(_listed("a"),), common_prefixes=(), is_truncated=False)
    parsed = read("ListObjectsV2", responses.list_objects_v2(operation, page, OWNER))
    assert parsed["ContinuationToken"] == ""
    assert parsed["StartAfter"] == "bar"
    assert parsed["Contents"][0]["Owner"]["ID"] == "id"


def test_encoding_type_url_reaches_every_key_like_element() -> None:
    page = ListPage(objects=(_listed("a+b"),), common_prefixes=("q b/",), is_truncated=True, next_after="q b/")
    v1 = ListObjects(bucket=BUCKET, prefix="p\n", delimiter=" /", marker="m+", encoding_type="url")
    v2 = ListObjectsV2(bucket=BUCKET, prefix="p\n", delimiter=" /", start_after="m+", encoding_type="url")
    versions = ListObjectVersions(bucket=BUCKET, prefix="p\n", delimiter=" /", key_marker="m+", encoding_type="url")
    for body, marker, following in (
        (_body(responses.list_objects(v1, page, None)), "Marker", "NextMarker"),
        (_body(responses.list_objects_v2(v2, page, None)), "StartAfter", None),
        (_body(responses.list_object_versions(versions, page, None)), "KeyMarker", "NextKeyMarker"),
    ):
        assert "<Key>a%2Bb</Key>" in body
        assert "<CommonPrefixes><Prefix>q%20b/</Prefix></CommonPrefixes>" in body
        assert ("<Prefix>p%0A</Prefix>" in body) == (marker != "Marker"), "botocore decodes none in version 1"
        assert "<Delimiter>%20/</Delimiter>" in body
        assert f"<{marker}>m%2B</{marker}>" in body
        assert "<EncodingType>url</EncodingType>" in body
        assert following is None or f"<{following}>q%20b/</{following}>" in body


def test_control_characters_without_encoding_type_are_references() -> None:
    page = ListPage(objects=(_listed("a\x01\n"),), common_prefixes=(), is_truncated=False)
    assert "<Key>a&#x1;&#xA;</Key>" in _body(responses.list_objects(ListObjects(bucket=BUCKET), page, None))


def test_checksum_of_a_listed_object_is_named() -> None:
    listed = ListedObject(
        key=Key("a"),
        size=0,
        etag=ETag("e"),
        last_modified_ns=0,
        checksum_algorithm=ChecksumAlgorithm.CRC32,
        checksum_type=ChecksumType.FULL_OBJECT,
    )
    page = ListPage(objects=(listed,), common_prefixes=(), is_truncated=False)
    parsed = read("ListObjectsV2", responses.list_objects_v2(ListObjectsV2(bucket=BUCKET), page, None))
    assert parsed["Contents"][0]["ChecksumAlgorithm"] == ["CRC32"]
    assert parsed["Contents"][0]["ChecksumType"] == "FULL_OBJECT"


def test_list_object_versions_shows_the_null_version() -> None:
    page = ListPage(objects=(_listed("a"),), common_prefixes=(), is_truncated=True, next_after="a")
    operation = ListObjectVersions(bucket=BUCKET, max_keys=1, key_marker="0", version_id_marker="null")
    parsed = read("ListObjectVersions", responses.list_object_versions(operation, page, OWNER))
    version = parsed["Versions"][0]
    assert (version["Key"], version["VersionId"], version["IsLatest"]) == ("a", "null", True)
    assert (parsed["NextKeyMarker"], parsed["NextVersionIdMarker"]) == ("a", "null")
    assert (parsed["KeyMarker"], parsed["VersionIdMarker"]) == ("0", "null")
    whole = read("ListObjectVersions", responses.list_object_versions(operation, EMPTY, OWNER))
    assert "NextKeyMarker" not in whole


UPLOAD = Upload(
    key=Key("k<"),
    upload_id=UploadId("u"),
    initiated_ns=TIME_NS,
    checksum_algorithm=ChecksumAlgorithm.SHA256,
    checksum_type=ChecksumType.COMPOSITE,
)


def test_list_multipart_uploads_shows_uploads_and_where_to_go_on() -> None:
    page = UploadsPage(
        uploads=(UPLOAD,),
        common_prefixes=("d/",),
        is_truncated=True,
        next_key_marker="k<",
        next_upload_id_marker="u",
    )
    operation = ListMultipartUploads(bucket=BUCKET, prefix="p", delimiter="/", max_uploads=2)
    parsed = read("ListMultipartUploads", responses.list_multipart_uploads(operation, page, OWNER))
    owner = {"ID": "id", "DisplayName": "name"}
    assert parsed == {
        "Bucket": "bucket",
        "KeyMarker": "",
        "UploadIdMarker": "",
        "NextKeyMarker": "k<",
        "NextUploadIdMarker": "u",
        "Prefix": "p",
        "Delimiter": "/",
        "MaxUploads": 2,
        "IsTruncated": True,
        "Uploads": [
            {
                "Key": "k<",
                "UploadId": "u",
                "Initiator": owner,
                "Owner": owner,
                "StorageClass": "STANDARD",
                "Initiated": TIME,
                "ChecksumAlgorithm": "SHA256",
                "ChecksumType": "COMPOSITE",
            }
        ],
        "CommonPrefixes": [{"Prefix": "d/"}],
    }


def test_last_page_of_uploads_says_no_more() -> None:
    page = UploadsPage(uploads=(UPLOAD,), common_prefixes=(), is_truncated=False)
    parsed = read(
        "ListMultipartUploads", responses.list_multipart_uploads(ListMultipartUploads(bucket=BUCKET), page, None)
    )
    assert parsed["IsTruncated"] is False
    assert not parsed.keys() & {"NextKeyMarker", "NextUploadIdMarker", "Delimiter", "EncodingType"}


def test_list_parts_shows_parts_and_where_to_go_on() -> None:
    part = Part(
        number=2,
        size=5,
        etag=ETag("p"),
        last_modified_ns=TIME_NS,
        checksum=Checksum(ChecksumAlgorithm.SHA256, "c="),
    )
    page = PartsPage(upload=UPLOAD, parts=(part,), is_truncated=True, next_part_number_marker=2)
    operation = ListParts(bucket=BUCKET, key=UPLOAD.key, upload_id=UPLOAD.upload_id, max_parts=1, part_number_marker=1)
    parsed = read("ListParts", responses.list_parts(operation, page, OWNER))
    assert parsed["Parts"] == [
        {"PartNumber": 2, "LastModified": TIME, "ETag": '"p"', "Size": 5, "ChecksumSHA256": "c="}
    ]
    assert (parsed["PartNumberMarker"], parsed["NextPartNumberMarker"], parsed["MaxParts"]) == (1, 2, 1)
    assert (parsed["IsTruncated"], parsed["Key"], parsed["UploadId"]) == (True, "k<", "u")
    assert (parsed["ChecksumAlgorithm"], parsed["ChecksumType"]) == ("SHA256", "COMPOSITE")
