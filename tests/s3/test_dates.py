from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.s3.dates import NANOSECONDS, http_date, iso8601, parse_http_date, parse_timestamp

MOMENTS = st.integers(0, 253402300799)  # to the end of 9999


@given(MOMENTS)
def test_http_date_has_the_right_weekday_and_parses_back(seconds: int) -> None:
    text = http_date(seconds * NANOSECONDS + 999_999_999)
    assert text == format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
    assert parse_http_date(text) == seconds


@given(MOMENTS)
def test_iso8601_parses_back(seconds: int) -> None:
    text = iso8601(seconds * NANOSECONDS + 1)
    assert text.endswith(".000Z")
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_of_http_date_are_read(text: str) -> None:
    assert parse_http_date(text) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_http_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


def test_leap_second_is_the_last_of_its_minute() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    ["2015-01-01T00:00:00Z", "2015-01-01T00:00:00.750Z", "2015-01-01T01:00:00+01:00", "2015-01-01T00:00:00"],
)
def test_timestamp_may_be_iso8601(text: str) -> None:
    assert parse_timestamp(text) == 1420070400


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert parse_timestamp(text) is None or isinstance(parse_timestamp(text), int)


def test_time_before_the_epoch_is_written() -> None:
    assert iso8601(-1) == "1969-12-31T23:59:59.000Z"
