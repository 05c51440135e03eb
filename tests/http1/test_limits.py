"""The defaults agree with each other and with those of the clients they are made for."""

from s3proxy.http1.limits import Limits


def test_limits_by_default_outlast_an_idle_botocore_client() -> None:
    assert Limits().idle_timeout_seconds > 60


def test_limits_by_default_take_the_longest_key_escaped() -> None:
    assert 3 * 1024 < Limits().max_request_line_bytes < Limits().max_head_bytes
