import argparse
from pathlib import Path

from s3proxy.commands.finding import add_node_options, sockets_of


def sockets(*arguments: str) -> list[Path]:
    parser = argparse.ArgumentParser()
    add_node_options(parser)
    return sockets_of(parser.parse_args(arguments))


def test_socket_that_is_named_is_the_only_one() -> None:
    assert sockets("--socket", "/run/a.sock", "--port", "1") == [Path("/run/a.sock")]


def test_port_leads_to_every_place_where_its_node_may_listen() -> None:
    assert Path("/run/s3proxy/s3proxy-4711.sock") in sockets("--port", "4711")


def test_configuration_says_the_socket_or_the_port(tmp_path: Path) -> None:
    file = tmp_path / "s3proxy.toml"
    file.write_text('[admin]\nsocket = "/run/b.sock"\n')
    assert sockets("--config", str(file)) == [Path("/run/b.sock")]
    file.write_text('[server]\nlisten = "127.0.0.1:4712"\n')
    assert Path("/run/s3proxy/s3proxy-4712.sock") in sockets("--config", str(file))


def test_without_options_it_is_the_default_port() -> None:
    assert Path("/run/s3proxy/s3proxy-39999.sock") in sockets()
