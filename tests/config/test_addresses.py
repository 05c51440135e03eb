import pytest

from s3proxy.config import ConfigError
from s3proxy.config.addresses import is_loopback, split_address


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:39999", ("::1", 39999)), ("localhost:80", ("localhost", 80))],
)
def test_split_address_gives_host_and_port(listen: str, address: tuple[str, int]) -> None:
    assert split_address(listen) == address


@pytest.mark.parametrize("listen", ["here", "127.0.0.1:70000", "::1:80", ":80", "a b:80", ""])
def test_split_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        split_address(listen)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)],  # noqa: S104 (a value)
)
def test_is_loopback_only_for_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
