import socket

import pytest

from s3proxy.config import AdminConfig, AuthConfig, Config
from s3proxy.node.failures import StartError
from s3proxy.node.listening import Listening, announce, check_reach, listen

ANYWHERE = "0.0.0.0"  # noqa: S104 (that is what is refused)


async def test_listen_on_port_0_is_announced_with_the_port_that_the_kernel_chose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sockets = await listen("127.0.0.1:0")
    port = sockets[0].getsockname()[1]
    announce(sockets)
    assert capsys.readouterr().err == f"s3proxy ready on http://127.0.0.1:{port}\n"
    for each in sockets:
        each.close()


async def test_listen_on_ipv6_is_announced_as_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        sockets = await listen("[::1]:0")
    except StartError:
        pytest.skip("no IPv6 on this machine")
    announce(sockets)
    assert capsys.readouterr().err.startswith("s3proxy ready on http://[::1]:")
    for each in sockets:
        each.close()


async def test_listen_on_a_port_that_is_taken_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StartError, match="the port is taken"):
        await listen(f"127.0.0.1:{taken.getsockname()[1]}")


async def test_listen_on_an_address_of_another_machine_says_so() -> None:
    with pytest.raises(StartError, match="no such address"):
        await listen("192.0.2.1:0")


@pytest.mark.parametrize(
    ("config", "host", "is_admin"),
    [
        pytest.param(Config(), "127.0.0.1", False, id="open mode on a loopback address"),
        pytest.param(Config(auth=AuthConfig(mode="signature")), ANYWHERE, False, id="signatures"),
        pytest.param(Config(auth=AuthConfig(allow_open_network=True)), ANYWHERE, False, id="open, and meant so"),
        pytest.param(Config(), "127.0.0.1", True, id="admin on a loopback address"),
        pytest.param(Config(admin=AdminConfig(token="t" * 16)), ANYWHERE, True, id="admin with a token"),
    ],
)
def test_socket_of_a_service_manager_that_is_guarded_is_taken(config: Config, host: str, is_admin: bool) -> None:
    with socket.create_server((host, 0)) as sock:
        check_reach(config, Listening(data=[] if is_admin else [sock], admin=[sock] if is_admin else []))


@pytest.mark.parametrize("is_admin", [False, True])
def test_socket_of_a_service_manager_that_lets_anybody_in_is_refused(is_admin: bool) -> None:
    with socket.create_server((ANYWHERE, 0)) as sock, pytest.raises(StartError, match="loopback"):
        check_reach(Config(), Listening(data=[] if is_admin else [sock], admin=[sock] if is_admin else []))


def test_socket_of_a_file_is_guarded_by_its_permissions() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        check_reach(Config(), Listening(data=[], admin=[sock]))
