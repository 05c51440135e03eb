import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.commands.sizes import format_size
from s3proxy.config.sizes import parse_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (10 * 1024 - 1, "10.0 KiB"),
        (100 * 2**20, "100 MiB"),
        (1000 * 2**30, "1,000 GiB"),
        (5 * 2**50, "5,120 TiB"),
    ],
)
def test_format_size_has_three_digits(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(1, 2**50))
def test_format_size_can_be_parsed_and_is_close(size: int) -> None:
    assert parse_size(format_size(size).replace(",", "")) == pytest.approx(size, rel=0.006)
