import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model, responses
from s3proxy.s3.client import buckets
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import StoreRequest
from tests.s3.client.asking import asked

BUCKET, KEY = model.Bucket("bucket"), model.Key("a/../key ü")
OWNER = model.Owner("id", "name")
TAGS = st.dictionaries(st.text("ab é/=", min_size=1, max_size=5), st.text("ab é/=+", max_size=5), max_size=5)


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (buckets.list_buckets(), model.ListBuckets()),
        (buckets.create_bucket(BUCKET, None), model.CreateBucket(bucket=BUCKET)),
        (buckets.create_bucket(BUCKET, "eu"), model.CreateBucket(bucket=BUCKET, location_constraint="eu")),
        (buckets.delete_bucket(BUCKET), model.DeleteBucket(bucket=BUCKET)),
        (buckets.get_tagging(BUCKET), model.GetBucketTagging(bucket=BUCKET)),
        (buckets.get_tagging(BUCKET, KEY), model.GetObjectTagging(bucket=BUCKET, key=KEY)),
        (buckets.put_tagging({}, BUCKET), model.DeleteBucketTagging(bucket=BUCKET)),
        (buckets.put_tagging({}, BUCKET, KEY), model.DeleteObjectTagging(bucket=BUCKET, key=KEY)),
    ],
)
def test_request_is_read_as_its_operation(request_: StoreRequest, operation: model.Operation) -> None:
    assert asked(request_) == operation


@given(TAGS)
@settings(max_examples=50)
def test_tags_are_read_as_they_were_rendered(tags: model.Tags) -> None:
    body = responses.get_object_tagging(tags).body
    assert isinstance(body, bytes)
    assert buckets.parse_tagging(body) == tags
    if tags:
        operation = asked(buckets.put_tagging(tags, BUCKET, KEY))
        assert operation == model.PutObjectTagging(bucket=BUCKET, key=KEY, tags=tags)


def test_answer_of_nothing_has_no_tags() -> None:
    assert buckets.parse_tagging(b"") == {}


def test_tags_without_end_are_malformed() -> None:
    rows = "".join(f"<Tag><Key>{number}</Key><Value/></Tag>" for number in range(1000))
    with pytest.raises(MalformedAnswerError):
        buckets.parse_tagging(f"<Tagging><TagSet>{rows}</TagSet></Tagging>".encode())


def test_buckets_are_read_as_they_were_rendered() -> None:
    infos = [model.BucketInfo(name=model.Bucket(name), owner=OWNER, created_ns=10**18) for name in ("a", "b")]
    body = responses.list_buckets(model.ListBuckets(), OWNER, infos, None).body
    assert isinstance(body, bytes)
    assert buckets.parse_buckets(body) == {"a": 10**18, "b": 10**18}
