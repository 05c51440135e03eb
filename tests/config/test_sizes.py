import pytest

from s3proxy.config.sizes import parse_size


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
