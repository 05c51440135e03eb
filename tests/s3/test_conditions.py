import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.s3.conditions import (
    Condition,
    check_copy_source,
    check_delete,
    check_write,
    evaluate,
    if_range_holds,
    parse_etags,
    parse_read_conditions,
)
from s3proxy.s3.dates import NANOSECONDS, http_date
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    NO_READ_CONDITIONS,
    ETag,
    ObjectInfo,
    ObjectMetadata,
    ReadConditions,
    WriteConditions,
)

NOW = 1_700_000_000
NOW_NS = NOW * NANOSECONDS + 123_456_789
CURRENT = ObjectInfo(size=3, etag=ETag("abc"), last_modified_ns=NOW_NS, metadata=ObjectMetadata())
DATE = http_date(NOW_NS)


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        ('"abc"', ("abc",), ("abc",)),
        ("abc", ("abc",), ("abc",)),
        ("*", ("*",), ("*",)),
        ('"a", "b" ,c', ("a", "b", "c"), ("a", "b", "c")),
        ('W/"a"', (), ("a",)),
        ('W/"a", "b"', ("b",), ("a", "b")),
        ('"*"', (), ()),
        ('"d41d8cd98f-3"', ("d41d8cd98f-3",), ("d41d8cd98f-3",)),
        ("", (), ()),
        ('"open', (), ()),
        ('""', (), ()),
    ],
)
def test_entity_tags_are_read_with_and_without_quotes(
    header: str, strong: tuple[str, ...], weak: tuple[str, ...]
) -> None:
    assert parse_etags(header, strong=True) == strong
    assert parse_etags(header, strong=False) == weak


@given(st.text())
def test_any_text_gives_entity_tags(header: str) -> None:
    assert all(parse_etags(header, strong=False))


def test_read_conditions_are_parsed_and_bad_dates_ignored() -> None:
    headers = {
        b"if-match": b'"abc"',
        b"if-none-match": b'W/"x", *',
        b"if-modified-since": DATE.encode(),
        b"if-unmodified-since": b"tomorrow",
    }
    assert parse_read_conditions(headers) == ReadConditions(
        if_match=("abc",), if_none_match=("x", "*"), if_modified_since=NOW
    )


def test_copy_source_conditions_have_their_own_headers() -> None:
    headers = {b"x-amz-copy-source-if-match": b"abc", b"if-match": b"other"}
    assert parse_read_conditions(headers, b"x-amz-copy-source-") == ReadConditions(if_match=("abc",))


def test_request_without_conditions_shares_the_empty_ones() -> None:
    assert parse_read_conditions({b"host": b"h"}) is NO_READ_CONDITIONS


PASSES = None


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (ReadConditions(), PASSES),
        (ReadConditions(if_match=("abc",)), PASSES),
        (ReadConditions(if_match=("x", "*")), PASSES),
        (ReadConditions(if_match=("x",)), Condition.IF_MATCH),
        (ReadConditions(if_match=()), Condition.IF_MATCH),
        (ReadConditions(if_none_match=("abc",)), Condition.IF_NONE_MATCH),
        (ReadConditions(if_none_match=("*",)), Condition.IF_NONE_MATCH),
        (ReadConditions(if_none_match=("x",)), PASSES),
        (ReadConditions(if_modified_since=NOW), Condition.IF_MODIFIED_SINCE),
        (ReadConditions(if_modified_since=NOW + 1), Condition.IF_MODIFIED_SINCE),
        (ReadConditions(if_modified_since=NOW - 1), PASSES),
        (ReadConditions(if_unmodified_since=NOW), PASSES),
        (ReadConditions(if_unmodified_since=NOW - 1), Condition.IF_UNMODIFIED_SINCE),
        # Precedence: entity tags over dates, and what stops a read over what shortens it.
        (ReadConditions(if_match=("abc",), if_unmodified_since=NOW - 1), PASSES),
        (ReadConditions(if_match=("x",), if_unmodified_since=NOW), Condition.IF_MATCH),
        (ReadConditions(if_none_match=("x",), if_modified_since=NOW), PASSES),
        (ReadConditions(if_none_match=("abc",), if_modified_since=NOW - 1), Condition.IF_NONE_MATCH),
        (ReadConditions(if_match=("x",), if_none_match=("abc",)), Condition.IF_MATCH),
        (ReadConditions(if_match=("abc",), if_none_match=("abc",)), Condition.IF_NONE_MATCH),
        (ReadConditions(if_unmodified_since=NOW - 1, if_none_match=("abc",)), Condition.IF_UNMODIFIED_SINCE),
    ],
)
def test_read_conditions_are_judged_in_the_order_of_the_rfc(
    conditions: ReadConditions, expected: Condition | None
) -> None:
    assert evaluate(conditions, "abc", NOW_NS) is expected


