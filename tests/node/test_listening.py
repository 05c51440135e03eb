import socket

import pytest

from s3proxy.node.failures import StartError
from s3proxy.node.listening import announce, listen, listeners_of


async def test_listen_on_port_0_is_announced_with_the_port_that_the_kernel_chose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sockets = await listen("127.0.0.1:0")
    port = sockets[0].getsockname()[1]
    announce(sockets)
    assert capsys.readouterr().err == f"s3proxy ready on http://127.0.0.1:{port}\n"
    for listener in listeners_of(sockets):
        await listener.aclose()


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
