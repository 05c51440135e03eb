import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.commands.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("200MiB", 200 * 2**20),
        ("1.5 GB", 1_500_000_000),
        (" 2k ", 2000),
        ("2KIB", 2048),
        ("1 TiB", 2**40),
        ("7B", 7),
    ],
)
def test_parse_size_reads_powers_of_1000_and_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e9", "200 Mbit", "1,5GB", "0", "0.1", "٣", "1" * 5 + "PiB"])
def test_parse_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size|less than a byte"):
        parse_size(text)


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
