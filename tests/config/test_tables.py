from math import inf, nan

import pytest

from s3proxy.config import Config, ConfigError, dump, parse, undump

USER = {"name": "ann", "access_key": "AKANN", "secret_key": "a secret of ann"}
MOUNT = {"bucket": "lake"}
S3 = {"kind": "s3", "access_key": "AK", "secret_key": "a secret of the store"}


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"sevrer": {}}, ["sevrer", "allowed are", "server"]),
        ({"server": {"port": 1}}, ["server.port", "allowed are", "listen"]),
        ({"server": {"listen": 39999}}, ["server.listen", "39999", "a string"]),
        ({"server": {"max_connections": 0}}, ["server.max_connections", "0", "from 1"]),
        ({"server": {"max_connections": True}}, ["server.max_connections", "True", "whole number"]),
        ({"server": {"workers": -1}}, ["server.workers", "-1", "from 0 to 256"]),
        ({"server": {"domains": "a"}}, ["server.domains", "array of strings"]),
        ({"server": []}, ["server", "[server]"]),
        ({"auth": {"mode": "none"}}, ["auth.mode", "none", "'open'", "'signature'"]),
        ({"users": {}}, ["users", "[[users]]"]),
        ({"users": [{"name": "ann", "access_key": "AKANN"}]}, ["users[0].secret_key", "is missing"]),
        ({"store": {"min_part_size": -1}}, ["store.min_part_size", "-1"]),
        ({"store": {"kind": "gcs"}}, ["store.kind", "'gcs'", "'local', 's3'"]),
        ({"store": {"endpoint": "http://a"}}, ["store.endpoint", 'kind = "local"', "fsync", "root"]),
        ({"stores": [S3 | {"name": "a", "root": "/b"}]}, ["stores[0].root", 'kind = "s3"', "endpoint"]),
        ({"stores": [S3]}, ["stores[0].name", "is missing"]),
        ({"mount": {"bucket": "a"}}, ["mount", "[[mount]]"]),
        ({"mount": [{}]}, ["mount[0].bucket", "is missing"]),
        ({"mount": [MOUNT | {"read": "never"}]}, ["mount[0].read", "'never'", "'auto'", "'through'"]),
        ({"mount": [MOUNT | {"metadata_ttl_seconds": -2}]}, ["mount[0].metadata_ttl_seconds", "-2"]),
        ({"cache": {"metadata_ttl_seconds": nan}}, ["cache.metadata_ttl_seconds", "nan"]),
        ({"cache": {"block_size": "4 miles"}}, ["cache.block_size", "'4 miles'", "200MiB"]),
        ({"cache": {"block_size": 4.5}}, ["cache.block_size", "4.5", "512 MiB"]),
        ({"cache": {"block_size": True}}, ["cache.block_size", "True", "512 MiB"]),
        ({"cache": {"block_size": "1GiB"}}, ["cache.block_size", "1073741824", "to 6.71089e+07"]),
        ({"limits": {"max_store_requests": 0}}, ["limits.max_store_requests", "0", "from 1"]),
    ],
)
def test_wrong_value_names_the_key_the_value_and_what_is_allowed(tables: object, says: list[str]) -> None:
    assert isinstance(tables, dict)
    with pytest.raises(ConfigError) as caught:
        parse(tables)
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "tables",
    [
        {"users": [USER | {"secret_key": 12345678901234}]},
        {"users": USER | {"secret_key": "12345678901234"}},
        {"store": {"kind": "s3", "secret_key": 12345678901234}},
        {"stores": {"name": "a", "secret_key": "12345678901234"}},
        {"store": [{"secret_key": "12345678901234"}]},
    ],
)
def test_secret_in_a_wrong_place_is_not_shown(tables: object) -> None:
    # RustFS GHSA-r54g-49rx-98cr: secrets in logs.
    assert isinstance(tables, dict)
    with pytest.raises(ConfigError) as caught:
        parse(tables)
    assert "12345678901234" not in str(caught.value)


def test_secret_is_not_in_the_representation_of_a_configuration() -> None:
    # RustFS GHSA-r54g-49rx-98cr.
    shown = repr(parse({"users": [USER], "store": S3, "stores": [S3 | {"name": "other"}]}))
    assert "a secret" not in shown


def test_dumped_configuration_is_read_back_the_same() -> None:
    config = parse(
        {
            "server": {"workers": 2, "domains": ["a", "b"]},
            "users": [USER],
            "store": {"root": "/srv"},
            "stores": [S3 | {"name": "other"}],
            "mount": [MOUNT | {"store": "other", "metadata_ttl_seconds": inf}],
        }
    )
    assert undump(dump(config)) == config
    assert undump(dump(Config())) == Config()
