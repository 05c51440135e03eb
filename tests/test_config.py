from pathlib import Path

import pytest

from s3proxy import config
from s3proxy.config import ConfigError

USER = {"name": "ann", "access_key": "AKANN", "secret_key": "a secret of ann"}


def test_load_without_a_file_gives_the_documented_defaults() -> None:
    loaded = config.load(None)
    assert loaded.server.listen == "127.0.0.1:39999"
    assert loaded.store.root == "s3proxy-data"
    assert loaded.store.fsync
    assert loaded.auth.mode == "open"


def test_load_reads_every_section(tmp_path: Path) -> None:
    file = tmp_path / "s3proxy.toml"
    file.write_text(
        """
        [server]
        listen = "0.0.0.0:39999"
        domains = ["s3.example.com"]
        drain_seconds = 5
        [auth]
        mode = "signature"
        [[users]]
        name = "ann"
        access_key = "AKANN"
        secret_key = "a secret of ann"
        [store]
        root = "/srv/s3"
        fsync = false
        [log]
        access = "off"
        """
    )
    loaded = config.load(file, {"store": {"root": "/elsewhere"}})
    assert loaded.server.domains == ("s3.example.com",)
    assert loaded.server.drain_seconds == 5.0
    assert loaded.users[0].access_key == "AKANN"
    assert loaded.store.root == "/elsewhere"
    assert loaded.log.access == "off"


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"sevrer": {}}, ["sevrer", "allowed are", "server"]),
        ({"server": {"port": 1}}, ["server.port", "allowed are", "listen"]),
        ({"server": {"listen": "here"}}, ["server.listen", '"here"', "HOST:PORT"]),
        ({"server": {"listen": "127.0.0.1:70000"}}, ["server.listen", "70000"]),
        ({"server": {"listen": 39999}}, ["server.listen", "39999", "a string"]),
        ({"server": {"max_connections": 0}}, ["server.max_connections", "0", "from 1"]),
        ({"server": {"max_connections": True}}, ["server.max_connections", "True", "whole number"]),
        ({"server": {"domains": "a"}}, ["server.domains", "array of strings"]),
        ({"server": {"domains": ["a:80"]}}, ["server.domains", "a:80", "without a port"]),
        ({"server": []}, ["server", "[server]"]),
        ({"auth": {"mode": "none"}}, ["auth.mode", "none", "'open'", "'signature'"]),
        ({"auth": {"mode": "signature"}}, ["auth.mode", "[[users]]", "s3proxy credentials new"]),
        ({"server": {"listen": "0.0.0.0:1"}}, ["server.listen", "0.0.0.0:1", "auth.allow_open_network"]),
        ({"users": {}}, ["users", "[[users]]"]),
        ({"users": [{"name": "ann", "access_key": "AKANN"}]}, ["users[0].secret_key", "is missing"]),
        ({"users": [USER, USER]}, ["users[1].access_key", "AKANN", "two users"]),
        ({"users": [USER | {"access_key": "a b"}]}, ["users[0].access_key", "a b"]),
        ({"store": {"min_part_size": -1}}, ["store.min_part_size", "-1"]),
    ],
)
def test_wrong_configuration_names_the_key_the_value_and_what_is_allowed(tables: object, says: list[str]) -> None:
    assert isinstance(tables, dict)
    with pytest.raises(ConfigError) as caught:
        config.check(config.parse(tables))
    for words in says:
        assert words in str(caught.value)


def test_wrong_secret_is_never_shown() -> None:
    for secret in ("short", 12345678901234):
        with pytest.raises(ConfigError) as caught:
            config.check(config.parse({"users": [USER | {"secret_key": secret}]}))
        assert str(secret) not in str(caught.value)


def test_secret_is_not_in_the_representation_of_a_configuration() -> None:
    assert "a secret of ann" not in repr(config.parse({"users": [USER]}))


def test_load_of_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: cannot be read: No such file"):
        config.load(tmp_path / "no.toml")


def test_load_of_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[server\n")
    with pytest.raises(ConfigError, match=r"bad\.toml: is not TOML: .*line 1"):
        config.load(file)


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:39999", ("::1", 39999)), ("localhost:80", ("localhost", 80))],
)
def test_split_address_gives_host_and_port(listen: str, address: tuple[str, int]) -> None:
    assert config.split_address(listen) == address


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)],  # noqa: S104 (a value)
)
def test_is_loopback_only_for_this_machine(host: str, expected: bool) -> None:
    assert config.is_loopback(host) is expected
