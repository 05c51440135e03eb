import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3.client import hidden
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Bucket, BucketInfo, CannedAcl, ObjectMetadata, Owner
from tests.stores.vocabulary import raises

TEXT = st.text(st.characters(codec="utf-8"), max_size=7)


@pytest.mark.parametrize("acl", CannedAcl)
def test_acl_is_hidden_and_found_again(acl: CannedAcl) -> None:
    kept = hidden.hide_acl(ObjectMetadata(user={"a": "b"}), acl)
    user = dict(kept.user)
    assert (hidden.take_acl(user), user) == (acl, {"a": "b"})


def test_private_needs_no_metadata() -> None:
    metadata = ObjectMetadata()
    assert hidden.hide_acl(metadata, CannedAcl.PRIVATE) is metadata


def test_client_cannot_give_an_acl_as_metadata() -> None:
    with raises(ErrorCode.INVALID_ARGUMENT):
        hidden.hide_acl(ObjectMetadata(user={hidden.ACL_NAME: "public-read"}), CannedAcl.PRIVATE)


@pytest.mark.parametrize("value", ["", "public", "PUBLIC-READ", "x"])
def test_acl_that_is_none_grants_nothing(value: str) -> None:
    assert hidden.take_acl({hidden.ACL_NAME: value}) is CannedAcl.PRIVATE


@given(
    st.builds(
        BucketInfo,
        name=st.just(Bucket("bucket")),
        owner=st.builds(Owner, TEXT, TEXT),
        created_ns=st.integers(0, 10**10).map(lambda seconds: seconds * 10**9),
        acl=st.sampled_from(CannedAcl),
        location=st.none() | st.text("abc-/=1", max_size=9),
    )
)
@settings(max_examples=100)
def test_bucket_is_read_as_it_was_rendered(info: BucketInfo) -> None:
    assert hidden.parse_bucket(info.name, hidden.render_bucket(info)) == info


def test_bucket_whose_owner_has_too_long_a_name_is_refused() -> None:
    info = BucketInfo(name=Bucket("bucket"), owner=Owner("id", "é" * 100), created_ns=0)
    with raises(ErrorCode.INVALID_REQUEST):
        hidden.render_bucket(info)


@pytest.mark.parametrize(
    "value", ["", "alice", "2/0/private//a/a", "1/x/private//a/a", "1/0/public//a/a", "1/0/private//a"]
)
def test_bucket_tag_that_cannot_be_read_is_malformed_and_not_nobody_s(value: str) -> None:
    with pytest.raises(MalformedAnswerError):
        hidden.parse_bucket(Bucket("bucket"), value)


def test_tags_of_clients_and_our_own_are_told_apart() -> None:
    tags = hidden.split_tags({"a": "b", hidden.BUCKET_TAG: "ours", "s3proxy:later": "x"})
    assert (tags.visible, tags.hidden) == ({"a": "b"}, "ours")
    assert tags.merged({"c": "d"}) == {"c": "d", hidden.BUCKET_TAG: "ours"}
    assert hidden.split_tags({}).merged({"c": "d"}) == {"c": "d"}


def test_client_cannot_write_our_tags_nor_push_them_out() -> None:
    tags = hidden.split_tags({hidden.BUCKET_TAG: "ours"})
    for visible in ({hidden.BUCKET_TAG: "1/0/private//eve/eve"}, {str(number): "" for number in range(50)}):
        with raises(ErrorCode.INVALID_TAG):
            tags.merged(visible)
