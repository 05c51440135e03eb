import pytest

from s3proxy.s3 import responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, CannedAcl, Owner
from tests.s3.responses.reading import headers_of, read


def test_create_bucket_says_where_it_is() -> None:
    assert headers_of(responses.create_bucket(Bucket("bucket"))) == {"location": "/bucket"}


def test_head_bucket_names_the_region() -> None:
    response = responses.head_bucket("eu-west-1")
    assert (response.status, response.body, response.content_length) == (200, b"", 0)
    assert read("HeadBucket", response)["BucketRegion"] == "eu-west-1"


def test_no_content_is_204() -> None:
    assert responses.no_content().status == 204


@pytest.mark.parametrize(
    ("location", "region", "expected"),
    [
        (None, "eu-west-1", b">eu-west-1<"),
        (None, "us-east-1", b"><"),
        ("us-east-1", "us-east-1", b">us-east-1<"),
        ("EU", "us-east-1", b">EU<"),
    ],
)
def test_location_is_the_one_asked_for_or_the_region(location: str | None, region: str, expected: bytes) -> None:
    body = responses.get_bucket_location(location, region).body
    assert isinstance(body, bytes)
    assert body.endswith(expected + b"/LocationConstraint>")


def test_tags_are_listed_by_key() -> None:
    tags = {"foo": "<bar>", "Hello": "World", "bar": ""}
    expected = [{"Key": key, "Value": tags[key]} for key in ("Hello", "bar", "foo")]
    assert read("GetBucketTagging", responses.get_bucket_tagging(tags)) == {"TagSet": expected}
    assert read("GetObjectTagging", responses.get_object_tagging(tags)) == {"TagSet": expected}


def test_no_tags_are_an_error_for_a_bucket_and_an_empty_set_for_an_object() -> None:
    with pytest.raises(S3Error) as caught:
        responses.get_bucket_tagging({})
    assert caught.value.code is ErrorCode.NO_SUCH_TAG_SET
    assert read("GetObjectTagging", responses.get_object_tagging({})) == {"TagSet": []}
    assert responses.put_object_tagging().status == 200


ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


@pytest.mark.parametrize(
    ("acl", "grants"),
    [
        (CannedAcl.PRIVATE, []),
        (CannedAcl.PUBLIC_READ, [(ALL_USERS, "READ")]),
        (CannedAcl.PUBLIC_READ_WRITE, [(ALL_USERS, "READ"), (ALL_USERS, "WRITE")]),
        (CannedAcl.AUTHENTICATED_READ, [(AUTHENTICATED_USERS, "READ")]),
    ],
)
@pytest.mark.parametrize("operation", ["GetBucketAcl", "GetObjectAcl"])
def test_acl_gives_the_owner_full_control_and_groups_what_is_granted(
    operation: str, acl: CannedAcl, grants: list[tuple[str, str]]
) -> None:
    parsed = read(operation, responses.get_acl(Owner("id", "name"), acl))
    owner = {"ID": "id", "DisplayName": "name"}
    assert parsed == {
        "Owner": owner,
        "Grants": [
            *({"Grantee": {"URI": uri, "Type": "Group"}, "Permission": permission} for uri, permission in grants),
            {"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"},
        ],
    }