def test_only_the_last_two_conditions_mean_not_modified() -> None:
    assert [condition for condition in Condition if condition.is_not_modified] == [
        Condition.IF_NONE_MATCH,
        Condition.IF_MODIFIED_SINCE,
    ]


@pytest.mark.parametrize(
    "conditions",
    [ReadConditions(if_none_match=("abc",)), ReadConditions(if_modified_since=NOW), ReadConditions(if_match=("x",))],
)
def test_copy_source_that_fails_is_412_never_304(conditions: ReadConditions) -> None:
    with pytest.raises(S3Error) as caught:
        check_copy_source(conditions, CURRENT)
    assert caught.value.code is ErrorCode.PRECONDITION_FAILED


def test_copy_source_that_meets_its_conditions_passes() -> None:
    check_copy_source(ReadConditions(if_match=("abc",), if_unmodified_since=NOW - 1), CURRENT)


@pytest.mark.parametrize(
    ("conditions", "current", "expected"),
    [
        (WriteConditions(if_none_match="*"), None, None),
        (WriteConditions(if_none_match="*"), CURRENT, ErrorCode.PRECONDITION_FAILED),
        (WriteConditions(if_none_match=CURRENT.etag), CURRENT, ErrorCode.PRECONDITION_FAILED),
        (WriteConditions(if_none_match="other"), CURRENT, None),
        (WriteConditions(if_match="abc"), CURRENT, None),
        (WriteConditions(if_match="*"), CURRENT, None),
        (WriteConditions(if_match="x"), CURRENT, ErrorCode.PRECONDITION_FAILED),
        (WriteConditions(if_match=""), CURRENT, ErrorCode.PRECONDITION_FAILED),
        (WriteConditions(if_match="abc"), None, ErrorCode.NO_SUCH_KEY),
        (WriteConditions(if_match="*"), None, ErrorCode.NO_SUCH_KEY),
        (WriteConditions(), CURRENT, None),
        (WriteConditions(), None, None),
    ],
)
def test_write_conditions_are_judged_against_what_they_replace(
    conditions: WriteConditions, current: ObjectInfo | None, expected: ErrorCode | None
) -> None:
    if expected is None:
        check_write(conditions, current)
        return
    with pytest.raises(S3Error) as caught:
        check_write(conditions, current)
    assert caught.value.code is expected


MET = WriteConditions(if_match="abc", if_match_last_modified=NOW, if_match_size=3)
UNMET = [
    (WriteConditions(if_match="x"), "If-Match"),
    (WriteConditions(if_match_last_modified=NOW - 1), "x-amz-if-match-last-modified-time"),
    (WriteConditions(if_match_size=9999), "x-amz-if-match-size"),
]


def test_delete_conditions_that_hold_let_it_be_deleted() -> None:
    check_delete(MET, CURRENT)
    check_delete(WriteConditions(if_match="*"), CURRENT)


@pytest.mark.parametrize(("conditions", "name"), UNMET)
def test_delete_conditions_that_fail_are_412_and_named(conditions: WriteConditions, name: str) -> None:
    with pytest.raises(S3Error) as caught:
        check_delete(conditions, CURRENT)
    assert caught.value.code is ErrorCode.PRECONDITION_FAILED
    assert caught.value.detail == {"Condition": name}


@pytest.mark.parametrize(("conditions", "name"), UNMET)
def test_delete_of_a_missing_key_meets_every_condition(conditions: WriteConditions, name: str) -> None:
    check_delete(conditions, None)


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ('"abc"', True),
        ("abc", True),
        ('W/"abc"', False),
        ('"x"', False),
        ('"abc", "x"', False),
        (DATE, True),
        (http_date(NOW_NS - NANOSECONDS), False),
        (http_date(NOW_NS + NANOSECONDS), False),
        ("", False),
    ],
)
def test_if_range_holds_for_the_same_version_only(value: str, holds: bool) -> None:
    assert if_range_holds(value, "abc", NOW_NS) is holds
