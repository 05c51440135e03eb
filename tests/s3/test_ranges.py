import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, ETag, ObjectInfo, ObjectMetadata, Part, SelectedPart
from s3proxy.s3.ranges import (
    check_copy_range,
    content_range,
    parse_copy_range,
    part_range,
    resolve_range,
    satisfiable_form,
)


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=0-9", 10, (0, 10)),
        ("bytes=4-7", 11, (4, 8)),
        ("bytes=4-", 11, (4, 11)),
        ("bytes=4-99", 11, (4, 11)),
        ("bytes=-7", 11, (4, 11)),
        ("bytes=-99", 11, (0, 11)),
        ("BYTES=1-2", 11, (1, 3)),
        ("bytes=0-18446744073709551615", 11, (0, 11)),
        ("bytes=-18446744073709551615", 11, (0, 11)),
    ],
)
def test_range_resolves_to_the_bytes_that_exist(header: str, size: int, expected: tuple[int, int]) -> None:
    assert resolve_range(header, size) == ByteRange(*expected)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-2",
        "bytes=0-1,3-4",
        "bytes=a-b",
        "bytes 0-1",
        "bytes= 0-1",
        "0-1",
        "items=0-1",
        "bytes=0-1 ",
        "bytes=+0-1",
        "bytes=--1",
        "bytes=0x0-0x1",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_range_that_is_malformed_or_plural_is_ignored(header: str) -> None:
    assert resolve_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=10-", 10), ("bytes=40-50", 11), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=-5", 0), ("bytes=0-", 0)],
)
def test_range_of_which_nothing_exists_is_416(header: str, size: int) -> None:
    with pytest.raises(S3Error) as caught:
        resolve_range(header, size)
    assert caught.value.code is ErrorCode.INVALID_RANGE
    assert caught.value.detail == {"RangeRequested": header, "ActualObjectSize": str(size)}
    assert caught.value.headers == {"Content-Range": f"bytes */{size}"}


@given(st.integers(0, 30) | st.none(), st.integers(0, 30) | st.none(), st.integers(0, 25))
def test_range_agrees_with_a_naive_model(first: int | None, last: int | None, size: int) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None:
        chosen = list(range(size))[-last:] if last else []
    else:
        chosen = [place for place in range(size) if first <= place and (last is None or place <= last)]
    try:
        resolved = resolve_range(header, size)
    except S3Error:
        assert not chosen
        return
    if resolved is None:
        assert first is last is None or (first is not None and last is not None and last < first)
    else:
        assert list(range(resolved.start, resolved.stop)) == chosen


@given(st.text(max_size=30))
def test_any_text_is_a_range_or_none_or_an_s3_error(header: str) -> None:
    for text in (header, f"bytes={header}"):
        try:
            span = resolve_range(text, 100)
        except S3Error:
            continue
        assert span is None or 0 <= span.start < span.stop <= 100


def test_copy_range_is_half_open() -> None:
    assert parse_copy_range("bytes=0-21") == ByteRange(0, 22)


@pytest.mark.parametrize(
    "header",
    ["0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5", "bytes=2-1", "bytes=-5"],
)
def test_copy_range_of_another_form_is_invalid_argument(header: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_copy_range(header)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT


def test_copy_range_beyond_the_source_is_invalid_range() -> None:
    check_copy_range(ByteRange(0, 5), 5)
    with pytest.raises(S3Error) as caught:
        check_copy_range(ByteRange(0, 22), 5)
    assert caught.value.code is ErrorCode.INVALID_RANGE
    assert caught.value.detail["RangeRequested"] == "bytes=0-21"


def _object(*sizes: int) -> ObjectInfo:
    parts = tuple(
        Part(number=number, size=size, etag=ETag("e"), last_modified_ns=0) for number, size in enumerate(sizes, 1)
    )
    return ObjectInfo(size=sum(sizes), etag=ETag("e"), last_modified_ns=0, metadata=ObjectMetadata(), parts=parts)


def test_part_range_is_where_the_part_lies() -> None:
    info = _object(5, 7, 1)
    assert [part_range(info, number) for number in (1, 2, 3)] == [
        ByteRange(0, 5),
        ByteRange(5, 12),
        ByteRange(12, 13),
    ]


def test_part_one_of_an_object_without_parts_is_all_of_it() -> None:
    assert part_range(_object(), 1) is None


@pytest.mark.parametrize(("sizes", "number"), [((5, 7), 3), ((), 2)])
def test_part_that_does_not_exist_is_invalid_part_number(sizes: tuple[int, ...], number: int) -> None:
    with pytest.raises(S3Error) as caught:
        part_range(_object(*sizes), number)
    assert caught.value.code is ErrorCode.INVALID_PART_NUMBER


def test_content_range_is_inclusive() -> None:
    assert content_range(ByteRange(4, 8), 11) == "bytes 4-7/11"


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("bytes=0-9", "bytes=0-9"),
        ("Bytes=007-", "bytes=7-"),
        ("bytes=-5", "bytes=-5"),
        ("bytes=0-99999999999999999999", f"bytes=0-{2**63 - 1}"),
        ("bytes=-0", None),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=0-1,2-3", None),
        ("lines=0-1", None),
    ],
)
def test_range_that_is_passed_on_means_the_same(header: str, form: str | None) -> None:
    assert satisfiable_form(header) == form
    if form is not None:
        assert resolve_range(form, 10) == resolve_range(header, 10)


def test_part_that_the_store_selected_lies_where_it_says() -> None:
    info = ObjectInfo(
        size=9,
        etag=ETag("e-2"),
        last_modified_ns=0,
        metadata=ObjectMetadata(),
        selected_part=SelectedPart(2, ByteRange(5, 9), 2),
    )
    assert part_range(info, 2) == ByteRange(5, 9)
    with pytest.raises(S3Error):
        part_range(info, 3)
