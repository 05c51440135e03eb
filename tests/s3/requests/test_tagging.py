import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model, responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.requests.tagging import parse_bucket_tagging, parse_object_tagging
from tests.s3.requests.asking import ask, refuse


def _document(tags: dict[str, str]) -> bytes:
    body = responses.get_object_tagging(tags).body
    assert isinstance(body, bytes)
    return body


def _header_tags(header: str) -> dict[str, str]:
    operation = ask("PUT", "/bucket/key", {"x-amz-tagging": header})
    assert isinstance(operation, model.PutObject)
    return dict(operation.tags)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", {}),
        ("foo=bar&bar", {"foo": "bar", "bar": ""}),
        ("Hello=World&foo=bar", {"Hello": "World", "foo": "bar"}),
        ("a%20b=c+d", {"a b": "c d"}),
        ("%C3%BC=%E2%82%AC", None),
        ("k=a%2Bb%2F%40%3A%3D.-_", {"k": "a+b/@:=.-_"}),
    ],
)
def test_tagging_header_is_read_like_a_query(header: str, tags: dict[str, str] | None) -> None:
    if tags is None:  # a currency sign is no letter
        assert refuse("PUT", "/bucket/key", {"x-amz-tagging": header}).code is ErrorCode.INVALID_TAG
    else:
        assert _header_tags(header) == tags


@pytest.mark.parametrize("header", ["a=%zz", "a=%ff"])
def test_tagging_header_that_cannot_be_decoded_is_invalid_argument(header: str) -> None:
    assert refuse("PUT", "/bucket/key", {"x-amz-tagging": header}).code is ErrorCode.INVALID_ARGUMENT


def test_largest_tags_are_accepted() -> None:
    tags = {f"{number:02}" + "k" * 126: "v" * 256 for number in range(10)}
    assert parse_object_tagging(_document(tags)) == tags


@pytest.mark.parametrize(
    "tags",
    [
        {f"k{number}": "" for number in range(11)},
        {"k" * 129: ""},
        {"k": "v" * 257},
        {"": "v"},
        {"aws:k": "v"},
        {"AWS:k": "v"},
        {"k!": "v"},
        {"k": "<v>"},
        {"k": "a\nb"},
    ],
)
def test_tags_against_the_rules_are_invalid_tag(tags: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        parse_object_tagging(_document(tags))
    assert caught.value.code is ErrorCode.INVALID_TAG


def test_key_given_twice_is_invalid_tag() -> None:
    assert refuse("PUT", "/bucket/key", {"x-amz-tagging": "a=1&a=2"}).code is ErrorCode.INVALID_TAG
    tag = b"<Tag><Key>a</Key><Value/></Tag>"
    with pytest.raises(S3Error) as caught:
        parse_object_tagging(b"<Tagging><TagSet>" + tag * 2 + b"</TagSet></Tagging>")
    assert caught.value.code is ErrorCode.INVALID_TAG


@pytest.mark.parametrize(("count", "fits"), [(50, True), (51, False)])
def test_bucket_has_at_most_fifty_tags(count: int, fits: bool) -> None:
    document = _document({f"k{number}": "v" for number in range(count)})
    if fits:
        assert len(parse_bucket_tagging(document)) == count
        return
    with pytest.raises(S3Error) as caught:
        parse_bucket_tagging(document)
    assert caught.value.code is ErrorCode.INVALID_TAG


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Tagging/>",
        b"<Tagging><TagSet/><TagSet/></Tagging>",
        b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>a</Key><Value/><Value/></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Other><Key>a</Key><Value/></Other></TagSet></Tagging>",
    ],
)
def test_document_that_is_no_tagging_is_malformed(body: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        parse_object_tagging(body)
    assert caught.value.code is ErrorCode.MALFORMED_XML


LETTERS = st.text("abcXYZ019 äß漢+-=._:/@", min_size=1, max_size=40)


@given(st.dictionaries(LETTERS, LETTERS | st.just(""), max_size=10))
@settings(max_examples=50)
def test_tagging_document_round_trips(tags: dict[str, str]) -> None:
    assert parse_object_tagging(_document(tags)) == tags
