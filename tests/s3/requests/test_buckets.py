import pytest

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode
from tests.s3.requests.asking import ask, refuse

BUCKET = model.Bucket("bucket")


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (b"", None),
        (b"<CreateBucketConfiguration/>", None),
        (b"<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>", None),
        (
            b'<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            b"<LocationConstraint>eu-west-1</LocationConstraint><Bucket><Type>x</Type></Bucket>"
            b"</CreateBucketConfiguration>",
            "eu-west-1",
        ),
        (
            b"<CreateBucketConfiguration><LocationConstraint>EU:cold</LocationConstraint></CreateBucketConfiguration>",
            "EU:cold",
        ),
    ],
)
def test_create_bucket_reads_the_location_and_passes_over_the_rest(body: bytes, location: str | None) -> None:
    expected = model.CreateBucket(bucket=BUCKET, location_constraint=location)
    assert ask("PUT", "/bucket", body=body) == expected


def test_create_bucket_with_a_bad_name_is_refused_before_its_body_is_read() -> None:
    assert refuse("PUT", "/foo_bar", body=b"<").code is ErrorCode.INVALID_BUCKET_NAME


@pytest.mark.parametrize("body", [b"<", b"<Other/>"])
def test_create_bucket_with_a_bad_body_is_malformed(body: bytes) -> None:
    assert refuse("PUT", "/bucket", body=body).code is ErrorCode.MALFORMED_XML


@pytest.mark.parametrize("location", ["a b", "&#10;", "\u00e9", "x" * 65])
def test_create_bucket_at_what_is_no_location_is_refused(location: str) -> None:
    body = f"<CreateBucketConfiguration><LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>"
    assert refuse("PUT", "/bucket", body=body.encode()).code is ErrorCode.INVALID_LOCATION_CONSTRAINT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-grant-write", 'id="x"'),
        ("x-amz-bucket-object-lock-enabled", "true"),
        ("x-amz-object-ownership", "ObjectWriter"),
        ("x-amz-object-ownership", "BucketOwnerEnforced"),  # would turn off the ACLs that are honoured here
    ],
)
def test_create_bucket_with_what_is_not_supported_is_not_implemented(name: str, value: str) -> None:
    assert refuse("PUT", "/bucket", {name: value}).code is ErrorCode.NOT_IMPLEMENTED


def test_create_bucket_that_asks_for_what_is_so_anyway_is_accepted() -> None:
    assert ask("PUT", "/bucket", {"x-amz-bucket-object-lock-enabled": "False"}) == model.CreateBucket(bucket=BUCKET)


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("HEAD", "/bucket", model.HeadBucket(bucket=BUCKET)),
        ("DELETE", "/bucket", model.DeleteBucket(bucket=BUCKET)),
        ("GET", "/bucket?location", model.GetBucketLocation(bucket=BUCKET)),
        ("GET", "/bucket?acl", model.GetBucketAcl(bucket=BUCKET)),
        ("GET", "/bucket?tagging", model.GetBucketTagging(bucket=BUCKET)),
        ("DELETE", "/bucket?tagging", model.DeleteBucketTagging(bucket=BUCKET)),
    ],
)
def test_request_about_a_bucket_names_it(method: str, target: str, operation: model.Operation) -> None:
    assert ask(method, target) == operation


def test_put_bucket_tagging_takes_the_tags_of_its_document() -> None:
    body = b"<Tagging><TagSet><Tag><Key>Hello</Key><Value>World</Value></Tag></TagSet></Tagging>"
    assert ask("PUT", "/bucket?tagging", body=body) == model.PutBucketTagging(bucket=BUCKET, tags={"Hello": "World"})


def test_tags_of_a_new_bucket_are_refused_and_not_lost() -> None:
    tags = "<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>"
    body = f"<CreateBucketConfiguration>{tags}</CreateBucketConfiguration>"
    assert refuse("PUT", "/bucket", body=body.encode()).code is ErrorCode.NOT_IMPLEMENTED
