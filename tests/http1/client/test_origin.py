from s3proxy.http1.client.origin import ClientLimits
from s3proxy.http1.limits import Limits


def test_limits_client_gives_up_an_idle_connection_before_servers_do() -> None:
    assert ClientLimits().idle_timeout_seconds < Limits().idle_timeout_seconds
